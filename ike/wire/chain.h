// SPDX-License-Identifier: Apache-2.0
// The chain of generic payload headers, RFC 7296 3.2, before anybody looks into the payloads.
#pragma once

#include <cstddef>
#include <vector>

#include "base/bytes.h"
#include "ike/wire/error.h"
#include "ike/wire/types.h"

namespace espgate::ike::wire {

// One link of the chain; `body` points into the octets that were split.
struct RawPayload {
  PayloadType type{};
  PayloadType next{};  // of an SK payload: the type of the first payload inside
  bool critical = false;
  std::size_t offset = 0;  // of the generic header, from the beginning of the octets that were split
  base::ByteView body{};   // without the generic header
};

// Splits octets into payloads; the first one's type stands in the header or SK payload before. Ends after an SK or SKF
// payload, whose `next` names what is inside. Faults: bad_payload_length, trailing_octets, too_many,
// misplaced_sk, unknown_critical (after the lengths were found good).
Parsed<std::vector<RawPayload>> split_chain(PayloadType first, base::ByteView octets);

}  // namespace espgate::ike::wire
