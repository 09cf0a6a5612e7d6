// SPDX-License-Identifier: Apache-2.0
// Whom to believe: trust anchors with their revocation lists, and the way from a certificate to one of them (RFC 5280
// 6). Made from the configuration, never changed, nothing fetched.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ike/crypto/certificate.h"

struct x509_store_st;

namespace espgate::ike::crypto {

// What an unknown state of revocation means. A certificate that is known to be revoked is never taken.
enum class Revocation : std::uint8_t {
  relaxed,  // no list, or one that is out of date, is no obstacle
  if_uri,   // it is one for certificates that name a distribution point
  strict,   // it is one
};

class TrustStore {
 public:
  static std::shared_ptr<const TrustStore> make(std::vector<Certificate> anchors,
                                                std::span<const RevocationList> lists);

  // Whether a chain of at most ten certificates leads from `leaf` by way of `others` (untrusted) to an anchor, all of
  // them valid at that time (seconds since the epoch), with keys of 112 bits of strength and no SHA-1 or MD5. The error
  // is a sentence for the operator that names the certificate.
  [[nodiscard]] std::expected<void, std::string> verify(const Certificate& leaf, std::span<const Certificate> others,
                                                        std::int64_t at, Revocation revocation) const;
  // Every one may be an anchor, also an intermediate one.
  [[nodiscard]] const std::vector<Certificate>& anchors() const { return anchors_; }

 private:
  TrustStore() = default;
  std::vector<Certificate> anchors_;
  std::shared_ptr<x509_store_st> store_;
  bool has_lists_ = false;
};

}  // namespace espgate::ike::crypto
