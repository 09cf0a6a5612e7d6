// SPDX-License-Identifier: Apache-2.0
#include "ike/wire/notify.h"

namespace espgate::ike::wire {

namespace {
constexpr std::uint8_t kEspSpiOctets = 4;

std::unexpected<Fault> fault(PayloadType payload, WireError error) {
  return std::unexpected(Fault{.error = error, .payload = payload});
}

// The SPI of an ESP or AH SA, or none; other protocols' are nobody's concern here.
bool spi_size_fits(Protocol protocol, std::size_t octets) {
  return (protocol != Protocol::esp && protocol != Protocol::ah) || octets == 0 || octets == kEspSpiOctets;
}

base::Bytes copy(base::ByteView octets) { return {octets.begin(), octets.end()}; }
}  // namespace

NotifyPayload notify(NotifyType type, base::Bytes data) { return {.spi = {}, .type = type, .data = std::move(data)}; }

NotifyPayload notify(NotifyType type, base::Spi spi, base::Bytes data) {
  base::ByteWriter octets;
  octets.u32(spi.value);
  return {.protocol = Protocol::esp, .spi = octets.take(), .type = type, .data = std::move(data)};
}

base::Bytes notify_u16(std::uint16_t value) {
  base::ByteWriter out;
  out.u16(value);
  return out.take();
}

std::optional<std::uint16_t> notify_u16(const NotifyPayload& payload) {
  if (payload.data.size() != 2) return std::nullopt;
  return base::ByteReader(payload.data).u16();
}

Parsed<NotifyPayload> parse_notify(base::ByteView body) {
  base::ByteReader in(body);
  const auto protocol = in.u8();
  const auto spi_octets = in.u8();
  const auto type = in.u16();
  if (!type) return fault(PayloadType::notify, WireError::bad_field_length);
  const auto spi = in.take(*spi_octets);
  if (!spi || !spi_size_fits(static_cast<Protocol>(*protocol), *spi_octets))
    return fault(PayloadType::notify, WireError::bad_field_length);
  return NotifyPayload{.protocol = static_cast<Protocol>(*protocol),
                       .spi = copy(*spi),
                       .type = static_cast<NotifyType>(*type),
                       .data = copy(in.rest())};
}

Parsed<DeletePayload> parse_delete(base::ByteView body) {
  base::ByteReader in(body);
  DeletePayload out;
  const auto protocol = in.u8();
  const auto spi_octets = in.u8();
  const auto count = in.u16();
  if (!count) return fault(PayloadType::del, WireError::bad_field_length);
  out.protocol = static_cast<Protocol>(*protocol);
  if (out.protocol == Protocol::ike) {
    if (*spi_octets != 0 || *count != 0 || !in.done()) return fault(PayloadType::del, WireError::bad_field_length);
    return out;
  }
  if (out.protocol != Protocol::esp && out.protocol != Protocol::ah) {
    return fault(PayloadType::del, WireError::bad_field_value);
  }
  if (*spi_octets != kEspSpiOctets || in.left() != std::size_t{kEspSpiOctets} * *count) {
    return fault(PayloadType::del, WireError::bad_field_length);
  }
  out.spis.reserve(*count);
  while (const auto spi = in.u32()) out.spis.push_back({*spi});
  return out;
}

void write(base::ByteWriter& out, const NotifyPayload& payload) {
  out.u8(static_cast<std::uint8_t>(payload.protocol));
  out.u8(static_cast<std::uint8_t>(payload.spi.size()));
  out.u16(static_cast<std::uint16_t>(payload.type));
  out.put(payload.spi);
  out.put(payload.data);
}

void write(base::ByteWriter& out, const DeletePayload& payload) {
  out.u8(static_cast<std::uint8_t>(payload.protocol));
  out.u8(payload.protocol == Protocol::ike ? 0 : kEspSpiOctets);
  out.u16(static_cast<std::uint16_t>(payload.spis.size()));
  for (const auto& spi : payload.spis) out.u32(spi.value);
}

}  // namespace espgate::ike::wire
