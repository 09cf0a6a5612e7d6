// SPDX-License-Identifier: Apache-2.0
// Rekeying a child: CREATE_CHILD_SA with REKEY_SA, RFC 7296 1.3.3, 2.8, 2.25.1, both roles. The new generation is a
// child of its own (child_install.h); what becomes of both is in generation.h.
#pragma once

#include <optional>
#include <vector>

#include "ike/context.h"
#include "ike/ike_sa.h"
#include "ike/task/child_negotiate.h"
#include "ike/wire/message.h"

namespace espgate::ike {

// Queues a rekey of `child`, or joins the one that is under way; `waiting` are Rekey commands to answer. The caller
// runs the queue.
void queue_rekey(Context& ctx, IkeSa& sa, Child& child, std::vector<RequestId> waiting);
bool rekey_pending(IkeSa& sa, base::ChildId id);

// Initiator.
void start_rekey_child(Context& ctx, IkeSa& sa, DoRekeyChild what);
void on_rekey_child_response(Context& ctx, IkeSa& sa, DoRekeyChild what, const wire::Payloads& payloads);

// Responder: the request carries `rekey`.
void on_rekey_child_request(Context& ctx, IkeSa& sa, const wire::Payloads& payloads, const wire::NotifyPayload& rekey);

// Responder, once more when the additional key exchanges of the peer's rekey of `old` are over: what is in its way now.
std::optional<Refusal> why_not_rekeyed(IkeSa& sa, base::ChildId old);

// A generation that was to replace another one is gone, and the other one is still there: it is rekeyed once more.
void fall_back(Context& ctx, IkeSa& sa, const Child& gone);

}  // namespace espgate::ike
