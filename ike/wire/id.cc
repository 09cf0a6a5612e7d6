// SPDX-License-Identifier: Apache-2.0
#include "ike/wire/id.h"

namespace espgate::ike::wire {

namespace {
bool size_fits(IdType type, std::size_t octets) {
  switch (type) {
    case IdType::ipv4:
      return octets == 4;
    case IdType::ipv6:
      return octets == 16;
    default:
      return octets > 0;
  }
}
}  // namespace

base::Bytes IdPayload::signed_octets() const {
  if (!body.empty()) return body;
  base::ByteWriter out;
  write(out, *this);
  return out.take();
}

Parsed<IdPayload> parse_id(bool initiator, base::ByteView body) {
  Fault fault{.error = WireError::bad_field_length, .payload = initiator ? PayloadType::id_i : PayloadType::id_r};
  base::ByteReader in(body);
  const auto type = in.u8();
  if (!type || !in.skip(3)) return std::unexpected(fault);
  IdPayload out{.initiator = initiator, .identity = {}, .body = {body.begin(), body.end()}};
  out.identity.type = static_cast<IdType>(*type);
  const auto data = in.rest();
  if (!size_fits(out.identity.type, data.size())) return std::unexpected(fault);
  if (out.identity.type == IdType::any) {  // 0 is reserved: it must not become our wildcard
    fault.error = WireError::bad_field_value;
    return std::unexpected(fault);
  }
  out.identity.data.assign(data.begin(), data.end());
  return out;
}

Parsed<AuthPayload> parse_auth(base::ByteView body) {
  const Fault cut{.error = WireError::bad_field_length, .payload = PayloadType::auth};
  base::ByteReader in(body);
  const auto method = in.u8();
  if (!method || !in.skip(3) || in.done()) return std::unexpected(cut);
  const auto data = in.rest();
  return AuthPayload{*method, {data.begin(), data.end()}};
}

void write(base::ByteWriter& out, const IdPayload& payload) {
  out.u8(static_cast<std::uint8_t>(payload.identity.type));
  out.zeros(3);
  out.put(payload.identity.data);
}

void write(base::ByteWriter& out, const AuthPayload& payload) {
  out.u8(payload.method);
  out.zeros(3);
  out.put(payload.data);
}

}  // namespace espgate::ike::wire
