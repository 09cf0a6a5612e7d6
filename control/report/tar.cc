// SPDX-License-Identifier: Apache-2.0
#include "control/report/tar.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstring>

namespace espgate::control::report {
namespace {

constexpr std::size_t kBlock = 512;

std::string header(const std::string& name, std::size_t size, std::int64_t now) {
  std::string block(kBlock, '\0');
  const auto put = [&](std::size_t at, std::string_view text) { block.replace(at, text.size(), text); };
  put(0, name.substr(0, 99));
  put(100, "0000600");
  put(108, "0000000");
  put(116, "0000000");
  put(124, fmt::format("{:011o}", size));
  put(136, fmt::format("{:011o}", now));
  put(148, "        ");  // the checksum is made with blanks in its place
  put(156, "0");
  put(257, std::string_view("ustar\00000", 8));
  put(265, "root");
  put(297, "root");
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  put(148, fmt::format("{:06o}", sum));
  block[154] = '\0';
  return block;
}

bool names_a_secret(std::string_view key) {
  return key.starts_with("secret") || key == "pin" || key == "password" || key.starts_with("passphrase");
}

}  // namespace

std::string tar(const std::string& folder, const std::vector<TarFile>& files, std::int64_t now) {
  std::string out;
  for (const auto& file : files) {
    out += header(folder + "/" + file.name, file.text.size(), now);
    out += file.text;
    out.append((kBlock - file.text.size() % kBlock) % kBlock, '\0');
  }
  return out.append(2 * kBlock, '\0');
}

std::string without_secrets(const std::string& configuration) {
  std::string out;
  bool quoted = false;  // within a quoted secret that goes on over lines
  std::size_t at = 0;
  while (at < configuration.size()) {
    auto end = configuration.find('\n', at);
    if (end == std::string::npos) end = configuration.size();
    std::string_view line(configuration.data() + at, end - at);
    at = end + 1;
    if (quoted) {  // nothing of it is shown
      quoted = line.find('"') == std::string_view::npos;
      continue;
    }
    // The key before each `=` of the line; a section may stand on one line with its braces.
    std::size_t from = 0;
    bool hidden = false;
    for (auto equals = line.find('='); equals != std::string_view::npos && !hidden; equals = line.find('=', from)) {
      auto last = equals;
      while (last > from && std::isspace(static_cast<unsigned char>(line[last - 1])) != 0) --last;
      auto first = last;
      while (first > from && (std::isalnum(static_cast<unsigned char>(line[first - 1])) != 0 ||
                              std::strchr("_-", line[first - 1]) != nullptr)) {
        --first;
      }
      hidden = names_a_secret(line.substr(first, last - first));
      from = equals + 1;
    }
    if (!hidden) {
      out.append(line).push_back('\n');
      continue;
    }
    const auto rest = line.substr(from);
    quoted = std::count(rest.begin(), rest.end(), '"') % 2 == 1;
    out.append(line.substr(0, from)).append(" (not shown)\n");
  }
  return out;
}

}  // namespace espgate::control::report
