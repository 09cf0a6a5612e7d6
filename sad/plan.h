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

// What becomes of traffic that a child's selectors cover: protect it, or, without any SA, let it pass or drop it.
enum class Treatment : std::uint8_t { protect, pass, drop };

// What happens to traffic that a child's selectors cover while the child is not up.
enum class WhenDown : std::uint8_t { block, pass };

// What the kernel does with a child's packets besides protecting them.
struct Handling {
  std::uint32_t replay_window = 128;
  std::uint32_t priority = 0;  // of its policies; 0: by their selectors
  std::uint32_t if_id_in = 0, if_id_out = 0;
  base::Mark mark_in, mark_out;  // of policies; mark_out of the SA, too
  bool mark_in_sa = false;       // mark_in of the SA, too
  base::Mark set_mark_in, set_mark_out;
  bool copy_df = true, copy_ecn = true, copy_dscp_out = true, copy_dscp_in = false;
  bool operator==(const Handling&) const = default;
};

struct ChildPlan {
  std::string conn, child;
  std::vector<base::TrafficSelector> local_ts, remote_ts;  // `dynamic` ones resolved; those that cannot be are left out
  base::SaMode mode = base::SaMode::tunnel;
  WhenDown when_down = WhenDown::block;
  bool when_down_said = false;  // 0.0.0.0/0 and ::/0 are blocked only when the operator said so
  base::OffloadWanted offload = base::OffloadWanted::no;
  bool default_proposals = false;  // esp_proposals = default: the devices decide on their order
  Handling handling;
  Treatment treatment = Treatment::protect;
  // Packets that its selectors cover bring it up (protect), or its policies stand (pass, drop), from the load on.
  bool trap = false;
  // The tunnel's ends as far as they are known: a trap needs `remote`; without `local` the route tells it.
  std::optional<base::Address> local, remote;
};

struct Plan {
  std::vector<ChildPlan> children;
};

}  // namespace espgate::sad
