// SPDX-License-Identifier: Apache-2.0
#include "ike/wire/cert.h"

namespace espgate::ike::wire {

namespace {
constexpr std::size_t kHashOctets = 20;
}

Parsed<CertPayload> parse_cert(base::ByteView body) {
  base::ByteReader in(body);
  const auto encoding = in.u8();
  if (!encoding || in.done()) {
    return std::unexpected(Fault{.error = WireError::bad_field_length, .payload = PayloadType::cert});
  }
  const auto data = in.rest();
  return CertPayload{*encoding, {data.begin(), data.end()}};
}

Parsed<CertRequestPayload> parse_cert_request(base::ByteView body) {
  const Fault fault{.error = WireError::bad_field_length, .payload = PayloadType::cert_req};
  base::ByteReader in(body);
  const auto encoding = in.u8();
  if (!encoding) return std::unexpected(fault);
  const auto authorities = in.rest();
  if (*encoding == kCertX509 && authorities.size() % kHashOctets != 0) return std::unexpected(fault);
  return CertRequestPayload{*encoding, {authorities.begin(), authorities.end()}};
}

void write(base::ByteWriter& out, const CertPayload& payload) {
  out.u8(payload.encoding);
  out.put(payload.data);
}

void write(base::ByteWriter& out, const CertRequestPayload& payload) {
  out.u8(payload.encoding);
  out.put(payload.authorities);
}

}  // namespace espgate::ike::wire
