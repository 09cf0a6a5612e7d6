// SPDX-License-Identifier: Apache-2.0
// Signatures of AUTH payloads: RFC 7296 3.8 (method 1), RFC 4754 (methods 9 to 11), RFC 7427 and 8420 (method 14).
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "ike/crypto/error.h"
#include "ike/crypto/pkey.h"

namespace espgate::ike::crypto {

// IANA's "IKEv2 Hash Algorithms" (RFC 7427 4, RFC 8420 2.3).
enum class HashId : std::uint16_t { sha1 = 1, sha2_256 = 2, sha2_384 = 3, sha2_512 = 4, identity = 5 };

enum class SignatureKind : std::uint8_t { rsa_pkcs1, rsa_pss, ecdsa, ed25519, ed448 };

struct Scheme {
  SignatureKind kind{};
  HashId hash = HashId::sha2_256;  // identity for ed25519 and ed448

  [[nodiscard]] bool fits(KeyKind key) const;
  [[nodiscard]] std::string text() const;  // "rsa-pss with SHA-256"
  bool operator==(const Scheme&) const = default;
};

// The octets of an AlgorithmIdentifier (RFC 7427 A), parameters included; empty for a scheme without one.
base::Bytes algorithm_identifier(const Scheme& scheme);
// And back. RSASSA-PSS: one hash for both its parts and a salt as long as it, or bad_parameters.
Crypto<Scheme> parse_algorithm(base::ByteView der);

// PKCS#1 and PSS signatures are as long as the modulus; ECDSA ones are DER (Ecdsa-Sig-Value).
Crypto<base::Bytes> sign(const PrivateKey& key, const Scheme& scheme, base::ByteView octets);
// Errors: bad_signature; unknown_key if the scheme is not one for this key.
Crypto<void> verify(const PublicKey& key, const Scheme& scheme, base::ByteView octets, base::ByteView signature);

// r | s of RFC 4754 7, each as long as the group's order, from and to Ecdsa-Sig-Value.
Crypto<base::Bytes> raw_ecdsa(KeyKind key, base::ByteView der);
Crypto<base::Bytes> der_ecdsa(KeyKind key, base::ByteView raw);

}  // namespace espgate::ike::crypto
