// SPDX-License-Identifier: Apache-2.0
// Small traces whose outcome is known beforehand.
#include "tools/steer_sim/simulate.h"

#include "tests/unit/steer/sim_testing.h"

namespace espgate::steer_sim {
namespace {

TEST(Simulate, FewerSasThanSlotsAreAllInHardwareFromTheStart) {
  const auto trace = trace_of(30, 40, [](int t, int sa) { return 1 + (t * 7 + sa * 13) % 50; });
  const auto result = run(*trace, 50);
  EXPECT_EQ(result.steered.octets_in_hardware, result.octets);
  EXPECT_EQ(result.steered.moves, 0U);
  EXPECT_NEAR(result.optimum, result.octets, 0.01 * result.octets);
}

TEST(Simulate, EqualRatesMoveNobody) {
  const auto trace = trace_of(50, 300, [](int, int) { return 1000; });
  const auto result = run(*trace, 100);
  EXPECT_EQ(result.steered.moves, 0U);
  EXPECT_EQ(result.steered.octets_in_hardware, result.best_static);
  EXPECT_EQ(result.usable, 98U);
}

TEST(Simulate, OneElephantIsFoundInOneInterval) {
  const auto trace = trace_of(100, 300, [](int, int sa) { return sa == 299 ? 1e9 : 1000; });
  const auto result = run(*trace, 200);
  EXPECT_GE(result.steered.octets_in_hardware, 0.98 * result.octets);
  EXPECT_EQ(result.steered.moves, 2U);
}

TEST(Simulate, AnIntervalWithoutTrafficCostsNothing) {
  const auto trace = trace_of(200, 300, [](int t, int sa) { return t % 50 > 20 ? -1 : 1e6 / (1 + (sa * 7919) % 300); });
  const auto result = run(*trace, 100);
  EXPECT_LE(result.steered.most_moves, 1U);
  EXPECT_GE(result.steered.octets_in_hardware, 0.9 * result.optimum);
}

TEST(Simulate, ASlotThatIsLeftGoesToTheHeaviestWhoWaits) {
  // Half of the holders go in the middle; the others carry a tenth of what they did.
  const auto trace = trace_of(300, 300, [](int t, int sa) { return sa < 50 ? (t < 100 ? 1e6 : -1) : 1e5; });
  const auto result = run(*trace, 100);
  EXPECT_EQ(result.steered.demotions, 0U);
  EXPECT_EQ(result.steered.promotions, 50U);
  EXPECT_GE(result.steered.octets_in_hardware, 0.98 * result.optimum);
}

TEST(Simulate, TheBaselinesAreWhatTheyAreCalled) {
  // 10 light SAs first, then 10 heavy ones: the device is full of light ones.
  const auto trace = trace_of(40, 20, [](int t, int sa) { return sa < 10 ? 10 : (t == 0 ? -1 : 1000); });
  const auto result = run(*trace, 12);
  EXPECT_EQ(result.usable, 10U);
  EXPECT_EQ(result.first_come.octets_in_hardware, 40 * 10 * 10);
  EXPECT_EQ(result.first_come.moves, 0U);
  // One interval late, and then right to the end.
  EXPECT_EQ(result.top_of_last.octets_in_hardware, 2 * 10 * 10 + 38 * 10 * 1000);
  EXPECT_EQ(result.top_of_last.most_moves, 20U);
  EXPECT_EQ(result.best_static, 39 * 10 * 1000);
}

TEST(Simulate, TheHeadroomIsNeverTaken) {
  const auto trace = trace_of(60, 500, [](int t, int sa) { return (sa + t / 10) % 7 == 0 ? 100'000 : 10; });
  for (const std::uint32_t slots : {3U, 10U, 33U, 100U, 400U}) {
    const auto result = run(*trace, slots, false);
    EXPECT_LE(result.steered.most_holders, result.usable);
    EXPECT_LE(result.steered.most_moves, std::max(1U, slots / 100));
  }
}

TEST(Simulate, JsonHasWhatIsPromised) {
  const auto trace = trace_of(10, 30, [](int t, int sa) { return t + sa; });
  const auto text = json(run(*trace, 10), "a \"name\"");
  for (const char* key :
       {"\"trace\":\"a \\\"name\\\"\"", "\"bytes_total\":", "\"bytes_in_hw\":", "\"share\":", "\"optimum_bytes\":",
        "\"ratio_to_optimum\":", "\"best_static_bytes\":", "\"moves\":", "\"max_moves_per_interval\":", "\"budget\":1",
        "\"rounds\":10", "\"round_ms_median\":", "\"round_ms_p99\":", "\"baselines\":{\"fcfs\":{",
        "\"topk_no_hysteresis\":{"}) {
    EXPECT_NE(text.find(key), std::string::npos) << key << "\n" << text;
  }
}

}  // namespace
}  // namespace espgate::steer_sim
