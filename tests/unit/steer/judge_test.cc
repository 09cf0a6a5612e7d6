// SPDX-License-Identifier: Apache-2.0
#include "steer/judge.h"

#include <gtest/gtest.h>

namespace espgate::steer {
namespace {

struct Bench {
  Judge judge;
  std::vector<double> fresh = std::vector<double>(4, 0);
  std::vector<std::uint32_t> lives = std::vector<std::uint32_t>(4, 0);
  std::uint32_t now = 0;

  void round(double a, double b) {
    fresh[0] = a;
    fresh[1] = b;
    judge.round(fresh, lives, ++now, 20);
  }
  int swaps() {
    int n = 0;
    while (judge.may_swap()) ++n;
    return n;
  }
};

TEST(Judge, AtFirstAllSwapsAreAllowed) {
  Bench bench;
  bench.round(0, 0);
  EXPECT_EQ(bench.judge.merit(), 1);
  EXPECT_EQ(bench.swaps(), 10);
}

TEST(Judge, ASwapThatPaysChangesNothing) {
  Bench bench;
  bench.judge.swapped({0, 0}, {1, 0}, 0);
  for (int i = 0; i < 20; ++i) bench.round(1000, 100);
  EXPECT_NEAR(bench.judge.merit(), 0.91, 0.01);
  EXPECT_EQ(bench.swaps(), 10);
}

TEST(Judge, WhereBothCarryTheSameFewAreMade) {
  Bench bench;
  bench.judge.swapped({0, 0}, {1, 0}, 0);
  for (int i = 0; i < 40; ++i) bench.round(i % 2 == 0 ? 1000 : 0, i % 2 == 0 ? 0 : 1000);
  EXPECT_NEAR(bench.judge.merit(), 0.5, 0.02);
  bench.swaps();
  bench.round(0, 1000);
  EXPECT_EQ(bench.swaps(), 0);
  int swaps = 0;
  for (int i = 0; i < 16; ++i) {
    bench.round(i % 2 == 0 ? 1000 : 0, i % 2 == 0 ? 0 : 1000);
    swaps += bench.swaps();
  }
  EXPECT_EQ(swaps, 10) << "one in sixteen";
}

TEST(Judge, ForgetsWhoIsGoneAndWhatIsLongAgo) {
  Bench bench;
  bench.judge.swapped({0, 0}, {1, 0}, 0);
  for (int i = 0; i < 10; ++i) bench.round(0, 1000);
  EXPECT_EQ(bench.judge.merit(), 0);
  bench.lives[1] = 1;
  bench.round(0, 1000);
  EXPECT_EQ(bench.judge.merit(), 1);

  bench.judge.swapped({0, 0}, {1, 1}, bench.now);
  for (std::uint32_t i = 0; i < Judge::watched; ++i) bench.round(0, 1000);
  EXPECT_EQ(bench.judge.merit(), 0);
  bench.round(0, 1000);
  EXPECT_EQ(bench.judge.merit(), 1);
}

}  // namespace
}  // namespace espgate::steer
