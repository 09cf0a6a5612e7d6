// SPDX-License-Identifier: Apache-2.0
// Traces made by rule and seed, for sizes that no file would be read in.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "tools/steer_sim/trace.h"

namespace espgate::steer_sim {

// zipf: rates by rank, each interval's noise lognormal (sigma 0.5). churn: the same, and each interval 0.5 % of the SAs
// go and as many come, with rates of their own. diurnal: the same as zipf, each SA's rate going up and down by a factor
// of 19 once a day (half the trace), at an hour of its own. storm: churn and diurnal at once. adversary: two sets as
// large as the device, sending by turns, each turn as long as one of 1, 2, 3, 5, 8, ... 144 intervals, a few times
// each; the rest of the SAs now and then.
enum class Kind : std::uint8_t { zipf, churn, diurnal, storm, adversary };
std::optional<Kind> kind_of(std::string_view word);
std::string_view word_of(Kind kind);

struct Recipe {
  Kind kind = Kind::zipf;
  std::uint32_t sas = 100'000;
  std::uint32_t slots = 1000;  // adversary: the size of its sets
  double alpha = 1;            // Zipf's exponent
  std::uint64_t seed = 1;
  std::uint32_t rounds = 1000;
};

std::unique_ptr<Trace> generate(const Recipe& recipe);

}  // namespace espgate::steer_sim
