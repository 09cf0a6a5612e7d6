// SPDX-License-Identifier: Apache-2.0
// Both sides rekey the same SA at once (RFC 7296 2.8.1, 2.8.2): each answers the other's request as usual; of the two
// SAs that come of it, the one made with the lowest of the four nonces is closed by whoever asked for it.
#pragma once

#include "base/bytes.h"
#include "ike/context.h"
#include "ike/ike_sa.h"

namespace espgate::ike {

// The lower of the two nonces of an exchange: compared octet by octet, a prefix is lower.
base::Bytes lowest_nonce(base::ByteView one, base::ByteView other);

// Whether the SA of our exchange is the redundant one.
bool ours_is_redundant(const Context& ctx, const Met& met, base::ByteView ours, base::ByteView peers);

}  // namespace espgate::ike
