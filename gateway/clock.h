// SPDX-License-Identifier: Apache-2.0
// The only place that reads a clock.
#pragma once

#include <chrono>
#include <cstdint>

#include "base/ids.h"

namespace espgate::gateway {

inline base::Instant now() { return std::chrono::time_point_cast<base::Duration>(std::chrono::steady_clock::now()); }

// Seconds since the epoch for an instant of the monotonic clock, as of now.
inline std::int64_t epoch_seconds(base::Instant instant) {
  const auto wall = std::chrono::system_clock::now() +
                    std::chrono::duration_cast<std::chrono::system_clock::duration>(instant - now());
  return std::chrono::duration_cast<std::chrono::seconds>(wall.time_since_epoch()).count();
}

}  // namespace espgate::gateway
