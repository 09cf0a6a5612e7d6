// SPDX-License-Identifier: Apache-2.0
// What the shield does, told in few lines: when it begins to turn packets of a kind away on a device, and, once it has
// not for a while, how many that were.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "maps/reader.h"

namespace espgate::gateway {

class ShieldTale {
 public:
  static constexpr base::Duration kQuiet = std::chrono::seconds(10);  // so long without a packet ends an episode

  struct Line {
    std::string text;
    bool begins = false;
  };
  // Lines for the log after another look at the counters. The first look only takes them for granted: they outlive us.
  std::vector<Line> look(base::Instant now, const std::vector<maps::ShieldRow>& rows);
  // Ends what goes on.
  std::vector<Line> finish(base::Instant now);

 private:
  using Counts = std::array<std::uint64_t, ESPGATE_SHIELD_EVENT_COUNT>;
  struct Episode {
    base::Instant began, last;
    Counts before{};  // as they were when it began
  };
  struct Device {
    std::string name;
    Counts counts{};
  };
  static Line ended(const Device& device, std::size_t kind, const Episode& episode);

  std::map<std::uint32_t, Device> devices_;                            // by ifindex
  std::map<std::pair<std::uint32_t, std::size_t>, Episode> episodes_;  // by ifindex and kind
  base::Instant looked_at_;
  bool begun_ = false;
};

}  // namespace espgate::gateway
