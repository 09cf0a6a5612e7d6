// SPDX-License-Identifier: Apache-2.0
// IKE_FOLLOWUP_KE, RFC 9370 2.2.4: the additional key exchanges of a CREATE_CHILD_SA, one after the other, linked by
// what the responder says in ADDITIONAL_KEY_EXCHANGE. The SA is there when the last one is over.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/secret.h"
#include "ike/context.h"
#include "ike/ike_sa.h"
#include "ike/task/child_negotiate.h"
#include "ike/wire/message.h"

namespace espgate::ike {

// `to` | `more`, in its place: SK(1) | ... | SK(n) as they come.
void append_secret(base::Secret& to, base::ByteView more);

// ------------------------------------------------------------------------------------------------- initiator

// By the answer to CREATE_CHILD_SA, which chose `chosen`, or to the IKE_FOLLOWUP_KE before: what the next one has in
// it; nullopt if that was the last. `further` is kept with the operation and has all shared secrets then.
std::expected<std::optional<wire::Payloads>, Refusal> next_follow_up(Context& ctx, std::optional<FurtherKes>& further,
                                                                     const Proposal& chosen,
                                                                     const wire::Payloads& answer);
// Whether the peer waits for another one, once it sent the answer that is looked at: it has no SA yet then.
bool peer_waits(const std::optional<FurtherKes>& further, const Proposal& chosen);

// The answer to CREATE_CHILD_SA itself: the one that has just come, if there is none before it.
const wire::Payloads& first_answer(const std::optional<FurtherKes>& further, const wire::Payloads& answer);
// SK(1) | ... | SK(n); empty if there are none.
base::ByteView additional_shared(const std::optional<FurtherKes>& further);

// ------------------------------------------------------------------------------------------------- responder

// A CREATE_CHILD_SA that was answered and waits for its additional key exchanges. One of an IKE SA: another one takes
// its place, and after 20 s without a request it is forgotten.
struct FollowUp {
  struct ForChild {
    Agreed agreed;
    base::Spi spi_in;
    std::optional<base::ChildId> rekeys;
  };
  struct ForIke {
    crypto::IkeSuite suite;
    base::IkeSpi ours, theirs;
  };
  std::vector<std::uint16_t> to_come{};  // methods
  base::Secret shared{}, additional{};   // SK(0); SK(1) | ... | SK(n)
  base::Bytes nonce_i{}, nonce_r{};
  std::variant<ForChild, ForIke> what;
  base::Bytes link{};
};

// The ADDITIONAL_KEY_EXCHANGE of our answer. Precondition: something is to come.
wire::NotifyPayload begin_follow_up(Context& ctx, IkeSa& sa, FollowUp what);
void on_follow_up_request(Context& ctx, IkeSa& sa, const wire::Payloads& payloads);
// Forgets it, if there is one: it took too long, or the IKE SA goes.
void drop_follow_up(Context& ctx, IkeSa& sa);

// Whether a queued operation has to wait until the peer has done with what it began.
bool waits_for_follow_up(const IkeSa& sa, const Operation& next);

}  // namespace espgate::ike
