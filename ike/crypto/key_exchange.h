// SPDX-License-Identifier: Apache-2.0
// Key exchange methods: our ephemeral key of one exchange. Diffie-Hellman with X25519, X448 (RFC 8031),
// ECP-256/384/521 (RFC 5903), MODP-2048/3072/4096 (RFC 3526); key encapsulation with ML-KEM-512/768/1024 (FIPS 203,
// draft-ietf-ipsecme-ikev2-mlkem), which OpenSSL has from 3.5 on.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/secret.h"
#include "ike/crypto/error.h"
#include "ike/crypto/rng.h"
#include "ike/crypto/suite.h"

struct evp_pkey_st;

namespace espgate::ike::crypto {

// Whether the OpenSSL that runs has the algorithm of a group; one that we do not know is none.
bool available(std::uint16_t group);
// Which one that is, for an error text: "OpenSSL 3.0.19".
std::string library();

class KeyExchange {
 public:
  // A fresh key, the initiator's. X25519 and X448 take theirs from `rng`; the others use OpenSSL's own generator.
  static Crypto<KeyExchange> generate(std::uint16_t group, Rng& rng);
  // A key that is given: X25519 and X448 only, for known-answer tests.
  static Crypto<KeyExchange> from_private(std::uint16_t group, base::ByteView key);

  // The responder's side of an exchange, by the initiator's KE data: our KE data (of a KEM the ciphertext) and what
  // both have in common. Errors: bad_public_value, zero_shared.
  struct Answer {
    base::Bytes public_value;
    base::Secret shared;
  };
  static Crypto<Answer> answer(std::uint16_t group, base::ByteView peer, Rng& rng);

  // The private key, to go on with in another process: the octets of X25519 and X448, PKCS #8 of the others. And the
  // way back; `public_value` is believed.
  [[nodiscard]] Crypto<base::Secret> kept() const;
  static Crypto<KeyExchange> from_kept(std::uint16_t group, base::ByteView kept, base::Bytes public_value);

  [[nodiscard]] std::uint16_t group() const { return info_->id; }
  // The KE payload's data: u; x | y; g^x, padded to the length of p; or the encapsulation key.
  [[nodiscard]] const base::Bytes& public_value() const { return public_; }
  // g^ir, padded to the group's length (RFC 7296 2.14), by the responder's KE data; of a KEM what is in that
  // ciphertext, or noise if it is a wrong one. Errors: bad_public_value, zero_shared.
  [[nodiscard]] Crypto<base::Secret> derive(base::ByteView peer) const;

 private:
  struct Free {
    void operator()(evp_pkey_st* key) const;
  };
  using Key = std::unique_ptr<evp_pkey_st, Free>;
  KeyExchange(const GroupInfo* info, Key key) : info_(info), key_(std::move(key)) {}
  static Crypto<KeyExchange> with_public(KeyExchange made);
  static Crypto<Key> import_peer(const GroupInfo& info, base::ByteView peer);
  static Crypto<Answer> encapsulate(const GroupInfo& info, base::ByteView peer);
  [[nodiscard]] Crypto<base::Secret> decapsulate(base::ByteView ciphertext) const;

  const GroupInfo* info_;
  Key key_;
  base::Bytes public_;
};

}  // namespace espgate::ike::crypto
