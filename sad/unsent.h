// SPDX-License-Identifier: Apache-2.0
// Packets that the kernel drops on their way into an SA in packet mode: those too large for the tunnel, above all, for
// the device fragments nothing (6.12, net/xfrm/xfrm_output.c: xfrm_output). Nobody is told; the namespace counts them.
// Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/ids.h"

namespace espgate::sad {

inline constexpr std::chrono::minutes kUnsentPause{1};  // between two lines

class Unsent {
 public:
  // `total`: XfrmOutError of the network namespace. `packet_mode`: whether there is an SA in packet mode, asked when
  // there are new ones; without, they are no concern of ours. A line for the log if there are new ones, at most one
  // each kUnsentPause.
  std::optional<std::string> count(base::Instant now, std::uint64_t total, const std::function<bool()>& packet_mode);

 private:
  std::optional<std::uint64_t> told_;  // total when it was said last, or when it began
  std::optional<base::Instant> said_;
};

}  // namespace espgate::sad
