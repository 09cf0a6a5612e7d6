// SPDX-License-Identifier: Apache-2.0
// What the configuration wants of SAD and SPD, made by control/; the floor follows from it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/esp.h"
#include "base/ids.h"

namespace espgate::sad {

// What happens to traffic that a child's selectors cover while the child is not up.
enum class WhenDown : std::uint8_t { block, pass };

struct ChildPlan {
  std::string conn, child;
  std::vector<base::TrafficSelector> local_ts, remote_ts;  // `dynamic` ones resolved; those that cannot be are left out
  base::SaMode mode = base::SaMode::tunnel;
  WhenDown when_down = WhenDown::block;
  bool when_down_said = false;  // 0.0.0.0/0 and ::/0 are blocked only when the operator said so
  base::OffloadWanted offload = base::OffloadWanted::no;
  std::uint32_t replay_window = 128;
};

struct Plan {
  std::vector<ChildPlan> children;
};

}  // namespace espgate::sad
