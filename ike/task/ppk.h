// SPDX-License-Identifier: Apache-2.0
// Post-quantum preshared keys, RFC 8784: mixed into SK_d, SK_pi and SK_pr before IKE_AUTH, so that who records the
// traffic and breaks the key exchange one day still lacks a key. Both roles.
#pragma once

#include <expected>
#include <optional>

#include "ike/context.h"
#include "ike/ike_sa.h"
#include "ike/wire/message.h"

namespace espgate::ike {

// The key of a PPK_ID's octets (RFC 8784 5.1: compared as octets); nullptr if there is none.
const SharedSecret* find_ppk(const Config& config, base::ByteView id);

// Initiator: the peer's IKE_SA_INIT answer. What is wrong if it knows no PPK and we insist.
std::optional<Failure> take_ppk_answer(IkeSa& sa, const wire::Payloads& answer);

// Initiator, before our AUTH is made: mixes our PPK in and returns the notifies that say so. Empty: it goes without.
std::expected<wire::Payloads, Failure> begin_ppk(Context& ctx, IkeSa& sa, const wire::IdPayload& own,
                                                 const Identity& peer);

// Initiator: by the IKE_AUTH answer, before the peer's AUTH is looked at. What is wrong if it goes without and we
// insist.
std::optional<Failure> settle_ppk(IkeSa& sa, const wire::Payloads& answer);

// Responder, before the peer's AUTH is looked at: mixes the PPK in that it names. Where we do not have it and neither
// side insists: the peer's NO_PPK_AUTH, the proof that is to be looked at in the place of AUTH; else nullptr.
std::expected<const wire::NotifyPayload*, Failure> answer_ppk(Context& ctx, IkeSa& sa, const wire::Payloads& request);

}  // namespace espgate::ike
