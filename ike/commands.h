// SPDX-License-Identifier: Apache-2.0
// Commands to the engine (api.h).
#pragma once

#include "ike/context.h"

namespace espgate::ike {

void execute(Context& ctx, Command command);

}  // namespace espgate::ike
