// SPDX-License-Identifier: Apache-2.0
// Public and private keys for signatures: RSA of 2048 to 8192 bits, ECDSA on P-256, P-384 and P-521, Ed25519, Ed448.
#pragma once

#include <cstdint>
#include <memory>

#include "base/bytes.h"
#include "ike/crypto/error.h"

struct evp_pkey_st;

namespace espgate::ike::crypto {

enum class KeyKind : std::uint8_t { rsa, p256, p384, p521, ed25519, ed448 };

inline constexpr int kLeastRsaBits = 2048, kMostRsaBits = 8192;

using SharedKey = std::shared_ptr<evp_pkey_st>;

// A public key that was judged: of a kind and size we take, an RSA modulus and exponent odd, the point on its curve.
class PublicKey {
 public:
  // Errors: unknown_key, weak_key, bad_key.
  static Crypto<PublicKey> judge(SharedKey key);

  [[nodiscard]] KeyKind kind() const { return kind_; }
  [[nodiscard]] int bits() const;  // of an RSA modulus, an elliptic curve's order
  [[nodiscard]] evp_pkey_st* native() const { return key_.get(); }

 private:
  PublicKey(SharedKey key, KeyKind kind) : key_(std::move(key)), kind_(kind) {}
  SharedKey key_;
  KeyKind kind_;
};

class PrivateKey {
 public:
  // From a file's octets, PEM or DER, PKCS#1, SEC 1 or PKCS#8, encrypted if a passphrase is given or not. Errors:
  // bad_key, needs_passphrase, and those of PublicKey::judge().
  static Crypto<PrivateKey> load(base::ByteView file, base::ByteView passphrase);

  [[nodiscard]] KeyKind kind() const { return public_.kind(); }
  [[nodiscard]] bool belongs_to(const PublicKey& key) const;
  [[nodiscard]] evp_pkey_st* native() const { return public_.native(); }

 private:
  explicit PrivateKey(PublicKey key) : public_(std::move(key)) {}
  PublicKey public_;
};

}  // namespace espgate::ike::crypto
