// SPDX-License-Identifier: Apache-2.0
// Identities: the ID payloads of RFC 7296 3.5, as strongSwan writes and matches them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/address.h"
#include "base/bytes.h"

namespace espgate::ike {

// IANA's numbers. Subnets and ranges (first and last) are patterns only: no peer is one.
enum class IdType : std::uint8_t {
  any = 0,
  ipv4 = 1,
  fqdn = 2,
  email = 3,
  ipv4_subnet = 4,
  ipv6 = 5,
  ipv6_subnet = 6,
  ipv4_range = 7,
  ipv6_range = 8,
  dn = 9,
  key_id = 11
};

struct Identity {
  IdType type = IdType::any;
  base::Bytes data;

  // "%any", "192.0.2.1", "192.0.2.0/24", "192.0.2.1-192.0.2.9", "gw.example.org", "@gw", "@#6b6579", "me@example.org",
  // "keyid:...", "fqdn:...", "C=CH, O=x".
  static std::optional<Identity> parse(std::string_view text);
  static Identity of(const base::Address& address);

  [[nodiscard]] std::string text() const;  // printable; control characters escaped
  // Whether an identity the peer shows fits this pattern: equal, %any, a leading "*" wildcard of a name or email
  // address, values "*" of a distinguished name, an address within a subnet or range.
  [[nodiscard]] bool admits(const Identity& shown) const;
  [[nodiscard]] bool pattern() const;  // admits more than one identity
  bool operator==(const Identity&) const = default;
};

}  // namespace espgate::ike
