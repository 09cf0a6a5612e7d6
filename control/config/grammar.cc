// SPDX-License-Identifier: Apache-2.0
#include "control/config/grammar.h"

#include <algorithm>

#include "control/config/cursor.h"
#include "control/config/files.h"

namespace espgate::control {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool is_control(char c) { return (static_cast<unsigned char>(c) < 0x20 && !is_blank(c)) || c == 0x7f; }
bool in_name(char c) { return !is_blank(c) && std::string_view(",:{}=\"#").find(c) == std::string_view::npos; }
bool in_value(char c) { return !is_blank(c) && c != '#' && c != '}' && c != '"'; }

std::string named(std::string_view text) { return "'" + std::string(text) + "'"; }

// One file's statements, into a section that is there already.
class Parser {
 public:
  Parser(Files& files, const SourceFile& source) : files_(files), source_(source), at_(source.text, source.name) {}

  void file(Section& into, std::size_t depth, bool in_secrets) {
    in_secrets_ = holds_secrets_ = in_secrets;
    depth_ = depth;
    statements(into, nullptr);
    if (holds_secrets_) files_.check_private(source_);
  }

 private:
  [[nodiscard]] bool stopped() const { return files_.stopped(); }
  void error(const Origin& at, std::string what) { files_.error(at, std::move(what)); }

  // Until the section that began at `opened` ends, or the file does.
  void statements(Section& into, const Origin* opened) {
    while (!stopped()) {
      at_.blanks();
      if (at_.done()) {
        if (opened) error(*opened, "section " + named(into.name) + " is not closed, expected '}'");
        return;
      }
      if (at_.peek() != '}') {
        statement(into);
      } else {
        const auto here = at_.here();
        at_.take();
        if (opened) return;
        error(here, "there is no section to close, expected a setting, a section or the end");
      }
    }
  }

  void statement(Section& into) {
    const auto here = at_.here();
    switch (at_.peek()) {
      case '{':
        error(here, "a section without a name, expected 'name {'");
        return skipped_section();
      case '"':
        error(here, "a quoted string, expected a key or the name of a section");
        return skip_statement();
      case '=':
        error(here, "a value without a key, expected 'key = value'");
        return skip_statement();
      case ':':
      case ',':
        error(here, std::string("a '") + at_.peek() + "', expected a key or the name of a section");
        return skip_statement();
      default:
        break;
    }
    const std::string name(at_.run(in_name));
    at_.spaces();
    if (name == "include" && at_.peek() != '=' && at_.peek() != '\n' && !at_.done()) return include(into, here);
    check_name(name, here);
    after_name(into, name, here);
  }

  void after_name(Section& into, const std::string& name, const Origin& at) {
    if (at_.peek() == '=') {
      at_.take();
      return setting(into, name, at);
    }
    const Cursor here = at_;
    at_.blanks();
    if (at_.peek() == '{' || at_.peek() == ':') return section(into, name, at);
    at_ = here;
    error(at, named(name) + " stands alone, expected '=' for a setting or '{' for a section");
    skip_statement();
  }

  void check_name(const std::string& name, const Origin& at) {
    if (std::ranges::any_of(name, is_control)) {
      error(at, "a name with a control character in it, expected printable ones");
    } else if (name.find('.') != std::string::npos) {
      error(at, "the name " + named(name) + " holds a '.', expected none: dots separate the names of a reference");
    }
  }

  // After an error: to the end of the line, or past the section that begins there.
  void skip_statement() {
    at_.run([](char c) { return c != '\n' && c != '{' && c != '}' && c != '#'; });
    if (at_.peek() == '{') skipped_section();
  }

  // Parses a section whose place in the tree is not known: for its errors, and to find its end.
  void skipped_section() {
    const auto here = at_.here();
    at_.take();
    Section nowhere;
    body(nowhere, here);
  }

  void body(Section& into, const Origin& opened) {
    if (depth_ >= files_.limits().depth) {
      return files_.stop(
          opened, "sections nest too deeply, expected at most " + std::to_string(files_.limits().depth) + " levels");
    }
    ++depth_;
    statements(into, &opened);
    --depth_;
  }

  void section(Section& into, const std::string& name, const Origin& at) {
    std::vector<Reference> references;
    if (at_.peek() == ':' && !this->references(name, references)) return skip_statement();
    at_.take();  // the brace
    auto& made = into.add_section(name, at);
    for (auto& reference : references) made.references.push_back(std::move(reference));
    const bool outer = in_secrets_;
    if (depth_ == 0 && name == "secrets") in_secrets_ = holds_secrets_ = true;
    body(made, at);
    in_secrets_ = outer;
  }

