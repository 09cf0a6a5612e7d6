// SPDX-License-Identifier: Apache-2.0
#include "tests/pki/pki.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <array>
#include <map>
#include <stdexcept>
#include <tuple>

#include "ike/identity.h"

namespace espgate::pki {

namespace {
void check(bool good, const char* what) {
  if (!good) throw std::runtime_error(std::string("pki: ") + what);
}

Key owned(EVP_PKEY* key) {
  check(key != nullptr, "key");
  return {key, EVP_PKEY_free};
}

template <class Make>
Key cached(const std::string& kind, int number, Make make) {
  static std::map<std::pair<std::string, int>, Key> keys;
  auto& key = keys[{kind, number}];
  if (!key) key = owned(make());
  return key;
}

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long length = BIO_get_mem_data(bio, &data);
  std::string out(data, static_cast<std::size_t>(length));
  BIO_free(bio);
  return out;
}

X509_NAME* name_of(const std::string& dn) {
  if (dn.empty()) return X509_NAME_new();
  const auto id = ike::Identity::parse("dn:" + dn);
  check(id.has_value(), "subject");
  const unsigned char* at = id->data.data();
  X509_NAME* name = d2i_X509_NAME(nullptr, &at, static_cast<long>(id->data.size()));
  check(name != nullptr, "name");
  return name;
}

void extend(X509* cert, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, cert, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  check(extension != nullptr, value.c_str());
  check(X509_add_ext(cert, extension, -1) == 1, "extension");
  X509_EXTENSION_free(extension);
}

const EVP_MD* digest_for(const Key& key, const std::string& digest) {
  if (EVP_PKEY_is_a(key.get(), "ED25519") == 1 || EVP_PKEY_is_a(key.get(), "ED448") == 1) return nullptr;
  return EVP_get_digestbyname(digest.c_str());
}

ike::crypto::Certificate wrap(X509* cert) {
  unsigned char* der = nullptr;
  const int length = i2d_X509(cert, &der);
  check(length > 0, "certificate");
  auto out = ike::crypto::Certificate::from_der({der, static_cast<std::size_t>(length)});
  OPENSSL_free(der);
  X509_free(cert);
  check(out.has_value(), "certificate is not read back");
  return *out;
}

// `issuer` nullptr: signs itself.
ike::crypto::Certificate make(const Wish& wish, const Key& key, X509* issuer, const Key& signer) {
  static std::int64_t last_serial = 1000;
  X509* cert = X509_new();
  X509_set_version(cert, X509_VERSION_3);
  ASN1_INTEGER_set_int64(X509_get_serialNumber(cert), wish.serial != 0 ? wish.serial : ++last_serial);
  X509_NAME* subject = name_of(wish.subject);
  X509_set_subject_name(cert, subject);
  X509_set_issuer_name(cert, issuer != nullptr ? X509_get_subject_name(issuer) : subject);
  X509_NAME_free(subject);
  ASN1_TIME_set(X509_getm_notBefore(cert), wish.from);
  ASN1_TIME_set(X509_getm_notAfter(cert), wish.until);
  check(X509_set_pubkey(cert, key.get()) == 1, "public key");
  X509* above = issuer != nullptr ? issuer : cert;
  if (wish.ca) extend(cert, above, NID_basic_constraints, "critical,CA:TRUE");
  extend(cert, above, NID_subject_key_identifier, "hash");
  std::string names;
  for (const auto& name : wish.names) names += (names.empty() ? "" : ",") + name;
  if (!names.empty()) extend(cert, above, NID_subject_alt_name, names);
  if (!wish.key_usage.empty()) extend(cert, above, NID_key_usage, "critical," + wish.key_usage);
  if (!wish.crl_uri.empty()) extend(cert, above, NID_crl_distribution_points, "URI:" + wish.crl_uri);
  check(X509_sign(cert, signer.get(), digest_for(signer, wish.digest)) > 0, "signature");
  return wrap(cert);
}
}  // namespace

Key rsa(int number, int bits) {
  return cached("rsa" + std::to_string(bits), number, [&] { return EVP_RSA_gen(static_cast<unsigned>(bits)); });
}

Key ec(const std::string& curve, int number) {
  return cached(curve, number, [&] { return EVP_EC_gen(curve.c_str()); });
}

