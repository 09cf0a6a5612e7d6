// SPDX-License-Identifier: Apache-2.0
// The path to a peer through a NAT (RFC 7296 2.23, RFC 3948): the mapping is kept alive, and followed when it changes.
// ESP follows by a rekey, make-before-break: an outbound key is never installed a second time once it was used.
#pragma once

#include <optional>

#include "ike/context.h"
#include "ike/ike_sa.h"

namespace espgate::ike {

// From now on keepalives are sent, if we are behind a NAT.
void start_keepalives(const Context& ctx, IkeSa& sa);
void on_keepalive_due(Context& ctx, IkeSa& sa);
std::optional<base::Instant> keepalive_due(const IkeSa& sa);

// An authenticated request came: a peer behind a NAT is where it came from, unless we are behind one, too; before the
// peer is authenticated it moves to port 4500.
void follow(Context& ctx, IkeSa& sa, const Datagram& datagram);

// The kernel saw good ESP of `child` from elsewhere (XFRM_MSG_MAPPING). Nothing if the peer is not to be followed.
void peer_moved(Context& ctx, IkeSa& sa, const base::Endpoint& remote);

// `child` was installed with ends that are not those of the IKE SA any more: it is rekeyed.
void follow_child(Context& ctx, IkeSa& sa, Child& child);

}  // namespace espgate::ike
