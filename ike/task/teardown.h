// SPDX-License-Identifier: Apache-2.0
// How IKE SAs and children end: what is told to sad/, to the log and to whoever waits. No exchange happens here.
#pragma once

#include "ike/context.h"
#include "ike/ike_sa.h"

namespace espgate::ike {

// Whether a closed SA stays to repeat its last response (when it was the peer's request that ended it).
enum class Linger : bool { no, yes };

// Ends the SA with all that hangs on it: children, queued operations, commands. Event: ike_down if it was up, else
// ike_failed.
void close(Context& ctx, IkeSa& sa, Failure why, Linger linger);

// Takes an installed (or installing) child down: RemoveChild, child_down or child_failed, waiting commands. `child` is
// invalid afterwards.
void remove_child(Context& ctx, IkeSa& sa, base::ChildId id, const Failure& why);

// A child that never came to be: event and answers. Does not touch the wire.
void child_failed(Context& ctx, const IkeSa& sa, ChildOffer& offer, const Failure& why);

// Closes an SA that we started and that serves no child, now that its last one failed. Does nothing otherwise.
void close_if_useless(Context& ctx, IkeSa& sa, const Failure& why);

// Of an IKE SA in state `deleting`.
Failure why_deleting(const IkeSa& sa);

// Starts deleting the IKE SA; what was queued fails. An SA that is not up yet is closed at once.
void start_close(Context& ctx, IkeSa& sa, const Failure& why);

}  // namespace espgate::ike
