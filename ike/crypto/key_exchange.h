// SPDX-License-Identifier: Apache-2.0
// Diffie-Hellman: our ephemeral key of one exchange. Groups: X25519, X448 (RFC 8031), ECP-256/384/521 (RFC 5903),
// MODP-2048/3072/4096 (RFC 3526).
#pragma once

#include <cstdint>
#include <memory>

#include "base/bytes.h"
#include "base/secret.h"
#include "ike/crypto/error.h"
#include "ike/crypto/rng.h"
#include "ike/crypto/suite.h"

struct evp_pkey_st;

namespace espgate::ike::crypto {

class KeyExchange {
 public:
  // A fresh key. X25519 and X448 take theirs from `rng`; the others use OpenSSL's own generator.
  static Crypto<KeyExchange> generate(std::uint16_t group, Rng& rng);
  // A key that is given: X25519 and X448 only, for known-answer tests.
  static Crypto<KeyExchange> from_private(std::uint16_t group, base::ByteView key);

  // The private key, to go on with in another process: the octets of X25519 and X448, PKCS #8 of the others. And the
  // way back; `public_value` is believed.
  [[nodiscard]] Crypto<base::Secret> kept() const;
  static Crypto<KeyExchange> from_kept(std::uint16_t group, base::ByteView kept, base::Bytes public_value);

  [[nodiscard]] std::uint16_t group() const { return info_->id; }
  // The KE payload's data: u; x | y; or g^x, padded to the length of p.
  [[nodiscard]] const base::Bytes& public_value() const { return public_; }
  // g^ir, padded to the group's length (RFC 7296 2.14). Errors: bad_public_value, zero_shared.
  [[nodiscard]] Crypto<base::Secret> derive(base::ByteView peer) const;

 private:
  struct Free {
    void operator()(evp_pkey_st* key) const;
  };
  using Key = std::unique_ptr<evp_pkey_st, Free>;
  KeyExchange(const GroupInfo* info, Key key) : info_(info), key_(std::move(key)) {}
  static Crypto<KeyExchange> with_public(KeyExchange made);
  [[nodiscard]] Crypto<Key> import_peer(base::ByteView peer) const;

  const GroupInfo* info_;
  Key key_;
  base::Bytes public_;
};

}  // namespace espgate::ike::crypto
