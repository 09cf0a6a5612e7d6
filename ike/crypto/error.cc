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
  }
  return "unknown error";
}

}  // namespace espgate::ike::crypto
