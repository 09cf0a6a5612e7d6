// SPDX-License-Identifier: Apache-2.0
// Perfect forward secrecy: the key exchange of a child of its own in CREATE_CHILD_SA (RFC 7296 1.3.1, 2.17), both
// roles. A group goes with it if the ESP proposals name one.
#pragma once

#include <expected>
#include <optional>

#include "base/secret.h"
#include "ike/task/child_negotiate.h"

namespace espgate::ike {

// Initiator: our share for the group that the peer asked for, else for the first that we offer; none if we offer none.
std::expected<void, Refusal> make_share(Context& ctx, ChildOffer& offer);

// Initiator: the peer answered INVALID_KE_PAYLOAD. True: `offer` is ready to be sent again, with the group it wants.
std::expected<void, Refusal> follow_group(ChildOffer& offer, const wire::NotifyPayload& invalid_ke);

// Initiator: what both have in common by the peer's answer; empty without PFS.
std::expected<base::Secret, Refusal> take_share(const ChildOffer& offer, const Agreed& agreed,
                                                const wire::Payloads& payloads);

// Responder: what both have in common, and our KE payload; both empty without PFS. Refused with INVALID_KE_PAYLOAD if
// the peer's share is of another group than the one that was chosen.
struct Share {
  base::Secret shared;
  std::optional<wire::KePayload> ours;
};
std::expected<Share, Refusal> answer_share(Context& ctx, const Agreed& agreed, const wire::Payloads& payloads);

}  // namespace espgate::ike
