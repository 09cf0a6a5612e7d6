// SPDX-License-Identifier: Apache-2.0
// Key Exchange and Nonce payloads, RFC 7296 3.4 and 3.9.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "ike/wire/error.h"

namespace espgate::ike::wire {

struct KePayload {
  std::uint16_t group = 0;
  base::Bytes data;  // the public value; judged by crypto::KeyExchange
  bool operator==(const KePayload&) const = default;
};

struct NoncePayload {
  base::Bytes data;  // 16 to 256 octets
  bool operator==(const NoncePayload&) const = default;
};

Parsed<KePayload> parse_ke(base::ByteView body);
Parsed<NoncePayload> parse_nonce(base::ByteView body);
void write(base::ByteWriter& out, const KePayload& payload);
void write(base::ByteWriter& out, const NoncePayload& payload);

}  // namespace espgate::ike::wire
