// SPDX-License-Identifier: Apache-2.0
// What AUTH payloads prove, and their data for shared keys, RFC 7296 2.15.
#pragma once

#include "base/bytes.h"
#include "ike/crypto/error.h"
#include "ike/crypto/prf.h"

namespace espgate::ike::crypto {

// Whose AUTH: all of that side, but `peer_nonce`, which is the other's.
struct SignedOctets {
  base::ByteView message;     // its first message (the IKE_SA_INIT that was answered or answers), from the header on
  base::ByteView peer_nonce;  // the other side's nonce data
  base::ByteView sk_p;        // SK_pi or SK_pr
  base::ByteView id;          // its ID payload without generic header: IdPayload::signed_octets()
  base::ByteView int_auth{};  // IntAuth, the same for both sides (RFC 9242 3.3.2); empty without IKE_INTERMEDIATE
};

// prf(prf(shared key, "Key Pad for IKEv2"), message | peer_nonce | prf(sk_p, id) | int_auth). Compare with
// base::equal_constant_time().
Crypto<base::Bytes> psk_auth(const Prf& prf, base::ByteView shared_key, const SignedOctets& octets);

// message | peer_nonce | prf(sk_p, id) | int_auth: what a signature is made over.
Crypto<base::Bytes> signed_octets(const Prf& prf, const SignedOctets& octets);

}  // namespace espgate::ike::crypto
