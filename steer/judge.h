// SPDX-License-Identifier: Apache-2.0
// Do swaps pay? Each one is watched for a while: what has the child carried that came in, what the one that went? Where
// both carry the same, traffic alternates, or is noise, and each swap comes too late: then fewer are made.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <vector>

namespace espgate::steer {

class Judge {
 public:
  // A child's number, and which of its holders (numbers are used again).
  struct Who {
    std::uint32_t child, life;
  };

  // A round begins: `fresh` octets per child since the last, `lives` as of now. `budget`: moves a round.
  void round(std::span<const double> fresh, std::span<const std::uint32_t> lives, std::uint32_t now,
             std::uint32_t budget);
  // One more swap in this round? Takes it from the allowance.
  bool may_swap();
  void swapped(Who in, Who out, std::uint32_t now);

  // The share of those that came in of what both carried since: 1 if each swap was right, 0.5 if none mattered.
  [[nodiscard]] double merit() const { return merit_; }

  static constexpr std::uint32_t watched = 512;  // rounds
  static constexpr double pays = 0.65, idle = 0.55;
  static constexpr double least = 1.0 / 16;  // of the budget: without swaps nothing would be learned any more

 private:
  struct Trial {
    Who in, out;
    double carried_in = 0, carried_out = 0;
    std::uint32_t since;
  };
  std::deque<Trial> trials_;
  double merit_ = 1;
  double allowance_ = 0;  // swaps
};

}  // namespace espgate::steer
