// SPDX-License-Identifier: Apache-2.0
#include "ike/crypto/certificate.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <ctime>
#include <string_view>

#include "ike/crypto/openssl.h"

namespace espgate::ike::crypto {

namespace {
using Bio = std::unique_ptr<BIO, Freed<BIO_free>>;
using Names = std::unique_ptr<GENERAL_NAMES, Freed<GENERAL_NAMES_free>>;

Identity dn_of(const X509_NAME* name) {
  Identity out{IdType::dn, {}};
  const unsigned char* der = nullptr;
  std::size_t length = 0;
  // Older headers want a name that may be changed; nothing changes it.
  if (name != nullptr && X509_NAME_get0_der(const_cast<X509_NAME*>(name), &der, &length) == 1 && length > 2) {
    out.data.assign(der, der + length);
  }
  return out;
}

base::ByteView octets_of(const ASN1_STRING* text) {
  return {ASN1_STRING_get0_data(text), static_cast<std::size_t>(ASN1_STRING_length(text))};
}

Identity identity_of(const GENERAL_NAME* name) {
  int type = 0;
  const void* value = GENERAL_NAME_get0_value(name, &type);
  if (type == GEN_DIRNAME) return dn_of(static_cast<const X509_NAME*>(value));
  if (type != GEN_DNS && type != GEN_EMAIL && type != GEN_IPADD) return {};
  const auto octets = octets_of(static_cast<const ASN1_STRING*>(value));
  if (type == GEN_IPADD) {
    const auto address = base::Address::from_octets(octets);
    return address ? Identity::of(*address) : Identity{};
  }
  return {type == GEN_DNS ? IdType::fqdn : IdType::email, {octets.begin(), octets.end()}};
}

// No subjectAltName, or one that is broken or there twice: none.
std::vector<Identity> alternative_names(const X509* x509) {
  std::vector<Identity> out;
  const Names names(static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(x509, NID_subject_alt_name, nullptr, nullptr)));
  ERR_clear_error();
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    out.push_back(identity_of(sk_GENERAL_NAME_value(names.get(), i)));
  }
  return out;
}

bool pem(base::ByteView octets) { return base::as_text(octets).find("-----BEGIN") != std::string_view::npos; }

std::int64_t epoch(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return 0;
  return ::timegm(&parts);
}

bool same_name(const Identity& one, const Identity& shown) {
  // admits() compares names without case and distinguished names without regard to their string types; what is a
  // wildcard there is none in a certificate.
  return one.type != IdType::any && !one.pattern() && !one.data.empty() && one.admits(shown);
}
}  // namespace

Certificate::Certificate(std::shared_ptr<x509_st> x509) : x509_(std::move(x509)) {
  const int length = i2d_X509(x509_.get(), nullptr);
  base::Bytes der(length > 0 ? static_cast<std::size_t>(length) : 0);
  unsigned char* into = der.data();
  if (length > 0) i2d_X509(x509_.get(), &into);
  der_ = std::make_shared<const base::Bytes>(std::move(der));
}

Crypto<Certificate> Certificate::from_der(base::ByteView der) {
  if (der.empty() || der.size() > kMostCertificateOctets) return fail(CryptoError::bad_certificate);
  const unsigned char* at = der.data();
  std::shared_ptr<X509> x509(d2i_X509(nullptr, &at, static_cast<long>(der.size())), X509_free);
  if (x509 == nullptr || at != der.data() + der.size()) return fail(CryptoError::bad_certificate);
  // Version 1 has no extensions and 3 all of them; broken ones spoil it (EXFLAG_INVALID is set by this call).
  if ((X509_get_extension_flags(x509.get()) & EXFLAG_INVALID) != 0) return fail(CryptoError::bad_certificate);
  ERR_clear_error();
  return Certificate(std::move(x509));
}

Crypto<std::vector<Certificate>> Certificate::from_file(base::ByteView octets) {
  std::vector<Certificate> out;
  if (!pem(octets)) {
    auto one = from_der(octets);
    if (!one) return std::unexpected(one.error());
    out.push_back(std::move(*one));
    return out;
  }
  const Bio bio(BIO_new_mem_buf(octets.data(), static_cast<int>(octets.size())));
  while (bio != nullptr) {
    std::shared_ptr<X509> x509(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr), X509_free);
    if (x509 == nullptr) {
      const bool end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
      ERR_clear_error();
      if (end) break;
      return fail(CryptoError::bad_certificate);
    }
    auto one = from_der(Certificate(std::move(x509)).der());
    if (!one) return std::unexpected(one.error());
    out.push_back(std::move(*one));
  }
  if (out.empty()) return fail(CryptoError::bad_certificate);
  return out;
}

Identity Certificate::subject() const { return dn_of(X509_get_subject_name(x509_.get())); }
Identity Certificate::issuer() const { return dn_of(X509_get_issuer_name(x509_.get())); }

bool Certificate::proves(const Identity& identity) const {
  if (identity.type == IdType::any || identity.data.empty()) return false;
  if (identity.type == IdType::key_id) {
    const auto* const id = X509_get0_subject_key_id(x509_.get());
    return std::ranges::equal(identity.data, key_hash()) ||
           (id != nullptr && std::ranges::equal(identity.data, octets_of(id)));
  }
  if (same_name(subject(), identity)) return true;
  return std::ranges::any_of(alternative_names(x509_.get()),
                             [&](const Identity& name) { return same_name(name, identity); });
}

Crypto<PublicKey> Certificate::key() const {
  SharedKey key(X509_get_pubkey(x509_.get()), EVP_PKEY_free);
  return PublicKey::judge(std::move(key));
}

KeyHash Certificate::key_hash() const {
  KeyHash out{};
  unsigned char* der = nullptr;
  const int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x509_.get()), &der);
  if (length > 0) EVP_Digest(der, static_cast<std::size_t>(length), out.data(), nullptr, fetched_sha1(), nullptr);
  OPENSSL_free(der);
  return out;
}

bool Certificate::ca() const { return X509_check_ca(x509_.get()) == 1; }

bool Certificate::self_issued() const { return (X509_get_extension_flags(x509_.get()) & EXFLAG_SI) != 0; }

bool Certificate::may_sign() const {
  // All bits are set if the extension is absent.
  return (X509_get_key_usage(x509_.get()) & (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION)) != 0;
}

std::int64_t Certificate::not_before() const { return epoch(X509_get0_notBefore(x509_.get())); }
std::int64_t Certificate::not_after() const { return epoch(X509_get0_notAfter(x509_.get())); }

Crypto<RevocationList> RevocationList::from_file(base::ByteView octets) {
  std::shared_ptr<X509_CRL> crl;
  if (pem(octets)) {
    const Bio bio(BIO_new_mem_buf(octets.data(), static_cast<int>(octets.size())));
    if (bio != nullptr) crl.reset(PEM_read_bio_X509_CRL(bio.get(), nullptr, nullptr, nullptr), X509_CRL_free);
  } else if (!octets.empty()) {
    const unsigned char* at = octets.data();
    crl.reset(d2i_X509_CRL(nullptr, &at, static_cast<long>(octets.size())), X509_CRL_free);
  }
  if (crl == nullptr) return fail(CryptoError::bad_certificate);
  ERR_clear_error();
  return RevocationList(std::move(crl));
}

Identity RevocationList::issuer() const { return dn_of(X509_CRL_get_issuer(crl_.get())); }

}  // namespace espgate::ike::crypto
