// SPDX-License-Identifier: Apache-2.0
#include "ike/wire/error.h"

namespace espgate::ike::wire {

std::string_view text(WireError error) {
  switch (error) {
    case WireError::short_message:
      return "shorter than an IKE header";
    case WireError::length_mismatch:
      return "the header's length is not the datagram's";
    case WireError::major_version:
      return "a major version other than 2";
    case WireError::reserved_spi:
      return "the initiator's SPI is zero";
    case WireError::bad_payload_length:
      return "a payload length that does not fit the message";
    case WireError::bad_field_length:
      return "a length, count or size inside that does not fit";
    case WireError::bad_field_value:
      return "a value that is not allowed there";
    case WireError::trailing_octets:
      return "octets after the last payload";
    case WireError::too_many:
      return "more parts than are taken";
    case WireError::unknown_critical:
      return "an unknown payload that is marked critical";
    case WireError::repeated:
      return "a payload that may be there once is there twice";
    case WireError::misplaced_sk:
      return "an encrypted payload where none may be";
    case WireError::missing_sk:
      return "no encrypted payload where one must be";
    case WireError::bad_integrity:
      return "a wrong integrity checksum";
    case WireError::bad_padding:
      return "more padding than plaintext";
  }
  return "unknown fault";
}

std::optional<NotifyType> Fault::notify() const {
  switch (error) {
    case WireError::major_version:
      return NotifyType::invalid_major_version;
    case WireError::unknown_critical:
      return NotifyType::unsupported_critical_payload;
    case WireError::bad_payload_length:
    case WireError::bad_field_length:
    case WireError::bad_field_value:
    case WireError::trailing_octets:
    case WireError::repeated:
    case WireError::too_many:
    case WireError::misplaced_sk:
    case WireError::bad_padding:
      return NotifyType::invalid_syntax;
    case WireError::short_message:
    case WireError::length_mismatch:
    case WireError::reserved_spi:
    case WireError::missing_sk:
    case WireError::bad_integrity:
      return std::nullopt;
  }
  return std::nullopt;
}

std::string Fault::text() const {
  std::string out;
  if (payload != PayloadType::none) {
    out = name_of(payload);
    out += known(payload) ? " payload: " : ": ";
  }
  out += wire::text(error);
  if (error == WireError::major_version) {
    out += " (";
    out += std::to_string(static_cast<unsigned>(detail));
    out += ")";
  }
  return out;
}

}  // namespace espgate::ike::wire
