// SPDX-License-Identifier: Apache-2.0
#include "ike/wire/ke.h"

namespace espgate::ike::wire {

namespace {
constexpr std::size_t kMinNonce = 16, kMaxNonce = 256;  // RFC 7296 3.9
}

Parsed<KePayload> parse_ke(base::ByteView body) {
  const Fault cut{.error = WireError::bad_field_length, .payload = PayloadType::ke};
  base::ByteReader in(body);
  KePayload out;
  const auto group = in.u16();
  if (!group || !in.skip(2) || in.done()) return std::unexpected(cut);
  out.group = *group;
  const auto data = in.rest();
  out.data.assign(data.begin(), data.end());
  return out;
}

Parsed<NoncePayload> parse_nonce(base::ByteView body) {
  if (body.size() < kMinNonce || body.size() > kMaxNonce) {
    return std::unexpected(Fault{.error = WireError::bad_field_length, .payload = PayloadType::nonce});
  }
  return NoncePayload{{body.begin(), body.end()}};
}

void write(base::ByteWriter& out, const KePayload& payload) {
  out.u16(payload.group);
  out.u16(0);
  out.put(payload.data);
}

void write(base::ByteWriter& out, const NoncePayload& payload) { out.put(payload.data); }

}  // namespace espgate::ike::wire
