// SPDX-License-Identifier: Apache-2.0
#include "ike/wire/chain.h"

namespace espgate::ike::wire {

namespace {
constexpr std::uint8_t kCritical = 0x80;

bool encrypted(PayloadType type) { return type == PayloadType::sk || type == PayloadType::skf; }

// The next payload of `in`, of the given type.
Parsed<RawPayload> take_payload(PayloadType type, base::ByteReader& in) {
  const Fault cut{.error = WireError::bad_payload_length, .payload = type};
  RawPayload out{.type = type, .offset = in.position()};
  const auto next = in.u8();
  const auto flags = in.u8();
  const auto length = in.u16();
  if (!length || *length < kGenericHeaderOctets) return std::unexpected(cut);
  const auto body = in.take(*length - kGenericHeaderOctets);
  if (!body) return std::unexpected(cut);
  out.next = static_cast<PayloadType>(*next);
  out.critical = (*flags & kCritical) != 0;
  out.body = *body;
  return out;
}

// An unknown payload that must not be skipped (RFC 7296 2.5): the first one, if any.
std::optional<Fault> refuse_critical(const std::vector<RawPayload>& chain) {
  for (const auto& payload : chain) {
    if (payload.critical && !known(payload.type)) {
      return Fault{.error = WireError::unknown_critical,
                   .payload = payload.type,
                   .detail = static_cast<std::uint8_t>(payload.type)};
    }
  }
  return std::nullopt;
}
}  // namespace

Parsed<std::vector<RawPayload>> split_chain(PayloadType first, base::ByteView octets) {
  std::vector<RawPayload> out;
  base::ByteReader in(octets);
  for (PayloadType type = first; type != PayloadType::none;) {
    if (out.size() == kMaxPayloads) return std::unexpected(Fault{.error = WireError::too_many, .payload = type});
    auto payload = take_payload(type, in);
    if (!payload) return std::unexpected(payload.error());
    out.push_back(*payload);
    // Its next payload field names what is inside: the chain of this level ends here (RFC 7296 3.14).
    type = encrypted(type) ? PayloadType::none : payload->next;
  }
  if (!in.done()) {
    const bool after_sk = !out.empty() && encrypted(out.back().type);
    return std::unexpected(Fault{.error = after_sk ? WireError::misplaced_sk : WireError::trailing_octets});
  }
  if (const auto fault = refuse_critical(out)) return std::unexpected(*fault);
  return out;
}

}  // namespace espgate::ike::wire
