// SPDX-License-Identifier: Apache-2.0
#include "ike/crypto/pkey.h"

#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string_view>

#include "ike/crypto/openssl.h"

namespace espgate::ike::crypto {

namespace {
constexpr int kMostExponentBits = 64;
using Bio = std::unique_ptr<BIO, Freed<BIO_free>>;

BigNumber number_of(const EVP_PKEY* key, const char* name) {
  BIGNUM* raw = nullptr;
  if (EVP_PKEY_get_bn_param(key, name, &raw) != 1) return nullptr;
  return BigNumber(raw);
}

// An even modulus is no product of two large primes, and arithmetic modulo one goes astray; an even exponent or 1 is
// no exponent, and a long one only makes us work.
Crypto<KeyKind> judge_rsa(const EVP_PKEY* key) {
  const auto n = number_of(key, OSSL_PKEY_PARAM_RSA_N);
  const auto e = number_of(key, OSSL_PKEY_PARAM_RSA_E);
  if (n == nullptr || e == nullptr) return fail(CryptoError::bad_key);
  if (BN_num_bits(n.get()) < kLeastRsaBits) return fail(CryptoError::weak_key);
  if (BN_num_bits(n.get()) > kMostRsaBits || BN_is_odd(n.get()) == 0) return fail(CryptoError::bad_key);
  if (BN_is_odd(e.get()) == 0 || BN_is_one(e.get()) != 0) return fail(CryptoError::bad_key);
  if (BN_num_bits(e.get()) > kMostExponentBits) return fail(CryptoError::bad_key);
  return KeyKind::rsa;
}

Crypto<KeyKind> judge_ec(EVP_PKEY* key) {
  std::array<char, 32> name{};
  std::size_t length = 0;
  if (EVP_PKEY_get_group_name(key, name.data(), name.size(), &length) != 1) return fail(CryptoError::unknown_key);
  std::optional<KeyKind> kind;
  if (std::string_view(name.data(), length) == "prime256v1") kind = KeyKind::p256;
  if (std::string_view(name.data(), length) == "secp384r1") kind = KeyKind::p384;
  if (std::string_view(name.data(), length) == "secp521r1") kind = KeyKind::p521;
  if (!kind) return fail(CryptoError::unknown_key);
  const KeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
  if (context == nullptr || EVP_PKEY_public_check_quick(context.get()) != 1) return fail(CryptoError::bad_key);
  return *kind;
}

// Hands OpenSSL the passphrase; -1 tells it that there is none, so that it does not ask on the terminal.
int give_passphrase(char* into, int room, int /*writing*/, void* from) {
  const auto& passphrase = *static_cast<const base::ByteView*>(from);
  if (passphrase.empty() || passphrase.size() > static_cast<std::size_t>(room)) return -1;
  std::memcpy(into, passphrase.data(), passphrase.size());
  return static_cast<int>(passphrase.size());
}

bool mentions(base::ByteView file, std::string_view word) {
  return base::as_text(file).find(word) != std::string_view::npos;
}

EVP_PKEY* read_der(base::ByteView file, base::ByteView& passphrase) {
  const auto size = static_cast<long>(file.size());
  const unsigned char* at = file.data();
  if (EVP_PKEY* key = d2i_AutoPrivateKey_ex(nullptr, &at, size, nullptr, nullptr)) return key;
  const Bio bio(BIO_new_mem_buf(file.data(), static_cast<int>(file.size())));
  return bio != nullptr ? d2i_PKCS8PrivateKey_bio(bio.get(), nullptr, give_passphrase, &passphrase) : nullptr;
}

EVP_PKEY* read_pem(base::ByteView file, base::ByteView& passphrase) {
  const Bio bio(BIO_new_mem_buf(file.data(), static_cast<int>(file.size())));
  return bio != nullptr ? PEM_read_bio_PrivateKey(bio.get(), nullptr, give_passphrase, &passphrase) : nullptr;
}

// EncryptedPrivateKeyInfo (RFC 5208 6).
bool encrypted_der(base::ByteView file) {
  const unsigned char* at = file.data();
  X509_SIG* const found = d2i_X509_SIG(nullptr, &at, static_cast<long>(file.size()));
  X509_SIG_free(found);
  return found != nullptr;
}
}  // namespace

Crypto<PublicKey> PublicKey::judge(SharedKey key) {
  if (key == nullptr) return fail(CryptoError::unknown_key);
  Crypto<KeyKind> kind = std::unexpected(CryptoError::unknown_key);
  if (EVP_PKEY_is_a(key.get(), "RSA") == 1) kind = judge_rsa(key.get());
  if (EVP_PKEY_is_a(key.get(), "EC") == 1) kind = judge_ec(key.get());
  if (EVP_PKEY_is_a(key.get(), "ED25519") == 1) kind = KeyKind::ed25519;
  if (EVP_PKEY_is_a(key.get(), "ED448") == 1) kind = KeyKind::ed448;
  if (!kind) return fail(kind.error());
  return PublicKey(std::move(key), *kind);
}

int PublicKey::bits() const { return EVP_PKEY_get_bits(key_.get()); }

Crypto<PrivateKey> PrivateKey::load(base::ByteView file, base::ByteView passphrase) {
  constexpr std::size_t kMostOctets = 65536;
  if (file.empty() || file.size() > kMostOctets) return fail(CryptoError::bad_key);
  const bool pem = mentions(file, "-----BEGIN");
  SharedKey key(pem ? read_pem(file, passphrase) : read_der(file, passphrase), EVP_PKEY_free);
  if (key == nullptr) {
    const bool encrypted = pem ? mentions(file, "ENCRYPTED") : encrypted_der(file);
    return fail(encrypted ? CryptoError::needs_passphrase : CryptoError::bad_key);
  }
  auto judged = PublicKey::judge(std::move(key));
  if (!judged) return std::unexpected(judged.error());
  ERR_clear_error();
  return PrivateKey(std::move(*judged));
}

bool PrivateKey::belongs_to(const PublicKey& key) const {
  const bool same = kind() == key.kind() && EVP_PKEY_eq(native(), key.native()) == 1;
  ERR_clear_error();
  return same;
}

}  // namespace espgate::ike::crypto
