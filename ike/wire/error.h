// SPDX-License-Identifier: Apache-2.0
// What can be wrong with a message, closed, and the notify that answers it.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "ike/wire/notify_types.h"
#include "ike/wire/types.h"

namespace espgate::ike::wire {

enum class WireError : std::uint8_t {
  short_message,       // less than a header
  length_mismatch,     // the header's length is not the datagram's
  major_version,       // RFC 7296 2.5: higher than 2, or IKEv1
  reserved_spi,        // the initiator's SPI is zero
  bad_payload_length,  // a payload that ends past its message, or is shorter than its own header
  bad_field_length,    // a length, count or size inside a payload that does not fit
  bad_field_value,     // a value inside a payload that RFC 7296 forbids
  trailing_octets,     // octets after the last payload
  too_many,            // more payloads, proposals or selectors than we take
  unknown_critical,    // an unknown payload with the critical bit; `detail` is its type
  repeated,            // a payload that may be there once is there twice
  misplaced_sk,        // an SK payload that is not the last, or where none may be
  missing_sk,          // a message that should be encrypted and is not
  bad_integrity,       // wrong ICV, or a ciphertext that cannot be one
  bad_padding,         // padding length beyond the plaintext
};

// A message that cannot be taken, and where it is wrong.
struct Fault {
  WireError error{};
  PayloadType payload = PayloadType::none;  // in which payload; none: the header or the chain
  std::uint8_t detail = 0;                  // unknown_critical: the payload type; major_version: the version
  bool authenticated = false;               // found under a good ICV: worth an answer (RFC 7296 2.21.2)

  // The notify this calls for; nullopt: drop in silence.
  [[nodiscard]] std::optional<NotifyType> notify() const;
  [[nodiscard]] std::string text() const;  // one sentence, e.g. "SA payload: a length field that does not fit"
  bool operator==(const Fault&) const = default;
};

template <class T>
using Parsed = std::expected<T, Fault>;

std::string_view text(WireError error);

}  // namespace espgate::ike::wire
