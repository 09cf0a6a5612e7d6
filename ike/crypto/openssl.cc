// SPDX-License-Identifier: Apache-2.0
#include "ike/crypto/openssl.h"

#include <array>

#include "ike/crypto/suite.h"

namespace espgate::ike::crypto {

EVP_MAC* fetched_hmac() {
  static EVP_MAC* const mac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  return mac;
}

EVP_MAC* fetched_siphash() {
  static EVP_MAC* const mac = EVP_MAC_fetch(nullptr, "SIPHASH", nullptr);
  return mac;
}

EVP_MD* fetched_sha1() {
  static EVP_MD* const digest = EVP_MD_fetch(nullptr, "SHA1", nullptr);
  return digest;
}

EVP_MD* fetched_sha256() {
  static EVP_MD* const digest = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return digest;
}

EVP_CIPHER* fetched_cipher(std::uint16_t encr, std::size_t key_octets) {
  static EVP_CIPHER* const chacha = EVP_CIPHER_fetch(nullptr, "ChaCha20-Poly1305", nullptr);
  static const auto ciphers = [] {
    std::array<EVP_CIPHER*, 6> out{};
    const std::array names{"AES-128-CBC", "AES-192-CBC", "AES-256-CBC", "AES-128-GCM", "AES-192-GCM", "AES-256-GCM"};
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = EVP_CIPHER_fetch(nullptr, names[i], nullptr);
    return out;
  }();
  if (encr == kEncrChaCha20Poly1305) return key_octets == 32 ? chacha : nullptr;
  if (key_octets != 16 && key_octets != 24 && key_octets != 32) return nullptr;
  return ciphers[(encr == kEncrAesGcm16 ? 3 : 0) + key_octets / 8 - 2];
}

}  // namespace espgate::ike::crypto
