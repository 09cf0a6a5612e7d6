// SPDX-License-Identifier: Apache-2.0
// Which signatures a connection makes and takes, in strongSwan's words: "pubkey", "pubkey-sha256-sha384",
// "rsa-2048-sha256", "rsa/pss-sha256", "ecdsa-256", "ed25519".
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ike/crypto/signature.h"

namespace espgate::ike {

struct SignaturePolicy {
  std::vector<crypto::Scheme> schemes;  // empty: all with SHA-2 and Ed25519, Ed448
  int rsa_bits = 0, ecdsa_bits = 0;     // least sizes of keys; 0: what crypto::PublicKey takes

  [[nodiscard]] bool admits(const crypto::Scheme& scheme) const;
  [[nodiscard]] bool admits(const crypto::PublicKey& key) const;
  // What a key of ours may sign with, the best first; `hashes`: what the peer can verify (RFC 7427 4).
  [[nodiscard]] std::vector<crypto::Scheme> choices(crypto::KeyKind key, std::span<const crypto::HashId> hashes) const;
};

// The value of `auth` but for "psk"; an "ike:" before it changes nothing. Without a hash all of SHA-2 are meant; SHA-1
// only if it is said. "rsa" means PSS and PKCS#1 v1.5, and if it names a hash we sign with the latter, as strongSwan
// does; "rsa/pss" and "rsa-pss" mean PSS alone.
std::expected<SignaturePolicy, std::string> parse_signature_policy(std::string_view text);

}  // namespace espgate::ike
