// SPDX-License-Identifier: Apache-2.0
#include "steer/judge.h"

#include <algorithm>

namespace espgate::steer {

void Judge::round(std::span<const double> fresh, std::span<const std::uint32_t> lives, std::uint32_t now,
                  std::uint32_t budget) {
  double sum = 0, weight = 0;
  const auto over = [&](Trial& trial) {
    if (now - trial.since > watched) return true;
    if (lives[trial.in.child] != trial.in.life || lives[trial.out.child] != trial.out.life) return true;
    trial.carried_in += fresh[trial.in.child];
    trial.carried_out += fresh[trial.out.child];
    const double both = trial.carried_in + trial.carried_out;
    if (both <= 0) return false;
    const double age = now - trial.since;
    sum += age * trial.carried_in / both;
    weight += age;
    return false;
  };
  std::erase_if(trials_, over);
  merit_ = weight > 0 ? sum / weight : 1;
  const double speed = std::clamp((merit_ - idle) / (pays - idle), least, 1.0);
  const double swaps = std::max(1.0, budget / 2.0);
  allowance_ = std::min(allowance_ + speed * swaps, swaps);
}

bool Judge::may_swap() {
  if (allowance_ < 1) return false;
  allowance_ -= 1;
  return true;
}

void Judge::swapped(Who in, Who out, std::uint32_t now) { trials_.push_back({in, out, 0, 0, now}); }

}  // namespace espgate::steer
