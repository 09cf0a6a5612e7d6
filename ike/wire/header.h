// SPDX-License-Identifier: Apache-2.0
// The IKE header, RFC 7296 3.1.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/ids.h"
#include "ike/wire/error.h"
#include "ike/wire/types.h"

namespace espgate::ike::wire {

struct Header {
  base::IkeSpi spi_i, spi_r;  // host order; spi_r 0 in the first request
  PayloadType next = PayloadType::none;
  std::uint8_t major = 2, minor = 0;
  ExchangeType exchange{};
  bool from_initiator = false;  // flag I: sent by who started the IKE SA
  bool response = false;        // flag R
  bool version = false;         // flag V: the sender knows a higher major version
  std::uint32_t message_id = 0;
  std::uint32_t length = 0;  // of the whole message; filled in when one is written

  bool operator==(const Header&) const = default;
};

// Reads the header and checks version, initiator's SPI and that `message` is as long as the header says. A fault of
// major_version has read nothing else; use peek_header() for what to answer it with.
Parsed<Header> parse_header(base::ByteView message);

// Reads the header's fields without judging them; nullopt if there are less than 28 octets.
std::optional<Header> peek_header(base::ByteView message);

// Appends the 28 octets; `length` is written as it is (patch it with patch_length()).
void write_header(base::ByteWriter& out, const Header& header);

// Writes out.size() into the length field of the header that stands at the beginning of `out`.
void patch_length(base::ByteWriter& out);

}  // namespace espgate::ike::wire