Key ed25519(int number) {
  return cached("ed25519", number, [] { return EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"); });
}

Key ed448() {
  return cached("ed448", 0, [] { return EVP_PKEY_Q_keygen(nullptr, nullptr, "ED448"); });
}

ike::crypto::PublicKey public_key(const Key& key) {
  auto out = ike::crypto::PublicKey::judge(key);
  check(out.has_value(), "a key that is not taken");
  return *out;
}

base::Bytes key_der(const Key& key) {
  unsigned char* der = nullptr;
  const int length = i2d_PrivateKey(key.get(), &der);
  check(length > 0, "private key");
  base::Bytes out(der, der + length);
  OPENSSL_free(der);
  return out;
}

std::shared_ptr<const ike::crypto::PrivateKey> private_key(const Key& key) {
  auto out = ike::crypto::PrivateKey::load(key_der(key), {});
  check(out.has_value(), "a private key that is not taken");
  return std::make_shared<const ike::crypto::PrivateKey>(std::move(*out));
}

std::string key_pem(const Key& key, const std::string& passphrase) {
  BIO* bio = BIO_new(BIO_s_mem());
  const bool locked = !passphrase.empty();
  check(PEM_write_bio_PKCS8PrivateKey(bio, key.get(), locked ? EVP_aes_128_cbc() : nullptr,
                                      locked ? passphrase.c_str() : nullptr, static_cast<int>(passphrase.size()),
                                      nullptr, nullptr) == 1,
        "private key");
  return text_of(bio);
}

Entity self_signed(const Wish& wish, const Key& key) { return {key, make(wish, key, nullptr, key)}; }

Entity issue(const Entity& issuer, const Wish& wish, const Key& key) {
  return {key, make(wish, key, issuer.cert.native(), issuer.key)};
}

std::string pem(const ike::crypto::Certificate& cert) {
  BIO* bio = BIO_new(BIO_s_mem());
  check(PEM_write_bio_X509(bio, cert.native()) == 1, "certificate");
  return text_of(bio);
}

ike::crypto::RevocationList revoke(const Entity& issuer, const std::vector<std::int64_t>& serials,
                                   std::int64_t next_update) {
  X509_CRL* crl = X509_CRL_new();
  X509_CRL_set_version(crl, X509_CRL_VERSION_2);
  X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer.cert.native()));
  ASN1_TIME* time = ASN1_TIME_set(nullptr, 0);
  X509_CRL_set1_lastUpdate(crl, time);
  ASN1_TIME_set(time, next_update);
  X509_CRL_set1_nextUpdate(crl, time);
  ASN1_TIME_set(time, 0);
  for (const auto serial : serials) {
    X509_REVOKED* entry = X509_REVOKED_new();
    ASN1_INTEGER* number = ASN1_INTEGER_new();
    ASN1_INTEGER_set_int64(number, serial);
    X509_REVOKED_set_serialNumber(entry, number);
    X509_REVOKED_set_revocationDate(entry, time);
    X509_CRL_add0_revoked(crl, entry);
    ASN1_INTEGER_free(number);
  }
  ASN1_TIME_free(time);
  X509_CRL_sort(crl);
  check(X509_CRL_sign(crl, issuer.key.get(), digest_for(issuer.key, "SHA256")) > 0, "list");
  BIO* bio = BIO_new(BIO_s_mem());
  check(PEM_write_bio_X509_CRL(bio, crl) == 1, "list");
  X509_CRL_free(crl);
  auto out = ike::crypto::RevocationList::from_file(base::as_bytes(text_of(bio)));
  check(out.has_value(), "list is not read back");
  return *out;
}

std::string crl_pem(const ike::crypto::RevocationList& list) {
  BIO* bio = BIO_new(BIO_s_mem());
  check(PEM_write_bio_X509_CRL(bio, list.native()) == 1, "list");
  return text_of(bio);
}

Key strange_rsa(const std::string& modulus_hex, const std::string& exponent_hex) {
  BIGNUM* n = nullptr;
  BIGNUM* e = nullptr;
  check(BN_hex2bn(&n, modulus_hex.c_str()) > 0 && BN_hex2bn(&e, exponent_hex.c_str()) > 0, "number");
  OSSL_PARAM_BLD* build = OSSL_PARAM_BLD_new();
  OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n);
  OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e);
  OSSL_PARAM* params = OSSL_PARAM_BLD_to_param(build);
  EVP_PKEY_CTX* context = EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr);
  EVP_PKEY* key = nullptr;
  check(EVP_PKEY_fromdata_init(context) == 1 && EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) == 1,
        "strange key");
  EVP_PKEY_CTX_free(context);
  OSSL_PARAM_free(params);
  OSSL_PARAM_BLD_free(build);
  BN_free(n);
  BN_free(e);
  return owned(key);
}

base::Bytes modulus(const Key& key) {
  BIGNUM* n = nullptr;
  check(EVP_PKEY_get_bn_param(key.get(), OSSL_PKEY_PARAM_RSA_N, &n) == 1, "modulus");
  base::Bytes out(static_cast<std::size_t>(BN_num_bytes(n)));
  BN_bn2bin(n, out.data());
  BN_free(n);
  return out;
}

base::Bytes raw_rsa(const Key& key, base::ByteView encoded) {
  EVP_PKEY_CTX* context = EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr);
  std::size_t length = encoded.size();
  base::Bytes out(length);
  check(EVP_PKEY_sign_init(context) == 1 && EVP_PKEY_CTX_set_rsa_padding(context, RSA_NO_PADDING) == 1 &&
            EVP_PKEY_sign(context, out.data(), &length, encoded.data(), encoded.size()) == 1,
        "raw RSA");
  EVP_PKEY_CTX_free(context);
  return out;
}

base::Bytes pkcs1_block(base::ByteView octets, std::size_t padding, const base::Bytes& tail, std::uint8_t type,
                        std::uint8_t fill) {
  auto info = *base::from_hex("3031300d060960864801650304020105000420");
  std::array<std::uint8_t, 32> digest{};
  check(EVP_Digest(octets.data(), octets.size(), digest.data(), nullptr, EVP_sha256(), nullptr) == 1, "digest");
  info.insert(info.end(), digest.begin(), digest.end());
  base::Bytes out{0, type};
  out.insert(out.end(), padding, fill);
  out.push_back(0);
  out.insert(out.end(), info.begin(), info.end());
  out.insert(out.end(), tail.begin(), tail.end());
  return out;
}

}  // namespace espgate::pki
