// SPDX-License-Identifier: Apache-2.0
// The promised shares, on sizes a test has time for: 100 SAs for each slot, as with 10^6 and 10^4.
#include "tests/unit/steer/sim_testing.h"
#include "tools/steer_sim/generate.h"

namespace espgate::steer_sim {
namespace {

struct Case {
  Kind kind;
  double alpha;
  std::uint64_t seed;
};

class Promised : public testing::TestWithParam<Case> {};

TEST_P(Promised, NearTheOptimumWithinTheBudget) {
  const auto [kind, alpha, seed] = GetParam();
  const auto trace = generate({kind, 20'000, 200, alpha, seed, 400});
  const auto result = run(*trace, 200);
  EXPECT_LE(result.steered.most_moves, 2U);
  EXPECT_LE(result.steered.most_holders, result.usable);
  EXPECT_GE(result.steered.octets_in_hardware, 0.95 * result.optimum);
  EXPECT_GE(result.free_optimum, 0.999 * result.steered.octets_in_hardware) << "an upper bound is above";
  EXPECT_GE(result.steered.octets_in_hardware, 3 * result.first_come.octets_in_hardware);
}

INSTANTIATE_TEST_SUITE_P(Traces, Promised,
                         testing::Values(Case{Kind::zipf, 1.0, 1}, Case{Kind::zipf, 1.2, 2}, Case{Kind::churn, 1.0, 3},
                                         Case{Kind::churn, 1.2, 4}, Case{Kind::diurnal, 1.0, 5},
                                         Case{Kind::diurnal, 1.2, 6}, Case{Kind::storm, 1.0, 7},
                                         Case{Kind::storm, 1.2, 8}));

class Alternating : public testing::TestWithParam<int> {};

TEST_P(Alternating, AtLeastTheBestStaticSet) {
  const int turn = GetParam();
  // Two sets that could each fill the device send by turns; they were installed mixed.
  const auto trace = trace_of(800, 400, [&](int t, int sa) {
    const bool on = sa % 2 == t / turn % 2;
    return on ? 1000 : (t == 0 || t == 799 ? 1 : -1);
  });
  const auto result = run(*trace, 200, false);
  EXPECT_LE(result.steered.most_moves, 2U);
  EXPECT_GE(result.steered.octets_in_hardware, 0.95 * result.best_static);
}

INSTANTIATE_TEST_SUITE_P(Turns, Alternating, testing::Values(1, 2, 3, 4, 5, 7, 10, 14, 20, 30, 40, 50, 70, 100));

TEST(Promises, AgainstTurnsOfAllLengths) {
  for (const std::uint32_t slots : {100U, 1000U}) {
    const auto trace = generate({Kind::adversary, 4 * slots, slots, 1.0, 1, 1600});
    const auto result = run(*trace, slots, false);
    EXPECT_LE(result.steered.most_moves, slots / 100);
    EXPECT_GE(result.steered.octets_in_hardware, 0.95 * result.best_static);
  }
}

}  // namespace
}  // namespace espgate::steer_sim
