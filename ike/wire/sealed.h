// SPDX-License-Identifier: Apache-2.0
// Messages with an Encrypted payload, RFC 7296 3.14 (encrypt then MAC) and RFC 5282 (AEAD).
#pragma once

#include "base/bytes.h"
#include "ike/crypto/error.h"
#include "ike/crypto/rng.h"
#include "ike/crypto/sk_cipher.h"
#include "ike/wire/message.h"

namespace espgate::ike::wire {

// A message whose only payload is SK with `inner` inside. `next` and `length` of the header are set. `cipher` is the
// one of our direction (SK_ei/ai for the IKE SA's initiator); each call spends one IV.
crypto::Crypto<base::Bytes> seal(Header header, const Payloads& inner, crypto::SkCipher& cipher, crypto::Rng& rng);

// Checks and decrypts a message with the peer's direction's keys, then parses what is inside. Nothing of the message
// may be believed before this returned well. Faults with authenticated = false: not from the peer, drop in silence;
// with authenticated = true: the peer sent nonsense, answer Fault::notify().
Parsed<Payloads> open(base::ByteView message, const crypto::SkCipher& cipher);

// The same, and what is inside as it was sent: the payloads' octets without padding.
struct Opened {
  Payloads payloads;
  base::Bytes inner;
};
Parsed<Opened> open_whole(base::ByteView message, const crypto::SkCipher& cipher);

// IntAuth_*A | IntAuth_*P, RFC 9242 3.3.2: what is authenticated of an IKE_INTERMEDIATE message once both sides know
// each other. Its header, its generic SK header, with the lengths of a message that were neither encrypted nor in
// fragments, and what is inside. `datagram`: the message, or its first fragment. Precondition: it was sealed or opened
// here.
base::Bytes authenticated_octets(base::ByteView datagram, base::ByteView inner);

}  // namespace espgate::ike::wire
