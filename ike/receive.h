// SPDX-License-Identifier: Apache-2.0
// A datagram's way to its IKE SA and task: version, SPIs, message id, integrity, exchange (RFC 7296 2.1 to 2.5, 2.21).
#pragma once

#include "ike/context.h"

namespace espgate::ike {

void receive(Context& ctx, const Datagram& datagram);

}  // namespace espgate::ike
