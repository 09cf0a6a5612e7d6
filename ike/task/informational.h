// SPDX-License-Identifier: Apache-2.0
// INFORMATIONAL, RFC 7296 1.4: DELETE of children and of the IKE SA, liveness (2.4), AUTHENTICATION_FAILED (2.21.2).
#pragma once

#include "ike/context.h"
#include "ike/ike_sa.h"
#include "ike/wire/message.h"

namespace espgate::ike {

// Initiator. `what`: one of DoDeleteChild, DoDeleteIke, DoLiveness.
void start_informational(Context& ctx, IkeSa& sa, Operation what);
void on_informational_response(Context& ctx, IkeSa& sa, Operation what, const wire::Payloads& payloads);

// Responder.
void on_informational_request(Context& ctx, IkeSa& sa, const wire::Payloads& payloads);

// An empty request (2.4): the peer was silent for dpd_delay, or said elsewhere that it has lost this SA.
void ask_whether_alive(Context& ctx, IkeSa& sa);

}  // namespace espgate::ike
