// SPDX-License-Identifier: Apache-2.0
#include "base/ids.h"

#include <charconv>
#include <cstdio>

namespace espgate::base {

std::string Spi::text() const {
  std::string out(8, '0');
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = "0123456789abcdef"[value >> (28U - 4U * i) & 0xfU];
  return out;
}

std::optional<Spi> Spi::parse(std::string_view text) {
  if (text.starts_with("0x") || text.starts_with("0X")) text.remove_prefix(2);
  if (text.empty() || text.size() > 8) return std::nullopt;
  Spi out;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out.value, 16);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return out;
}

std::string IkeSpi::text() const {
  char buffer[17];
  std::snprintf(buffer, sizeof buffer, "%016llx", static_cast<unsigned long long>(value));
  return buffer;
}

ChildUid ChildUid::of(std::string_view conn, std::string_view child) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  auto mix = [&hash](std::string_view text) {
    for (char c : text) hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x100000001b3ULL;
  };
  mix(conn);
  mix(std::string_view("\0", 1));
  mix(child);
  return {hash};
}

}  // namespace espgate::base
