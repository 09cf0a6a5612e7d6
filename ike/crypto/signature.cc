// SPDX-License-Identifier: Apache-2.0
#include "ike/crypto/signature.h"

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/rsa.h>

#include "ike/crypto/openssl.h"

namespace espgate::ike::crypto {

namespace {
using EcdsaSignature = std::unique_ptr<ECDSA_SIG, Freed<ECDSA_SIG_free>>;

const char* digest_of(HashId hash) {
  switch (hash) {
    case HashId::sha1:
      return "SHA1";
    case HashId::sha2_256:
      return "SHA256";
    case HashId::sha2_384:
      return "SHA384";
    case HashId::sha2_512:
      return "SHA512";
    case HashId::identity:
      return nullptr;
  }
  return nullptr;
}

bool rsa(const Scheme& scheme) {
  return scheme.kind == SignatureKind::rsa_pkcs1 || scheme.kind == SignatureKind::rsa_pss;
}

// PSS: MGF1 with the same hash (OpenSSL's default) and a salt as long as the hash.
bool set_padding(EVP_PKEY_CTX* context, const Scheme& scheme) {
  if (!rsa(scheme)) return true;
  if (scheme.kind == SignatureKind::rsa_pkcs1) return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) > 0;
  return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) > 0 &&
         EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) > 0;
}

// As long as the modulus and less than it (RFC 8017 8.1.2, 8.2.2).
bool below_modulus(const PublicKey& key, base::ByteView signature) {
  BIGNUM* raw = nullptr;
  if (EVP_PKEY_get_bn_param(key.native(), OSSL_PKEY_PARAM_RSA_N, &raw) != 1) return false;
  const BigNumber modulus(raw);
  const BigNumber number(BN_bin2bn(signature.data(), static_cast<int>(signature.size()), nullptr));
  return number != nullptr && signature.size() == static_cast<std::size_t>(BN_num_bytes(modulus.get())) &&
         BN_cmp(number.get(), modulus.get()) < 0;
}

std::size_t order_octets(KeyKind key) {
  switch (key) {
    case KeyKind::p256:
      return 32;
    case KeyKind::p384:
      return 48;
    case KeyKind::p521:
      return 66;
    default:
      return 0;
  }
}
}  // namespace

bool Scheme::fits(KeyKind key) const {
  switch (kind) {
    case SignatureKind::rsa_pkcs1:
    case SignatureKind::rsa_pss:
      return key == KeyKind::rsa && hash != HashId::identity;
    case SignatureKind::ecdsa:
      return order_octets(key) != 0 && hash != HashId::identity;
    case SignatureKind::ed25519:
      return key == KeyKind::ed25519 && hash == HashId::identity;
    case SignatureKind::ed448:
      return key == KeyKind::ed448 && hash == HashId::identity;
  }
  return false;
}

std::string Scheme::text() const {
  std::string out;
  switch (kind) {
    case SignatureKind::rsa_pkcs1:
      out = "RSA";
      break;
    case SignatureKind::rsa_pss:
      out = "RSA-PSS";
      break;
    case SignatureKind::ecdsa:
      out = "ECDSA";
      break;
    case SignatureKind::ed25519:
      return "Ed25519";
    case SignatureKind::ed448:
      return "Ed448";
  }
  const char* digest = digest_of(hash);
  return out + " with " + (digest != nullptr ? digest : "no hash");
}

Crypto<base::Bytes> sign(const PrivateKey& key, const Scheme& scheme, base::ByteView octets) {
  if (!scheme.fits(key.kind())) return fail(CryptoError::unknown_key);
  const DigestContext context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* parameters = nullptr;
  if (context == nullptr || EVP_DigestSignInit_ex(context.get(), &parameters, digest_of(scheme.hash), nullptr, nullptr,
                                                  key.native(), nullptr) != 1) {
    return fail();
  }
  std::size_t length = 0;
  if (!set_padding(parameters, scheme) ||
      EVP_DigestSign(context.get(), nullptr, &length, octets.data(), octets.size()) != 1) {
    return fail();
  }
  base::Bytes out(length);
  if (EVP_DigestSign(context.get(), out.data(), &length, octets.data(), octets.size()) != 1) return fail();
  out.resize(length);
  return out;
}

Crypto<void> verify(const PublicKey& key, const Scheme& scheme, base::ByteView octets, base::ByteView signature) {
  if (!scheme.fits(key.kind())) return fail(CryptoError::unknown_key);
  if (rsa(scheme) && !below_modulus(key, signature)) return fail(CryptoError::bad_signature);
  const DigestContext context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* parameters = nullptr;
  if (context == nullptr || EVP_DigestVerifyInit_ex(context.get(), &parameters, digest_of(scheme.hash), nullptr,
                                                    nullptr, key.native(), nullptr) != 1) {
    return fail();
  }
  if (!set_padding(parameters, scheme)) return fail();
  if (EVP_DigestVerify(context.get(), signature.data(), signature.size(), octets.data(), octets.size()) != 1) {
    return fail(CryptoError::bad_signature);
  }
  return {};
}

Crypto<base::Bytes> raw_ecdsa(KeyKind key, base::ByteView der) {
  const auto half = order_octets(key);
  if (half == 0) return fail(CryptoError::unknown_key);
  const unsigned char* at = der.data();
  const EcdsaSignature both(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
  if (both == nullptr) return fail(CryptoError::bad_signature);
  base::Bytes out(2 * half);
  const auto width = static_cast<int>(half);
  if (BN_bn2binpad(ECDSA_SIG_get0_r(both.get()), out.data(), width) != width ||
      BN_bn2binpad(ECDSA_SIG_get0_s(both.get()), out.data() + half, width) != width) {
    return fail(CryptoError::bad_signature);
  }
  return out;
}

Crypto<base::Bytes> der_ecdsa(KeyKind key, base::ByteView raw) {
  const auto half = order_octets(key);
  if (half == 0) return fail(CryptoError::unknown_key);
  if (raw.size() != 2 * half) return fail(CryptoError::bad_signature);
  const auto width = static_cast<int>(half);
  BigNumber r(BN_bin2bn(raw.data(), width, nullptr));
  BigNumber s(BN_bin2bn(raw.data() + half, width, nullptr));
  const EcdsaSignature both(ECDSA_SIG_new());
  if (r == nullptr || s == nullptr || both == nullptr) return fail();
  ECDSA_SIG_set0(both.get(), r.release(), s.release());
  const int length = i2d_ECDSA_SIG(both.get(), nullptr);
  if (length <= 0) return fail();
  base::Bytes out(static_cast<std::size_t>(length));
  unsigned char* into = out.data();
  if (i2d_ECDSA_SIG(both.get(), &into) != length) return fail();
  return out;
}

}  // namespace espgate::ike::crypto
