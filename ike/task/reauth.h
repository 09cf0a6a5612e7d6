// SPDX-License-Identifier: Apache-2.0
// Reauthentication (RFC 7296 2.8.3), make-before-break: a new IKE SA with new proofs of who both are, the children anew
// on it, then the old one goes. The peer sends by the new children when it is sure of them (sibling.h).
#pragma once

#include "ike/context.h"
#include "ike/ike_sa.h"

namespace espgate::ike {

// The time for `sa` has come. Nothing if it is being done, or rekeyed just now.
void start_reauth(Context& ctx, IkeSa& sa);

// Something on `sa` came to its end: if it is to take another one's place and has all children, that one goes.
void finish_reauth(Context& ctx, IkeSa& sa);

// `sa` ends: if it was to take another one's place, that is tried again.
void reauth_failed(Context& ctx, const IkeSa& sa);

// `to` is a rekey of `from`.
void reauth_inherited(Context& ctx, const IkeSa& from, IkeSa& to);

}  // namespace espgate::ike
