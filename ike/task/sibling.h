// SPDX-License-Identifier: Apache-2.0
// A child that the peer asks for although one just like it is up: both sides called at once, or the peer forgot. The
// kernel sends by the newest SA, and the peer has no inbound half of it before our reply arrives; so we go on sending
// by the older child until the peer is known to have the newer one, as with generations (generation.h).
#pragma once

#include <optional>

#include "ike/context.h"
#include "ike/ike_sa.h"

namespace espgate::ike {

// A child of the same connection to the same peer (identity and address: several may come from behind one NAT) with
// the same selectors that traffic goes by; none: there is none.
std::optional<base::ChildId> find_sibling(Context& ctx, const IkeSa& sa, const Child& child);

// `child` is installed, and `sibling` was there: it waits. An empty request shows whether the peer has our reply.
void wait_beside(Context& ctx, IkeSa& sa, Child& child, base::ChildId sibling);

// Traffic goes by `child` of `sa` no longer. Who waited beside it waits beside the generation that took its place, or,
// without one, sends at once. `child` itself waits no longer, either.
void sibling_gone(Context& ctx, const IkeSa& sa, const Child& child);

// `child` waits no longer.
void forget_siblings(Context& ctx, base::ChildId child);

}  // namespace espgate::ike
