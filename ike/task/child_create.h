// SPDX-License-Identifier: Apache-2.0
// Children as the exchanges make them: in IKE_AUTH (RFC 7296 1.2) and CREATE_CHILD_SA (1.3.1), both roles, without PFS.
// Rekeys (1.3.2, 1.3.3) are refused with NO_ADDITIONAL_SAS.
#pragma once

#include "ike/context.h"
#include "ike/ike_sa.h"
#include "ike/task/child_install.h"
#include "ike/wire/message.h"

namespace espgate::ike {

// Initiator: sends the queued request; and what follows from the answer to it, or from that to IKE_AUTH.
void start_create_child(Context& ctx, IkeSa& sa, DoCreateChild what);
void on_create_child_response(Context& ctx, IkeSa& sa, DoCreateChild what, const wire::Payloads& payloads);
void on_child_answer(Context& ctx, IkeSa& sa, ChildOffer offer, const wire::Payloads& payloads, const Nonces& nonces,
                     const char* step);

// Responder: a CREATE_CHILD_SA request; and the child's part of it or of IKE_AUTH. `before` opens the reply in any
// case, `with` goes with the child only (the nonce of CREATE_CHILD_SA).
void on_create_child_request(Context& ctx, IkeSa& sa, const wire::Payloads& payloads);
void answer_child_request(Context& ctx, IkeSa& sa, wire::ExchangeType exchange, const wire::Payloads& payloads,
                          wire::Payloads before, const Nonces& nonces, wire::Payloads with);

}  // namespace espgate::ike
