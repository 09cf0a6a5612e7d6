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

enum class IdType : std::uint8_t { any = 0, ipv4 = 1, fqdn = 2, email = 3, ipv6 = 5, dn = 9, key_id = 11 };

struct Identity {
  IdType type = IdType::any;
  base::Bytes data;

  // "%any", "192.0.2.1", "gw.example.org", "@gw", "@#6b6579", "me@example.org", "keyid:...", "fqdn:...", "C=CH, O=x"
  // (dn: refused for now).
  static std::optional<Identity> parse(std::string_view text);
  static Identity of(const base::Address& address);

  [[nodiscard]] std::string text() const;  // printable; control characters escaped
  // Whether an identity the peer shows fits this pattern: equal, %any, or a leading "*." / "*@" wildcard.
  [[nodiscard]] bool admits(const Identity& shown) const;
  bool operator==(const Identity&) const = default;
};

}  // namespace espgate::ike
