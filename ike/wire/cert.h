// SPDX-License-Identifier: Apache-2.0
// Certificate and Certificate Request payloads, RFC 7296 3.6 and 3.7.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "ike/wire/error.h"

namespace espgate::ike::wire {

inline constexpr std::uint8_t kCertX509 = 4;  // "X.509 Certificate - Signature"; the others are not looked into

struct CertPayload {
  std::uint8_t encoding = kCertX509;
  base::Bytes data;
  bool operator==(const CertPayload&) const = default;
};

struct CertRequestPayload {
  std::uint8_t encoding = kCertX509;
  base::Bytes authorities;  // kCertX509: SHA-1 hashes of the CAs' SubjectPublicKeyInfo, 20 octets each; none: any CA
  bool operator==(const CertRequestPayload&) const = default;
};

Parsed<CertPayload> parse_cert(base::ByteView body);
Parsed<CertRequestPayload> parse_cert_request(base::ByteView body);
void write(base::ByteWriter& out, const CertPayload& payload);
void write(base::ByteWriter& out, const CertRequestPayload& payload);

}  // namespace espgate::ike::wire
