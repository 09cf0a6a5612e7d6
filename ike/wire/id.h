// SPDX-License-Identifier: Apache-2.0
// Identification and Authentication payloads, RFC 7296 3.5 and 3.8.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "ike/identity.h"
#include "ike/wire/error.h"

namespace espgate::ike::wire {

struct IdPayload {
  bool initiator = false;  // IDi, else IDr
  Identity identity;
  base::Bytes body;  // as received, for AUTH (2.15 signs the reserved octets, too); empty in a payload of ours

  // The octets that AUTH covers as RestOfInitIDPayload or RestOfRespIDPayload: `body`, or what write() makes.
  [[nodiscard]] base::Bytes signed_octets() const;
  bool operator==(const IdPayload&) const = default;
};

inline constexpr std::uint8_t kAuthRsa = 1;
inline constexpr std::uint8_t kAuthSharedKey = 2;
inline constexpr std::uint8_t kAuthEcdsa256 = 9;  // RFC 4754
inline constexpr std::uint8_t kAuthEcdsa384 = 10;
inline constexpr std::uint8_t kAuthEcdsa521 = 11;
inline constexpr std::uint8_t kAuthDigitalSignature = 14;  // RFC 7427

struct AuthPayload {
  std::uint8_t method = kAuthSharedKey;
  base::Bytes data;
  bool operator==(const AuthPayload&) const = default;
};

Parsed<IdPayload> parse_id(bool initiator, base::ByteView body);
Parsed<AuthPayload> parse_auth(base::ByteView body);
void write(base::ByteWriter& out, const IdPayload& payload);
void write(base::ByteWriter& out, const AuthPayload& payload);

}  // namespace espgate::ike::wire
