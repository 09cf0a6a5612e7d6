// SPDX-License-Identifier: Apache-2.0
// Encrypted Fragment payloads, RFC 7383 2.5: a message in pieces, each of them sealed.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "ike/crypto/error.h"
#include "ike/crypto/rng.h"
#include "ike/crypto/sk_cipher.h"
#include "ike/wire/message.h"

namespace espgate::ike::wire {

inline constexpr std::size_t kMaxFragments = 128;  // of one message

// Where a fragment stands; read before anything is decrypted.
struct FragmentHeader {
  std::uint16_t number = 0, total = 0;    // 1 to total
  PayloadType first = PayloadType::none;  // in fragment 1: the type of the first payload of the message
  std::size_t offset = 0;                 // of the IV, from the beginning of the datagram
};

// The message as fragments of at most `most` octets each, IKE header included. too_long: `most` is too little for the
// message, or the message too long at all.
crypto::Crypto<std::vector<base::Bytes>> seal_fragments(Header header, const Payloads& inner, crypto::SkCipher& cipher,
                                                        crypto::Rng& rng, std::size_t most);

// Faults: missing_sk if the datagram's only payload is no fragment; bad_field_value for numbers that cannot be.
Parsed<FragmentHeader> parse_fragment(base::ByteView datagram);

// The piece of the message in it, checked and without its padding. Faults as those of open().
Parsed<base::Bytes> open_fragment(base::ByteView datagram, const FragmentHeader& fragment,
                                  const crypto::SkCipher& cipher);

}  // namespace espgate::ike::wire
