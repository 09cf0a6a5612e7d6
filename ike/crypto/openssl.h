// SPDX-License-Identifier: Apache-2.0
// What the files of this folder share of OpenSSL: owners for its objects and algorithms that are fetched once.
#pragma once

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <cstdint>
#include <memory>

#include "ike/crypto/error.h"

namespace espgate::ike::crypto {

template <auto free>
struct Freed {
  template <class T>
  void operator()(T* object) const {
    free(object);
  }
};
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, Freed<EVP_CIPHER_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX_free>>;
using MacContext = std::unique_ptr<EVP_MAC_CTX, Freed<EVP_MAC_CTX_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Freed<EVP_PKEY_CTX_free>>;
using BigNumber = std::unique_ptr<BIGNUM, Freed<BN_clear_free>>;

// nullptr if OpenSSL does not have it; kept until the process ends.
EVP_MAC* fetched_hmac();
EVP_MAC* fetched_siphash();
EVP_MD* fetched_sha1();
EVP_MD* fetched_sha256();
EVP_CIPHER* fetched_cipher(std::uint16_t encr, std::size_t key_octets);  // of a transform in crypto/suite.h

// The error for whoever called OpenSSL; empties its queue, which nobody reads.
inline std::unexpected<CryptoError> fail(CryptoError error = CryptoError::library) {
  ERR_clear_error();
  return std::unexpected(error);
}

}  // namespace espgate::ike::crypto
