// SPDX-License-Identifier: Apache-2.0
// Pseudo-random functions: prf and prf+ of RFC 7296 2.13, and plain HMAC and digests for who needs them.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>

#include "base/bytes.h"
#include "base/secret.h"
#include "ike/crypto/error.h"
#include "ike/crypto/suite.h"

namespace espgate::ike::crypto {

using Parts = std::initializer_list<base::ByteView>;  // octets that are taken one after the other

class Prf {
 public:
  static Crypto<Prf> make(std::uint16_t id);

  [[nodiscard]] std::size_t octets() const { return info_->octets; }
  // prf(key, parts joined)
  [[nodiscard]] Crypto<base::Secret> compute(base::ByteView key, Parts parts) const;
  // The first `count` octets of prf+(key, parts joined).
  [[nodiscard]] Crypto<base::Secret> plus(base::ByteView key, Parts parts, std::size_t count) const;

 private:
  explicit Prf(const PrfInfo* info) : info_(info) {}
  const PrfInfo* info_;
};

// HMAC with one of OpenSSL's digests ("SHA256", ...), untruncated.
Crypto<base::Secret> hmac(const char* digest, base::ByteView key, Parts parts);

// SHA-1 for NAT_DETECTION_*_IP (RFC 7296 2.23): data = sha1(SPIi | SPIr | address | port).
Crypto<std::array<std::uint8_t, 20>> sha1(Parts parts);
Crypto<std::array<std::uint8_t, 32>> sha256(Parts parts);

}  // namespace espgate::ike::crypto
