// SPDX-License-Identifier: Apache-2.0
#include "ike/wire/header.h"

namespace espgate::ike::wire {

namespace {
constexpr std::uint8_t kFlagInitiator = 0x08, kFlagVersion = 0x10, kFlagResponse = 0x20;
constexpr std::size_t kLengthAt = 24;
}  // namespace

std::optional<Header> peek_header(base::ByteView message) {
  if (message.size() < kHeaderOctets) return std::nullopt;
  base::ByteReader in(message);
  Header header;
  header.spi_i.value = *in.u64();
  header.spi_r.value = *in.u64();
  header.next = static_cast<PayloadType>(*in.u8());
  const std::uint8_t version = *in.u8();
  header.major = version >> 4;
  header.minor = version & 0x0f;
  header.exchange = static_cast<ExchangeType>(*in.u8());
  const std::uint8_t flags = *in.u8();
  header.from_initiator = (flags & kFlagInitiator) != 0;
  header.version = (flags & kFlagVersion) != 0;
  header.response = (flags & kFlagResponse) != 0;
  header.message_id = *in.u32();
  header.length = *in.u32();
  return header;
}

Parsed<Header> parse_header(base::ByteView message) {
  const auto header = peek_header(message);
  if (!header) return std::unexpected(Fault{.error = WireError::short_message});
  if (header->major != 2) return std::unexpected(Fault{.error = WireError::major_version, .detail = header->major});
  if (header->length != message.size()) return std::unexpected(Fault{.error = WireError::length_mismatch});
  if (header->spi_i.value == 0) return std::unexpected(Fault{.error = WireError::reserved_spi});
  return *header;
}

void write_header(base::ByteWriter& out, const Header& header) {
  out.u64(header.spi_i.value);
  out.u64(header.spi_r.value);
  out.u8(static_cast<std::uint8_t>(header.next));
  out.u8(static_cast<std::uint8_t>(header.major << 4 | header.minor));
  out.u8(static_cast<std::uint8_t>(header.exchange));
  out.u8(static_cast<std::uint8_t>((header.from_initiator ? kFlagInitiator : 0) | (header.version ? kFlagVersion : 0) |
                                   (header.response ? kFlagResponse : 0)));
  out.u32(header.message_id);
  out.u32(header.length);
}

void patch_length(base::ByteWriter& out) { out.patch_u32(kLengthAt, static_cast<std::uint32_t>(out.size())); }

}  // namespace espgate::ike::wire
