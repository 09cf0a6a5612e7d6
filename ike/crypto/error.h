// SPDX-License-Identifier: Apache-2.0
// Why a cryptographic operation gave nothing.
#pragma once

#include <cstdint>
#include <expected>
#include <string_view>

namespace espgate::ike::crypto {

enum class CryptoError : std::uint8_t {
  library,            // OpenSSL failed: out of memory, or an algorithm that its configuration forbids
  unknown_algorithm,  // a transform id that is not in our tables
  bad_key_length,     // a key that does not fit its cipher
  bad_public_value,   // the peer's KE data: wrong length, not on the curve, 0, 1 or p-1
  zero_shared,        // the peer's KE data leads to an all-zero shared secret (RFC 7748 6.1)
  bad_integrity,      // wrong ICV
  too_long,           // more than prf+ may give (255 blocks) or a datagram may hold
  iv_exhausted,       // all IVs of a key are spent
  bad_certificate,    // octets that are no X.509 certificate or revocation list
  unknown_key,        // a public or private key of a kind or curve that is not taken
  weak_key,           // an RSA key that is too short
  bad_key,            // a key that cannot be one: an even modulus, a silly exponent, a broken file
  needs_passphrase,   // an encrypted private key without a passphrase, or with a wrong one
  bad_signature,      // the signature is wrong
  bad_parameters,     // an AlgorithmIdentifier that is malformed or not taken
};

template <class T>
using Crypto = std::expected<T, CryptoError>;

std::string_view text(CryptoError error);

}  // namespace espgate::ike::crypto
