// SPDX-License-Identifier: Apache-2.0
// IP addresses, endpoints (address + UDP port) and prefixes, IPv4 and IPv6.
#pragma once

#include <sys/socket.h>

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace espgate::base {

enum class Family : std::uint8_t { ipv4 = AF_INET, ipv6 = AF_INET6 };

inline int octets(Family family) { return family == Family::ipv4 ? 4 : 16; }

class Address {
 public:
  Address() = default;                                         // 0.0.0.0
  static std::optional<Address> parse(std::string_view text);  // "192.0.2.1", "2001:db8::1"; no scope, no port
  static std::optional<Address> from_octets(ByteView octets);  // 4 or 16, network order
  static Address any(Family family);
  static Address broadcast_of(Family family);  // all bits set

  [[nodiscard]] Family family() const { return family_; }
  [[nodiscard]] bool is_v4() const { return family_ == Family::ipv4; }
  [[nodiscard]] bool is_any() const;
  [[nodiscard]] ByteView octets() const { return {data_.data(), is_v4() ? 4U : 16U}; }
  // Always 16 octets: IPv4 in the first four, the rest zero (as the kernel's xfrm_address_t).
  [[nodiscard]] const std::array<std::uint8_t, 16>& raw() const { return data_; }
  [[nodiscard]] std::string text() const;

  auto operator<=>(const Address&) const = default;

 private:
  Family family_ = Family::ipv4;
  std::array<std::uint8_t, 16> data_{};
};

struct Endpoint {
  Address address;
  std::uint16_t port = 0;  // host order

  [[nodiscard]] std::string text() const;  // "192.0.2.1:500", "[2001:db8::1]:4500"
  auto operator<=>(const Endpoint&) const = default;

  // Socket address for sendmsg and back; nullopt for another family.
  static std::optional<Endpoint> from_sockaddr(const sockaddr_storage& from);
  socklen_t to_sockaddr(sockaddr_storage& to) const;
};

class Prefix {
 public:
  Prefix() = default;
  // Host bits are cleared. Precondition: length <= 8 * octets(family).
  Prefix(const Address& address, std::uint8_t length);
  static std::optional<Prefix> parse(std::string_view text);  // "10.0.0.0/8"; an address alone is a host prefix
  static Prefix host(const Address& address);

  [[nodiscard]] const Address& address() const { return address_; }
  [[nodiscard]] std::uint8_t length() const { return length_; }
  [[nodiscard]] Family family() const { return address_.family(); }
  [[nodiscard]] Address last() const;  // the highest address within
  [[nodiscard]] bool contains(const Address& address) const;
  [[nodiscard]] std::string text() const;

  auto operator<=>(const Prefix&) const = default;

 private:
  Address address_;
  std::uint8_t length_ = 0;
};

}  // namespace espgate::base
