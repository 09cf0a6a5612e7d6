// SPDX-License-Identifier: Apache-2.0
// The plain types of the key table.
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "control/config/keys.h"

namespace espgate::control {
namespace {

struct Unit {
  char letter;
  std::uint64_t factor;
};

template <class T>
std::optional<T> whole(std::string_view text) {
  T out{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return out;
}

// Digits with a unit letter behind; nullopt on overflow, too.
template <std::size_t N>
std::optional<std::uint64_t> with_unit(std::string_view text, const std::array<Unit, N>& units) {
  std::uint64_t factor = 1;
  if (!text.empty()) {
    for (const auto& unit : units) {
      if (text.back() != unit.letter) continue;
      factor = unit.factor;
      text.remove_suffix(1);
      break;
    }
  }
  const auto value = whole<std::uint64_t>(text);
  if (!value || *value > std::numeric_limits<std::uint64_t>::max() / factor) return std::nullopt;
  return *value * factor;
}

constexpr std::uint64_t longest = 100ULL * 365 * 86400;  // a hundred years, so that nanoseconds fit

}  // namespace

std::optional<bool> read_boolean(std::string_view text) {
  for (const auto* yes : {"yes", "true", "enabled", "1"}) {
    if (text == yes) return true;
  }
  for (const auto* no : {"no", "false", "disabled", "0"}) {
    if (text == no) return false;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> read_integer(std::string_view text) { return whole<std::uint64_t>(text); }

std::optional<double> read_number(std::string_view text) {
  if (text.empty() || text.front() < '0' || text.front() > '9') return std::nullopt;
  const auto value = whole<double>(text);
  return value && std::isfinite(*value) ? value : std::nullopt;
}

std::optional<std::uint64_t> read_duration(std::string_view text) {
  static constexpr std::array<Unit, 4> units{{{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}}};
  std::uint64_t sum = 0;
  bool any = false;
  while (!text.empty()) {
    const auto part = text.substr(0, text.find(' '));
    text.remove_prefix(part.size());
    while (text.starts_with(' ')) text.remove_prefix(1);
    const auto value = with_unit(part, units);
    if (!value || *value > longest) return std::nullopt;
    sum += *value;
    if (sum > longest) return std::nullopt;
    any = true;
  }
  return any ? std::optional(sum) : std::nullopt;
}

std::optional<std::uint64_t> read_size(std::string_view text) {
  static constexpr std::array<Unit, 6> units{{{'k', 1ULL << 10},
                                              {'K', 1ULL << 10},
                                              {'m', 1ULL << 20},
                                              {'M', 1ULL << 20},
                                              {'g', 1ULL << 30},
                                              {'G', 1ULL << 30}}};
  return with_unit(text, units);
}

}  // namespace espgate::control
