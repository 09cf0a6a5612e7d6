// SPDX-License-Identifier: Apache-2.0
#include "ike/crypto/key_files.h"

#include <openssl/pem.h>
#include <openssl/x509.h>

#include <string_view>
#include <utility>

#include "ike/crypto/openssl.h"

namespace espgate::ike::crypto {
namespace {

using Bio = std::unique_ptr<BIO, Freed<BIO_free>>;

base::Bytes taken(unsigned char* raw, int length) {
  base::Bytes out;
  if (length > 0) out.assign(raw, raw + length);
  OPENSSL_free(raw);
  ERR_clear_error();
  return out;
}

KeyId id_of(EVP_PKEY* key) {
  KeyId out{};
  X509_PUBKEY* info = nullptr;
  const unsigned char* bits = nullptr;
  int length = 0;
  if (X509_PUBKEY_set(&info, key) == 1 && X509_PUBKEY_get0_param(nullptr, &bits, &length, nullptr, info) == 1) {
    EVP_Digest(bits, static_cast<std::size_t>(length), out.data(), nullptr, fetched_sha1(), nullptr);
  }
  X509_PUBKEY_free(info);
  return out;
}

}  // namespace

Crypto<PublicKey> read_public_key(base::ByteView file) {
  SharedKey key;
  if (base::as_text(file).find("-----BEGIN") != std::string_view::npos) {
    const Bio bio(BIO_new_mem_buf(file.data(), static_cast<int>(file.size())));
    if (bio != nullptr) key.reset(PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
  } else if (!file.empty()) {
    const unsigned char* at = file.data();
    key.reset(d2i_PUBKEY(nullptr, &at, static_cast<long>(file.size())), EVP_PKEY_free);
  }
  if (key == nullptr) return fail(CryptoError::bad_key);
  return PublicKey::judge(std::move(key));
}

base::Bytes der_of(const PublicKey& key) {
  unsigned char* raw = nullptr;
  const int length = i2d_PUBKEY(key.native(), &raw);
  return taken(raw, length);
}

base::Bytes der_of(const RevocationList& list) {
  unsigned char* raw = nullptr;
  const int length = i2d_X509_CRL(list.native(), &raw);
  return taken(raw, length);
}

KeyId id_of(const PublicKey& key) { return id_of(key.native()); }
KeyId id_of(const PrivateKey& key) { return id_of(key.native()); }

}  // namespace espgate::ike::crypto
