// SPDX-License-Identifier: Apache-2.0
// Going on with the IKE SAs of a process before this one, by its records (ike/record.h).
#pragma once

#include "ike/context.h"
#include "ike/kept.h"

namespace espgate::ike {

// The command. Records that cannot be read are left out.
void resume(Context& ctx, Resume command);

}  // namespace espgate::ike
