// SPDX-License-Identifier: Apache-2.0
// Rekeying the IKE SA: CREATE_CHILD_SA with an SA payload for IKE, RFC 7296 1.3.2, 2.8.2, 2.18, 2.25.2, both roles. The
// children move to the new SA, and whoever asked for it deletes the old one.
#pragma once

#include <optional>
#include <vector>

#include "base/bytes.h"
#include "ike/context.h"
#include "ike/ike_sa.h"
#include "ike/task/follow_up.h"
#include "ike/wire/message.h"

namespace espgate::ike {

// Queues a rekey, or joins the one that is under way. The caller runs the queue.
void queue_ike_rekey(Context& ctx, IkeSa& sa, std::vector<RequestId> waiting);

// Initiator.
void start_rekey_ike(Context& ctx, IkeSa& sa, DoRekeyIke what);
void on_rekey_ike_response(Context& ctx, IkeSa& sa, DoRekeyIke what, const wire::Payloads& payloads);

// Responder.
void on_rekey_ike_request(Context& ctx, IkeSa& sa, const wire::Payloads& payloads);

// Once the additional key exchanges of the peer's request are over: the new SA, and the answer with `last` in it. Or
// why there is none.
std::optional<Refusal> complete_rekey_ike(Context& ctx, IkeSa& sa, const FollowUp& what, const FollowUp::ForIke& ike,
                                          wire::KePayload last);

// The peer deletes `sa` while our rekey of it is open: if the peer's own made an SA, that one takes the children over.
void give_way(Context& ctx, IkeSa& sa);

// Keys of `to`, which a rekey of `from` made (2.18; `additional`: RFC 9370 2.2.4). False: OpenSSL is out of order.
bool derive_rekeyed(const IkeSa& from, IkeSa& to, base::ByteView shared, base::ByteView additional,
                    base::ByteView nonce_i, base::ByteView nonce_r);

// Children, what is queued for them, and whoever waits go from `from` to `to`; `from` is rekeyed from here on.
void inherit(Context& ctx, IkeSa& from, IkeSa& to);

}  // namespace espgate::ike
