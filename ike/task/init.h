// SPDX-License-Identifier: Apache-2.0
// IKE_SA_INIT, RFC 7296 1.2: proposals, Diffie-Hellman, nonces, NAT detection; COOKIE (2.6) and INVALID_KE_PAYLOAD.
#pragma once

#include "base/bytes.h"
#include "ike/api.h"
#include "ike/context.h"
#include "ike/crypto/error.h"
#include "ike/ike_sa.h"
#include "ike/wire/message.h"

namespace espgate::ike {

// Sends IKE_SA_INIT, or sends it again with what `sa.setup` has learnt (cookie, group).
void start_init(Context& ctx, IkeSa& sa);

// The answer to it, in the clear and not authenticated: what is malformed is dropped, and the real one awaited.
void on_init_response(Context& ctx, IkeSa& sa, const Datagram& datagram);

// A stranger's IKE_SA_INIT. Nothing is kept unless an answer with a key exchange goes out.
void on_init_request(Context& ctx, const Datagram& datagram, const wire::Header& header);

// SKEYSEED and SK_* (2.14) from g^ir and what `sa.setup` holds, and the ciphers of both directions.
crypto::Crypto<void> derive_keys(IkeSa& sa, base::ByteView shared);
// The same after an IKE_INTERMEDIATE: SKEYSEED(n) from SK_d(n-1) and that one's shared secret (RFC 9370 2.2.2).
crypto::Crypto<void> derive_next_keys(IkeSa& sa, base::ByteView shared);
// SK_* and the ciphers from SKEYSEED, however that was made.
crypto::Crypto<void> set_keys(IkeSa& sa, base::ByteView seed, const crypto::Exchange& exchange);

}  // namespace espgate::ike
