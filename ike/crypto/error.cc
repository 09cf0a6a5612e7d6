// SPDX-License-Identifier: Apache-2.0
#include "ike/crypto/error.h"

namespace espgate::ike::crypto {

std::string_view text(CryptoError error) {
  switch (error) {
    case CryptoError::library:
      return "OpenSSL failed";
    case CryptoError::unknown_algorithm:
      return "unknown algorithm";
    case CryptoError::bad_key_length:
      return "a key of the wrong length";
    case CryptoError::bad_public_value:
      return "an invalid public value";
    case CryptoError::zero_shared:
      return "a public value that gives an all-zero shared secret";
    case CryptoError::bad_integrity:
      return "wrong integrity checksum";
    case CryptoError::too_long:
      return "more octets than can be made";
    case CryptoError::iv_exhausted:
      return "all IVs of the key are spent";
    case CryptoError::bad_certificate:
      return "no X.509 certificate";
    case CryptoError::unknown_key:
      return "a key of a kind that is not supported";
    case CryptoError::weak_key:
      return "an RSA key that is shorter than 2048 bits";
    case CryptoError::bad_key:
      return "a key that is broken";
    case CryptoError::needs_passphrase:
      return "an encrypted private key, and no passphrase that opens it";
    case CryptoError::bad_signature:
      return "a wrong signature";
    case CryptoError::bad_parameters:
      return "a signature algorithm that is malformed or not supported";
  }
  return "unknown error";
}

}  // namespace espgate::ike::crypto
