// SPDX-License-Identifier: Apache-2.0
// A trace walked by Steer and, beside it, by what is simpler and what is best.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/steer_sim/optimum.h"
#include "tools/steer_sim/policies.h"
#include "tools/steer_sim/trace.h"

namespace espgate::steer_sim {

struct Options {
  std::uint32_t slots = 0;
  steer::Config steer{};  // slots and interval are filled in
  bool optimum = true;    // compute it: several more walks through the trace
  unsigned steps = 150;   // of the optimum's prices
  std::uint32_t sample = 10'000;
};

struct Outcome {
  double octets_in_hardware = 0;
  double second_half = 0;  // of them, in the second half of the intervals
  std::uint64_t moves = 0, promotions = 0, demotions = 0;
  std::uint32_t most_moves = 0;  // in one interval
  std::uint32_t most_holders = 0;
};

struct Result {
  double octets = 0, octets_second_half = 0;
  std::uint64_t rounds = 0, sas = 0;
  double interval = 0;
  std::uint32_t slots = 0, reserve = 0, usable = 0, budget = 0;
  Outcome steered, first_come, top_of_last;
  double best_static = 0;
  // Upper bounds, in octets (optimum.h); 0: not computed.
  double optimum = 0;       // the same usable slots, budget and first installations
  double free_optimum = 0;  // all slots, and first installations chosen with the future known
  double top_each = 0;      // the heaviest of each interval: no budget, all slots
  double round_ms_median = 0, round_ms_p99 = 0, round_ms_most = 0;
};

Result simulate(Trace& trace, const Options& options);

// One JSON object. `what` names the trace.
std::string json(const Result& result, const std::string& what);
// A few lines for people.
std::string text(const Result& result, const std::string& what);

}  // namespace espgate::steer_sim
