// SPDX-License-Identifier: Apache-2.0
// COOKIE notifies of a responder, RFC 7296 2.6: who returns one has been at that address, and cost no memory.
#pragma once

#include <array>
#include <cstdint>

#include "base/address.h"
#include "base/bytes.h"
#include "base/ids.h"
#include "base/secret.h"
#include "ike/crypto/rng.h"

namespace espgate::ike {

class Cookies {
 public:
  static constexpr base::Duration kRotation = std::chrono::minutes(2);

  // What a cookie is bound to: the initiator's nonce, address and SPI.
  struct Claim {
    base::ByteView nonce;
    base::Address address;
    base::IkeSpi spi_i;
  };
  // One octet for the secret's number, then 31 of HMAC-SHA2-256 over nonce, address and SPI.
  base::Bytes make(base::Instant now, Rng& rng, const Claim& claim);
  // Whether make() made it with this secret or the one before.
  [[nodiscard]] bool good(base::Instant now, Rng& rng, const Claim& claim, base::ByteView cookie);

 private:
  struct Key {
    std::uint8_t number = 0;
    base::Secret secret;
  };
  void rotate(base::Instant now, Rng& rng);
  static base::Bytes compute(const Key& key, const Claim& claim);

  std::array<Key, 2> keys_;  // the present one, and the one before
  base::Instant since_;
};

}  // namespace espgate::ike
