// SPDX-License-Identifier: Apache-2.0
// Two generations of a child at once: which one sends, when the old one goes, what is said about it (RFC 7296 2.8).
// No packet is lost: an inbound SA is there before the peer may send on it, and stays until none can be under way.
#pragma once

#include "ike/context.h"
#include "ike/ike_sa.h"

namespace espgate::ike {

// How long a new generation waits for the peer's DELETE of the old one before we send on it, once the peer is known to
// have our reply; and at most: then the peer has given its request up.
inline constexpr base::Duration kSwitchAfter = std::chrono::seconds(5);
inline constexpr base::Duration kSwitchAtLast = std::chrono::seconds(240);
// For packets that had chosen the old outbound SA when the new one came: the kernel drops those whose SA is deleted
// under them (net/xfrm/xfrm_output.c: XfrmOutStateInvalid).
inline constexpr base::Duration kLinger = std::chrono::milliseconds(250);
// How long what was replaced still receives.
inline constexpr base::Duration kRetireAfter = std::chrono::seconds(5);

// `child` is what traffic goes by: child_rekeyed if it replaces one that was up, else child_up. Once.
void announce(Context& ctx, IkeSa& sa, Child& child);

// Initiator of the rekey: the new generation is installed, the old one is deleted.
void complete_rekey(Context& ctx, IkeSa& sa, Child& child);

// What shows that the peer has a reply of ours: another request (the window is 1) that it has the one before, an answer
// to a request of ours that it has the last one of IKE_AUTH.
enum class Shown : std::uint8_t { request, answer };
void confirm(Context& ctx, IkeSa& sa, Shown by);

// Our reply that made the child may still be under way: what the peer says of not knowing it is not the last word.
bool unknown_to_peer(const Context& ctx, const Child& child);

// Responder of the rekey: outbound goes over to `child`. Later calls do nothing.
void start_switch(Context& ctx, IkeSa& sa, Child& child);
void on_switched(Context& ctx, IkeSa& sa, Child& child, const ChildAnswer& answer);

// The old generation was deleted by agreement of both sides, and another one is there.
void retire(Context& ctx, IkeSa& sa, Child& child);

// What of all this is due by time.
void on_generation_due(Context& ctx, IkeSa& sa);
std::optional<base::Instant> generation_due(const IkeSa& sa);

}  // namespace espgate::ike
