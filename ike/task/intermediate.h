// SPDX-License-Identifier: Apache-2.0
// IKE_INTERMEDIATE, RFC 9242, for what RFC 9370 2.2.2 uses it for: between IKE_SA_INIT and IKE_AUTH one for each
// additional key exchange that was agreed upon. Each gives new keys, and AUTH covers all of these messages.
#pragma once

#include "base/bytes.h"
#include "ike/context.h"
#include "ike/ike_sa.h"
#include "ike/wire/message.h"

namespace espgate::ike {

// A message of the peer's as it came: the datagram, or that of its first fragment, and the octets inside SK.
struct Received {
  base::ByteView datagram, inner;
};

// Initiator: the next additional key exchange, or IKE_AUTH once there is none left.
void start_intermediate(Context& ctx, IkeSa& sa);
void on_intermediate_response(Context& ctx, IkeSa& sa, const DoIntermediate& what, const wire::Payloads& payloads,
                              const Received& received);

// Responder. Precondition: one is to come.
void on_intermediate_request(Context& ctx, IkeSa& sa, const wire::Payloads& payloads, const Received& received);

// Which exchange the responder waits for next. Precondition: the peer is not authenticated yet.
wire::ExchangeType awaited(const IkeSa& sa);

// IntAuth of RFC 9242 3.3.2: IntAuth_iN | IntAuth_rN | IKE_AUTH_MID; empty without IKE_INTERMEDIATE.
base::Bytes int_auth(const Setup& setup);

}  // namespace espgate::ike
