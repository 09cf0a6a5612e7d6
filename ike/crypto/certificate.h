// SPDX-License-Identifier: Apache-2.0
// X.509 certificates and revocation lists (RFC 5280), read by OpenSSL; which identities a certificate proves.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "ike/crypto/error.h"
#include "ike/crypto/pkey.h"
#include "ike/identity.h"

struct x509_st;
struct X509_crl_st;

namespace espgate::ike::crypto {

inline constexpr std::size_t kMostCertificateOctets = 16384;
using KeyHash = std::array<std::uint8_t, 20>;  // SHA-1 of a SubjectPublicKeyInfo, as CERTREQ has it (RFC 7296 3.7)

// Cheap to copy.
class Certificate {
 public:
  // One certificate, nothing behind it. Parsed and no more: not a word of it is believed before TrustStore::verify().
  static Crypto<Certificate> from_der(base::ByteView der);
  // All of a PEM file, or the one of a DER file; bad_certificate if there is none, or one that is broken.
  static Crypto<std::vector<Certificate>> from_file(base::ByteView octets);

  [[nodiscard]] const base::Bytes& der() const { return *der_; }
  [[nodiscard]] Identity subject() const;  // a distinguished name; empty data if the certificate has none
  [[nodiscard]] Identity issuer() const;
  // Whether the identity stands in it: the subject, a subjectAltName, or as key id the subjectKeyIdentifier or the hash
  // of its key. Names are compared whole and without case; patterns prove nothing.
  [[nodiscard]] bool proves(const Identity& identity) const;

  [[nodiscard]] Crypto<PublicKey> key() const;
  [[nodiscard]] KeyHash key_hash() const;
  [[nodiscard]] bool ca() const;           // basicConstraints says so
  [[nodiscard]] bool self_issued() const;  // subject and issuer are the same
  [[nodiscard]] bool may_sign()
      const;  // keyUsage is absent or has digitalSignature or nonRepudiation (RFC 4945 5.1.3.2)
  [[nodiscard]] std::int64_t not_before() const;  // seconds since the epoch
  [[nodiscard]] std::int64_t not_after() const;

  [[nodiscard]] x509_st* native() const { return x509_.get(); }
  bool operator==(const Certificate& other) const { return der() == other.der(); }

 private:
  explicit Certificate(std::shared_ptr<x509_st> x509);
  std::shared_ptr<x509_st> x509_;
  std::shared_ptr<const base::Bytes> der_;
};

class RevocationList {
 public:
  // PEM or DER.
  static Crypto<RevocationList> from_file(base::ByteView octets);

  [[nodiscard]] Identity issuer() const;
  [[nodiscard]] X509_crl_st* native() const { return crl_.get(); }

 private:
  explicit RevocationList(std::shared_ptr<X509_crl_st> crl) : crl_(std::move(crl)) {}
  std::shared_ptr<X509_crl_st> crl_;
};

}  // namespace espgate::ike::crypto
