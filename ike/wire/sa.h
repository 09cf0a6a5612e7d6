// SPDX-License-Identifier: Apache-2.0
// Security Association payload, RFC 7296 3.3: proposals and transforms as they stand on the wire. What of them can be
// taken is decided in ike/select.h.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "ike/proposal.h"
#include "ike/wire/error.h"

namespace espgate::ike::wire {

// Type and id as received, known or not.
struct SaTransform {
  std::uint8_t type = 0;
  std::uint16_t id = 0;
  std::uint16_t key_bits = 0;      // 0: no key length attribute
  bool unknown_attribute = false;  // has one we do not know, or one twice: must not be chosen (RFC 7296 3.3.6)
  bool operator==(const SaTransform&) const = default;
};

struct SaProposal {
  std::uint8_t number = 1;
  Protocol protocol = Protocol::ike;
  base::Bytes spi;  // empty, 8 octets (IKE) or 4 octets (ESP, AH), network order
  std::vector<SaTransform> transforms;
  bool operator==(const SaProposal&) const = default;
};

struct SaPayload {
  std::vector<SaProposal> proposals;
  bool operator==(const SaPayload&) const = default;
};

Parsed<SaPayload> parse_sa(base::ByteView body);
void write(base::ByteWriter& out, const SaPayload& payload);  // body only, as all writers of payloads

}  // namespace espgate::ike::wire
