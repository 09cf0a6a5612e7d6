// SPDX-License-Identifier: Apache-2.0
// Carries out what sad/ says: requests in batches to a kernel, everything else to a sink, results back, until nothing
// is left to do. gateway/ and the tests use the same one.
#pragma once

#include <functional>

#include "sad/sad.h"

namespace espgate::sad {

// Takes every output but Op, in order.
using Sink = std::function<void(Output&&)>;

// Returns when sad/ awaits nothing more. Blocks for as long as the kernel takes.
void pump(Sad& sad, xfrm::Kernel& kernel, base::Instant now, Outputs outputs, const Sink& sink);

}  // namespace espgate::sad
