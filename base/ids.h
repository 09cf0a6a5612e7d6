// SPDX-License-Identifier: Apache-2.0
// Numbers with a meaning, each a type of its own so that they cannot be mixed up.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace espgate::base {

// An ESP or AH SPI (RFC 4303 2.1), host order. 0 is "none"; 1-255 are reserved by IANA.
struct Spi {
  std::uint32_t value = 0;
  [[nodiscard]] std::string text() const;                  // 8 hex digits
  static std::optional<Spi> parse(std::string_view text);  // 1-8 hex digits, "0x" allowed
  auto operator<=>(const Spi&) const = default;
};

// An IKE SPI (RFC 7296 3.1), host order; 0 is "not known yet".
struct IkeSpi {
  std::uint64_t value = 0;
  [[nodiscard]] std::string text() const;  // 16 hex digits
  auto operator<=>(const IkeSpi&) const = default;
};

// Our name for an IKE SA in this process: shown as `unique_id`. Never reused while the daemon lives.
struct IkeId {
  std::uint64_t value = 0;
  auto operator<=>(const IkeId&) const = default;
};

// One generation of a child SA (a pair of SAs) in this process. Never reused while the daemon lives.
struct ChildId {
  std::uint64_t value = 0;
  auto operator<=>(const ChildId&) const = default;
};

// A configured child (conn/child), stable across rekeys and restarts: keys `child_total` and metrics.
// FNV-1a 64 of "conn\0child".
struct ChildUid {
  std::uint64_t value = 0;
  static ChildUid of(std::string_view conn, std::string_view child);
  auto operator<=>(const ChildUid&) const = default;
};

// A point of the monotonic clock, injected everywhere: only gateway/ reads a clock.
using Duration = std::chrono::nanoseconds;
using Instant = std::chrono::time_point<std::chrono::steady_clock, Duration>;

}  // namespace espgate::base

template <>
struct std::hash<espgate::base::ChildId> {
  std::size_t operator()(const espgate::base::ChildId& id) const noexcept {
    return std::hash<std::uint64_t>{}(id.value);
  }
};
template <>
struct std::hash<espgate::base::IkeId> {
  std::size_t operator()(const espgate::base::IkeId& id) const noexcept { return std::hash<std::uint64_t>{}(id.value); }
};
template <>
struct std::hash<espgate::base::IkeSpi> {
  std::size_t operator()(const espgate::base::IkeSpi& spi) const noexcept {
    return std::hash<std::uint64_t>{}(spi.value);
  }
};
