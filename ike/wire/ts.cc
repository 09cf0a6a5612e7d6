// SPDX-License-Identifier: Apache-2.0
#include "ike/wire/ts.h"

#include <optional>

namespace espgate::ike::wire {

namespace {
constexpr std::uint8_t kIpv4Range = 7, kIpv6Range = 8;
constexpr std::size_t kSelectorOctets = 8;  // without addresses

// What follows type, protocol and length of a known selector; nullopt if it is not exactly as long as its type says.
std::optional<base::TrafficSelector> parse_range(std::uint8_t protocol, std::size_t address_octets,
                                                 base::ByteView body) {
  base::ByteReader in(body);
  if (body.size() != 4 + 2 * address_octets) return std::nullopt;
  base::TrafficSelector out;
  out.protocol = protocol;
  out.first_port = *in.u16();
  out.last_port = *in.u16();
  out.first = *base::Address::from_octets(*in.take(address_octets));
  out.last = *base::Address::from_octets(*in.take(address_octets));
  return out;
}
}  // namespace

Parsed<TsPayload> parse_ts(bool initiator, base::ByteView body) {
  const PayloadType type = initiator ? PayloadType::ts_i : PayloadType::ts_r;
  const auto fault = [type](WireError error) { return std::unexpected(Fault{.error = error, .payload = type}); };
  TsPayload out{.initiator = initiator, .selectors = {}};
  base::ByteReader in(body);
  const auto count = in.u8();
  if (!count || !in.skip(3)) return fault(WireError::bad_field_length);
  if (*count > kMaxSelectors) return fault(WireError::too_many);
  for (std::size_t i = 0; i < *count; ++i) {
    const auto kind = in.u8();
    const auto protocol = in.u8();
    const auto length = in.u16();
    if (!length || *length < kSelectorOctets) return fault(WireError::bad_field_length);
    const auto rest = in.take(*length - 4U);
    if (!rest) return fault(WireError::bad_field_length);
    if (*kind != kIpv4Range && *kind != kIpv6Range) {
      ++out.unknown;
      continue;
    }
    const auto selector = parse_range(*protocol, *kind == kIpv4Range ? 4 : 16, *rest);
    if (!selector) return fault(WireError::bad_field_length);
    if (selector->first > selector->last) return fault(WireError::bad_field_value);
    out.selectors.push_back(*selector);
  }
  if (!in.done() || *count == 0) return fault(WireError::bad_field_length);
  return out;
}

void write(base::ByteWriter& out, const TsPayload& payload) {
  out.u8(static_cast<std::uint8_t>(payload.selectors.size()));
  out.zeros(3);
  for (const auto& selector : payload.selectors) {
    out.u8(selector.first.is_v4() ? kIpv4Range : kIpv6Range);
    out.u8(selector.protocol);
    out.u16(static_cast<std::uint16_t>(kSelectorOctets + 2 * selector.first.octets().size()));
    out.u16(selector.first_port);
    out.u16(selector.last_port);
    out.put(selector.first.octets());
    out.put(selector.last.octets());
  }
}

}  // namespace espgate::ike::wire