  // ": a.b, c" up to the brace; false after an error.
  bool references(const std::string& section, std::vector<Reference>& out) {
    do {
      at_.take();  // the colon or comma
      at_.blanks();
      Reference reference{{}, at_.here()};
      const auto path = at_.run(in_name);
      if (!split(path, reference.path)) {
        error(reference.at, "section " + named(section) + " refers to " + named(path) +
                                ", expected names separated by dots, and by commas between references");
        return false;
      }
      out.push_back(std::move(reference));
      at_.blanks();
    } while (at_.peek() == ',');
    if (at_.peek() == '{') return true;
    error(at_.here(), "the references of section " + named(section) + " go on, expected ',' or '{'");
    return false;
  }

  static bool split(std::string_view path, std::vector<std::string>& names) {
    for (std::size_t from = 0; from <= path.size();) {
      const auto dot = std::min(path.find('.', from), path.size());
      if (dot == from) return false;
      names.emplace_back(path.substr(from, dot - from));
      from = dot + 1;
    }
    return true;
  }

  void setting(Section& into, const std::string& key, const Origin& at) {
    Value value;
    value.key = key;
    value.at = at;
    at_.spaces();
    value.value_at = at_.here();
    const Cursor start = at_;
    std::size_t parts = 0;
    bool unescaped = true;
    while (!at_.done() && at_.peek() != '\n' && at_.peek() != '#' && at_.peek() != '}') {
      if (parts++ > 0) value.text += ' ';
      if (at_.peek() == '"') {
        if (!string(value.text)) return;
        unescaped = false;
      } else {
        const auto part_at = at_.here();
        const auto part = at_.run(in_value);
        if (std::ranges::any_of(part, is_control)) error(part_at, "a control character in a value, expected it quoted");
        value.text += part;
      }
      at_.spaces();
    }
    value.set = parts > 0;
    if (!value.set) value.value_at = at;
    value.verbatim = value.set && unescaped && at_.since(start).starts_with(value.text);
    if (value.set && (key == "secret" || key == "pin")) holds_secrets_ = true;
    into.put(std::move(value));
  }

  // A quoted string; appends what it stands for.
  bool string(std::string& out) {
    Cursor opened = at_;
    at_.take();
    while (!at_.done()) {
      const char c = at_.take();
      if (c == '"') return true;
      if (c == '\r') continue;
      if (c != '\\') {
        out += c;
        continue;
      }
      if (at_.done()) break;
      escape(out);
    }
    error(opened.here(), "the string is not closed, expected '\"'");
    at_ = opened;
    at_.to_line_end();  // most likely it was meant to end there
    return false;
  }

  void escape(std::string& out) {
    char c = at_.take();
    if (c == '\r' && at_.peek() == '\n') c = at_.take();
    switch (c) {
      case '\n':
        return;  // joins the lines
      case 'n':
        out += '\n';
        return;
      case 'r':
        out += '\r';
        return;
      case 't':
        out += '\t';
        return;
      default:
        out += c;
    }
  }

  void include(Section& into, const Origin& at) {
    std::string pattern;
    const auto pattern_at = at_.here();
    if (at_.peek() == '"') {
      if (!string(pattern)) return;
    } else {
      while (!at_.done() && in_value(at_.peek())) {
        char c = at_.take();
        if (c == '\\' && std::string_view("\"#} ").find(at_.peek()) != std::string_view::npos && !at_.done()) {
          c = at_.take();
        }
        pattern += c;
      }
    }
    if (pattern.empty() || std::ranges::any_of(pattern, is_control)) {
      error(at, "include without a file, expected a path or a pattern");
      return skip_statement();
    }
    for (const auto& path : files_.expand(pattern, source_, pattern_at)) {
      const auto source = files_.open(path, pattern_at);
      if (!source) continue;
      Parser(files_, *source).file(into, depth_, in_secrets_);
      files_.leave(*source);
    }
  }

  Files& files_;
  const SourceFile& source_;
  Cursor at_;
  std::size_t depth_ = 0;
  bool in_secrets_ = false;     // below a top-level `secrets`
  bool holds_secrets_ = false;  // this file has key material in it
};

}  // namespace

std::unique_ptr<Section> parse_text(std::string_view text, const std::string& name, bool may_include, Report& report,
                                    const GrammarLimits& limits) {
  auto root = std::make_unique<Section>();
  root->at = {name, 1, 1};
  Files files(report, limits, may_include);
  const SourceFile source{name, std::string(text), std::nullopt};
  Parser(files, source).file(*root, 0, false);
  return root;
}

std::unique_ptr<Section> parse_file(const std::filesystem::path& path, Report& report, const GrammarLimits& limits) {
  auto root = std::make_unique<Section>();
  root->at = {path.string(), 1, 1};
  Files files(report, limits, true);
  if (const auto source = files.open(path, root->at)) Parser(files, *source).file(*root, 0, false);
  return root;
}

}  // namespace espgate::control
