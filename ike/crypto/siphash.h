// SPDX-License-Identifier: Apache-2.0
// SipHash-2-4 (Aumasson, Bernstein 2012) with 64 bits: short keyed hashes that cost little, for cookies.
#pragma once

#include <array>
#include <cstdint>

#include "ike/crypto/prf.h"

namespace espgate::ike::crypto {

inline constexpr std::size_t kSipHashKeyOctets = 16;

// The hash as its reference writes it, least significant octet first. CryptoError::library for a key of another length.
Crypto<std::array<std::uint8_t, 8>> siphash(base::ByteView key, Parts parts);

}  // namespace espgate::ike::crypto
