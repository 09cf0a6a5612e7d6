// SPDX-License-Identifier: Apache-2.0
#include "control/convert/ipsec_conf.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <utility>

namespace espgate::control::convert {
namespace {

bool blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

// Without the comment: a # outside quotes, at the beginning or after a blank.
std::string_view uncommented(std::string_view line) {
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '"') quoted = !quoted;
    if (line[i] == '#' && !quoted && (i == 0 || blank(line[i - 1]))) return line.substr(0, i);
  }
  return line;
}

std::string_view unquoted(std::string_view text) {
  if (text.size() >= 2 && (text.front() == '"' || text.front() == '{') && (text.back() == '"' || text.back() == '}')) {
    return trimmed(text.substr(1, text.size() - 2));
  }
  return text;
}

struct Section {
  std::string name;
  std::size_t line = 0;
  std::map<std::string, Setting, std::less<>> own;
  std::vector<Setting> also;
};

class Parser {
 public:
  void line(std::string_view text, std::size_t number) {
    const auto body = uncommented(text);
    if (trimmed(body).empty()) return;
    if (blank(body.front())) return setting(trimmed(body), number);
    heading(trimmed(body), number);
  }

  IpsecConf take() {
    IpsecConf out;
    for (const auto& section : sections_) {
      if (section.name == "%default") continue;
      Conn conn{section.name, section.line, {}};
      std::set<std::string> seen;
      merge(section, conn, seen);
      for (const auto& other : sections_) {
        if (other.name == "%default") merge(other, conn, seen);
      }
      out.conns.push_back(std::move(conn));
    }
    out.remarks = std::move(remarks_);
    return out;
  }

 private:
  void heading(std::string_view text, std::size_t number) {
    current_ = nullptr;
    const auto space = std::min(text.find_first_of(" \t"), text.size());
    const auto kind = text.substr(0, space);
    const auto name = trimmed(text.substr(space));
    if (kind == "conn" && !name.empty()) {
      // A name that comes again goes on with the first.
      for (auto& section : sections_) {
        if (section.name == name) return void(current_ = &section);
      }
      sections_.push_back({std::string(name), number, {}, {}});
      current_ = &sections_.back();
    } else if (kind == "include") {
      remarks_.push_back({number, fmt::format("include {}: not followed; convert that file, too", name)});
    } else if (kind == "config" || kind == "ca") {
      other_ = fmt::format("{} {}", kind, name);
    } else if (kind != "version") {
      remarks_.push_back({number, fmt::format("'{}' is no section that ipsec.conf has", text)});
      other_.clear();
    }
  }

  void setting(std::string_view text, std::size_t number) {
    const auto equals = text.find('=');
    if (equals == std::string_view::npos) {
      remarks_.push_back({number, fmt::format("'{}' has no value, expected key=value", text)});
      return;
    }
    std::string key(trimmed(text.substr(0, equals)));
    std::ranges::transform(key, key.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const std::string value(unquoted(trimmed(text.substr(equals + 1))));
    if (current_ == nullptr) {
      remarks_.push_back(
          {number, fmt::format("{} of '{}': gateway {{ }} and authorities {{ }} are its place, by hand", key, other_)});
    } else if (key == "also") {
      current_->also.push_back({value, number});
    } else {
      current_->own[key] = {value, number};
    }
  }

  // What is there already stays: nearer words count more.
  void merge(const Section& from, Conn& into, std::set<std::string>& seen) {
    if (!seen.insert(from.name).second) return;
    for (const auto& [key, value] : from.own) into.settings.emplace(key, value);
    for (const auto& also : from.also) {
      const auto found = std::ranges::find(sections_, also.value, &Section::name);
      if (found == sections_.end()) {
        remarks_.push_back({also.line, fmt::format("also={}: there is no such conn", also.value)});
      } else {
        merge(*found, into, seen);
      }
    }
  }

  std::vector<Section> sections_;
  Section* current_ = nullptr;
  std::string other_ = "the file";
  std::vector<Remark> remarks_;
};

}  // namespace

IpsecConf parse_ipsec_conf(std::string_view text) {
  Parser parser;
  std::size_t number = 0;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    parser.line(text.substr(0, end), ++number);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parser.take();
}

}  // namespace espgate::control::convert
