// SPDX-License-Identifier: Apache-2.0
// COOKIE notifies of a responder, RFC 7296 2.6: who returns one has been at that address, and cost no memory. The
// shield in front of us makes and takes the same ones (maps/abi.h, espgate_cookie_secrets), if it has the same secrets.
#pragma once

#include <cstdint>
#include <utility>

#include "base/address.h"
#include "base/bytes.h"
#include "base/ids.h"
#include "base/secret.h"
#include "ike/crypto/rng.h"

namespace espgate::ike {

// The secret that cookies are made with, and the one before it, whose cookies are taken, too.
class CookieSecrets {
 public:
  static constexpr base::Duration kRotation = std::chrono::minutes(2);  // how often to rotate()

  struct One {
    std::uint8_t number = 0;
    base::Secret key;  // empty: there is none
  };
  // A fresh secret; the present one is the one before from now on, and the one before that is forgotten.
  void rotate(Rng& rng);
  [[nodiscard]] CookieSecrets clone() const;

  [[nodiscard]] const One& present() const { return present_; }
  [[nodiscard]] const One& before() const { return before_; }
  [[nodiscard]] bool empty() const { return present_.key.empty(); }

 private:
  One present_, before_;
};

class Cookies {
 public:
  static constexpr std::size_t kOctets = 9;

  // From now on the secrets are these, and whoever gave them rotates them. Until then, cookies have secrets of their
  // own.
  void set(CookieSecrets secrets);

  // What a cookie is bound to: the initiator's nonce, address and SPI.
  struct Claim {
    base::ByteView nonce;
    base::Address address;
    base::IkeSpi spi_i;
  };
  // One octet for the secret's number, then SipHash-2-4 over the SPI (8 octets), the address (16, IPv4 first, the rest
  // zero) and the nonce.
  base::Bytes make(base::Instant now, Rng& rng, const Claim& claim);
  // Whether make() made it with this secret or the one before.
  [[nodiscard]] bool good(base::Instant now, Rng& rng, const Claim& claim, base::ByteView cookie);

 private:
  void rotate(base::Instant now, Rng& rng);
  static base::Bytes compute(const CookieSecrets::One& secret, const Claim& claim);

  CookieSecrets secrets_;
  bool given_ = false;
  base::Instant since_;  // of our own secrets
};

}  // namespace espgate::ike
