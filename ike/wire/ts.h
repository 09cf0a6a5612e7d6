// SPDX-License-Identifier: Apache-2.0
// Traffic Selector payloads, RFC 7296 3.13.
#pragma once

#include <vector>

#include "base/bytes.h"
#include "base/esp.h"
#include "ike/wire/error.h"

namespace espgate::ike::wire {

struct TsPayload {
  bool initiator = false;  // TSi, else TSr
  // OPAQUE ports (65535 to 0) stay as they are and intersect with nothing. Never first > last in addresses.
  std::vector<base::TrafficSelector> selectors;
  std::size_t unknown = 0;  // selectors of a type we do not know (e.g. RFC 9478 labels), left out of `selectors`
  bool operator==(const TsPayload&) const = default;
};

Parsed<TsPayload> parse_ts(bool initiator, base::ByteView body);
void write(base::ByteWriter& out, const TsPayload& payload);

}  // namespace espgate::ike::wire
