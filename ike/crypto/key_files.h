// SPDX-License-Identifier: Apache-2.0
// Public keys and revocation lists as octets, and the number by which strongSwan's clients know a key.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"
#include "ike/crypto/certificate.h"
#include "ike/crypto/pkey.h"

namespace espgate::ike::crypto {

// A SubjectPublicKeyInfo, PEM or DER. Errors: bad_key, and those of PublicKey::judge().
Crypto<PublicKey> read_public_key(base::ByteView file);

base::Bytes der_of(const PublicKey& key);        // its SubjectPublicKeyInfo
base::Bytes der_of(const RevocationList& list);  // the whole of it

// SHA-1 of the bits of a public key, without its algorithm (RFC 5280 4.2.1.2); a private key has its public key's.
using KeyId = std::array<std::uint8_t, 20>;
KeyId id_of(const PublicKey& key);
KeyId id_of(const PrivateKey& key);

}  // namespace espgate::ike::crypto
