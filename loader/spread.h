// SPDX-License-Identifier: Apache-2.0
// Writes the maps spread and spread_cpus.
#pragma once

#include <cstdint>
#include <vector>

#include "base/error.h"
#include "loader/objects.h"

namespace espgate::loader {

// See Loader::set_spread(). Each CPU of the list gets a queue and a kernel thread, those that left it lose theirs.
base::Result<void> spread_over(const ObjectFds& fds, const std::vector<std::uint32_t>& cpus);

}  // namespace espgate::loader
