// SPDX-License-Identifier: Apache-2.0
// Payloads that are carried and not looked into: Vendor ID (RFC 7296 3.12), CP, EAP, unknown ones; and the
// place of an Encrypted payload (3.14), which wire/sealed.h opens.
#pragma once

#include <cstddef>

#include "base/bytes.h"
#include "ike/wire/types.h"

namespace espgate::ike::wire {

struct OpaquePayload {
  PayloadType type{};
  bool critical = false;
  base::Bytes body;
  bool operator==(const OpaquePayload&) const = default;
};

struct VendorIdPayload {
  base::Bytes data;
  bool operator==(const VendorIdPayload&) const = default;
};

// Where in the message an SK payload stands; it runs to the message's end.
struct EncryptedPayload {
  PayloadType first = PayloadType::none;  // the type of the first payload inside
  std::size_t offset = 0;                 // of its generic header, from the beginning of the message
  bool operator==(const EncryptedPayload&) const = default;
};

}  // namespace espgate::ike::wire
