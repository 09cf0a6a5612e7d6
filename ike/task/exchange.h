// SPDX-License-Identifier: Apache-2.0
// Requests and responses of an IKE SA: message ids, the window of 1, retransmission (RFC 7296 2.1 to 2.3).
#pragma once

#include <string>

#include "ike/context.h"
#include "ike/ike_sa.h"
#include "ike/wire/message.h"

namespace espgate::ike {

// Sends our next request inside SK. Precondition: none is under way.
void send_request(Context& ctx, IkeSa& sa, wire::ExchangeType exchange, const wire::Payloads& payloads, Operation what);

// Sends a request in the clear as message 0: IKE_SA_INIT.
void send_init_request(Context& ctx, IkeSa& sa, base::Bytes message);

// Answers the peer's request `sa.expected_id` inside SK, keeps the octets for retransmissions, and moves on.
// It goes to the SA's addresses, which follow a peer behind a NAT (RFC 7296 2.11, 2.23).
void send_response(Context& ctx, IkeSa& sa, wire::ExchangeType exchange, const wire::Payloads& payloads);

// An exchange is over: `answer` is the response, sent or received; none: what came could not be read, or (as initiator
// only) nothing came.
void ended(Context& ctx, wire::ExchangeType exchange, Role role, const wire::Payloads& answer);
void ended(Context& ctx, wire::ExchangeType exchange, Role role, Ending ending);

// Starts the next queued operation if nothing stands in its way.
void run_queue(Context& ctx, IkeSa& sa);

// Our request that is under way, to the octet.
void send_again(Context& ctx, const IkeSa& sa);

// Our request was not answered in time: sends it again, or closes the SA.
void on_retransmit_due(Context& ctx, IkeSa& sa);

// "IKE_AUTH" for the exchange that is under way; "" without one.
std::string step(const IkeSa& sa);

}  // namespace espgate::ike
