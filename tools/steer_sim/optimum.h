// SPDX-License-Identifier: Apache-2.0
// What somebody could have carried in hardware who knew the whole trace beforehand, with so many slots and so many
// moves an interval. Not that number itself but an upper bound of it, which is the careful side to err on.
//
// Linear programme: maximise the octets of SAs in hardware; at most `slots` of them in each interval; between two
// intervals at most `budget` live SAs change sides. Give a slot in interval t the price L[t] and a move before it the
// price M[t]: then each SA alone can find its best way through its life (two states, dynamic programming), and
//     sum of all SAs' best profits + sum over t of (slots * L[t] + budget * M[t])
// is at least the optimum, whatever the prices (weak duality). The prices are improved by subgradient steps over a
// sample of the SAs that matter; the bound is then taken exactly, over all of them.
#pragma once

#include <cstdint>
#include <vector>

#include "tools/steer_sim/trace.h"

namespace espgate::steer_sim {

struct Rules {
  std::uint32_t slots = 0;
  std::uint32_t budget = 0;
  // By SA: 1 if it is in hardware in the interval it is installed in, 0 if not. Empty: as is best.
  std::vector<std::uint8_t> first;
};

struct Prices {
  std::vector<double> slot, move;  // by interval, both >= 0
  double carried = 0;              // octets of the `slots` heaviest of each interval: the bound without a budget
  double unit = 0;                 // of them, per slot and interval: the scale of the steps
};

// Prices to begin with: a slot is worth what the lightest of the `slots` heaviest of that interval carries, a move
// nothing.
Prices without_budget(Trace& trace, std::uint32_t slots);

// An SA's life: what it sent from `begin` on, an interval each.
struct Life {
  std::uint32_t begin = 0;
  bool in_hardware = false;  // at first
  std::vector<float> octets;
};

// At most `sample` of the SAs that matter, kept in memory to look for better prices.
class Market {
 public:
  static constexpr unsigned automatic = ~0U;  // as many steps as the size allows

  Market(Trace& trace, const std::vector<std::uint8_t>& first, const Prices& prices, std::uint32_t sample);
  [[nodiscard]] Prices improved(const Rules& rules, Prices prices, unsigned steps = automatic) const;

 private:
  std::vector<Life> lives_;
  double weight_ = 1;  // how many SAs one of the sample stands for
};

// The bound that follows from these prices, in octets.
double bound(Trace& trace, const Rules& rules, const Prices& prices);

}  // namespace espgate::steer_sim
