// SPDX-License-Identifier: Apache-2.0
// Children as the exchanges make them: in IKE_AUTH (RFC 7296 1.2) and CREATE_CHILD_SA (1.3.1), both roles. Rekeys share
// their parts: rekey_child.h, rekey_ike.h.
#pragma once

#include <expected>
#include <optional>

#include "ike/context.h"
#include "ike/ike_sa.h"
#include "ike/task/child_install.h"
#include "ike/task/follow_up.h"
#include "ike/wire/message.h"

namespace espgate::ike {

inline constexpr std::size_t kNonceOctets = 32;  // at least half the prf's key (RFC 7296 2.10)

// Initiator: sends the queued request; and what follows from the answer to it, or to IKE_AUTH.
void start_create_child(Context& ctx, IkeSa& sa, DoCreateChild what);
void on_create_child_response(Context& ctx, IkeSa& sa, DoCreateChild what, const wire::Payloads& payloads);
void on_first_child_answer(Context& ctx, IkeSa& sa, ChildOffer offer, const wire::Payloads& payloads,
                           const Nonces& nonces);

// What a CREATE_CHILD_SA response agrees to, checked whole.
struct Created {
  Agreed agreed;
  base::Secret shared;
  base::Bytes nonce;  // the peer's
};
std::expected<Created, Refusal> check_create_answer(const ChildOffer& offer, const wire::Payloads& payloads);
// Installs it as the initiator, in place of `rekeys` if that is set. All key exchanges are over.
void install_created(Context& ctx, IkeSa& sa, ChildOffer offer, const Created& created,
                     std::optional<base::ChildId> rekeys);

// Responder: a CREATE_CHILD_SA request; and the child's part of it or of IKE_AUTH.
void on_create_child_request(Context& ctx, IkeSa& sa, const wire::Payloads& payloads);
struct ChildReply {
  wire::ExchangeType exchange{};
  wire::Payloads before;  // opens the reply in any case
  Nonces nonces;
  wire::Payloads with;  // goes with the child only (the nonce of CREATE_CHILD_SA)
  std::optional<base::ChildId> rekeys{};
};
void answer_child_request(Context& ctx, IkeSa& sa, const wire::Payloads& payloads, ChildReply reply);
// Once the additional key exchanges of a request are over: the reply, with `last` in it, is held. Or why there is none.
std::optional<Refusal> install_followed_up(Context& ctx, IkeSa& sa, const FollowUp& what,
                                           const FollowUp::ForChild& child, wire::KePayload last);
void refuse_create(Context& ctx, IkeSa& sa, wire::NotifyPayload notify, Reason code, std::string text);

}  // namespace espgate::ike
