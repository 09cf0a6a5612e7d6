// SPDX-License-Identifier: Apache-2.0
// When SAs are rekeyed and when they end: soft and hard limits with jitter, as strongSwan reckons them. Time is kept
// here, octets and packets by the kernel (see Expired in ike/api.h).
#pragma once

#include "ike/context.h"
#include "ike/ike_sa.h"

namespace espgate::ike {

// The soft limit with a random part of `jitter` taken off; 0 if there is none.
std::uint64_t soft_limit(Context& ctx, const Lifetime& lifetime);
ChildLimits limits_of(Context& ctx, const ChildConfig& config);

// Sets the times of an SA that has just come up.
void start_lifetime(Context& ctx, Child& child);
void start_lifetime(Context& ctx, IkeSa& sa);

// A rekey failed for now: when it is tried again.
base::Instant retry_at(Context& ctx);

// Children and the IKE SA itself whose time has come: rekeys are queued, what is over is deleted.
void on_lifetime_due(Context& ctx, IkeSa& sa);
std::optional<base::Instant> lifetime_due(const IkeSa& sa);

// The kernel reached a limit (or the end of the sequence numbers).
void on_expired(Context& ctx, IkeSa& sa, base::ChildId id, bool hard);

}  // namespace espgate::ike
