// SPDX-License-Identifier: Apache-2.0
// Certificates, keys and revocation lists that are there to be used, wherever they came from.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "ike/crypto/certificate.h"
#include "ike/crypto/pkey.h"

namespace espgate::control {

// What a certificate or key that is not there means to a connection that needs it.
enum class Lack : std::uint8_t {
  error,    // a configuration is taken whole or not at all
  warning,  // it may come later, over vici: the connection fails until then
};

struct CredentialSet {
  std::vector<ike::crypto::Certificate> own, cas;   // end entities, authorities
  std::vector<ike::crypto::Certificate> ocsp, aas;  // only listed: signers of OCSP answers, attribute authorities
  std::vector<ike::crypto::RevocationList> lists;
  std::vector<std::shared_ptr<const ike::crypto::PrivateKey>> keys;
  std::vector<base::Bytes> public_keys;  // only listed: SubjectPublicKeyInfo

  // Takes what is not there yet.
  void add(const CredentialSet& other);
  [[nodiscard]] bool has_key_for(const ike::crypto::PublicKey& key) const;
};

// Adds a certificate that is not there yet.
void add(std::vector<ike::crypto::Certificate>& into, const ike::crypto::Certificate& cert);

}  // namespace espgate::control
