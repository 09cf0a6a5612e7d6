// SPDX-License-Identifier: Apache-2.0
// IKE_AUTH, RFC 7296 1.2 and 2.15: identities, proofs, and the first child.
#pragma once

#include "ike/context.h"
#include "ike/ike_sa.h"
#include "ike/wire/message.h"

namespace espgate::ike {

// As the initiator, once IKE_SA_INIT is answered.
void start_auth(Context& ctx, IkeSa& sa);
void on_auth_response(Context& ctx, IkeSa& sa, DoAuth auth, const wire::Payloads& payloads);

// As the responder. The reply is held if a child is to be installed.
void on_auth_request(Context& ctx, IkeSa& sa, const wire::Payloads& payloads);

// The peer proved who it is: state, times, INITIAL_CONTACT (2.4) if it was sent.
void established(Context& ctx, IkeSa& sa, bool initial_contact);

// Whether we have another IKE SA with the same peer, so that INITIAL_CONTACT would be untrue.
bool has_contact(Context& ctx, const IkeSa& sa);

}  // namespace espgate::ike
