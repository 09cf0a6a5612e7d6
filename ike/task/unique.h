// SPDX-License-Identifier: Apache-2.0
// Several IKE SAs of one peer: uniqueness by identity (connections.<conn>.unique, as strongSwan reads it) and
// INITIAL_CONTACT (RFC 7296 2.4). Peers are the same if both identities are.
#pragma once

#include <optional>

#include "ike/context.h"
#include "ike/ike_sa.h"

namespace espgate::ike {

// As the responder, before `sa` is established: why it may not be (unique = keep), or nullopt. A peer that says
// INITIAL_CONTACT has lost what we know of; it may come in.
std::optional<Failure> one_too_many(Context& ctx, const IkeSa& sa, bool initial_contact);

// As the responder, once `sa` is established: the peer's other IKE SAs go (unique = replace). Those with the same
// address go some seconds later: that looks like a reauthentication, and the peer moves its children itself.
void replace_others(Context& ctx, const IkeSa& sa);

// INITIAL_CONTACT came with `sa`: the peer's other IKE SAs go without a word, as it said that it has none. Not with
// unique = never.
void forget_others(Context& ctx, const IkeSa& sa);

// As the initiator: whether to say INITIAL_CONTACT.
bool first_contact(Context& ctx, const IkeSa& sa);

}  // namespace espgate::ike
