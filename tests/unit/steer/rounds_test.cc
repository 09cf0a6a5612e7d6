// SPDX-License-Identifier: Apache-2.0
// Which moves a round decides on.
#include <gtest/gtest.h>

#include "tests/unit/steer/rig.h"

namespace espgate::steer {
namespace {

using Moves = std::vector<std::string>;

// Enough slots for two moves a round; `spare` of them free for children beside the headroom.
Rig full_rig(std::uint32_t slots = 200) {
  Config config;
  config.slots = slots;
  Rig rig(config);
  for (std::uint32_t i = 0; i < slots - 2; ++i) rig.place("h" + std::to_string(i));
  return rig;
}

void all_send(Rig& rig, std::uint64_t octets) {
  for (const auto& [name, child] : rig.children) rig.sends[name] = octets;
}

TEST(SteerRound, AHeavyChildTakesTheLightestHoldersSlotAtOnce) {
  auto rig = full_rig();
  all_send(rig, 1000);
  rig.sends["h7"] = 10;
  rig.place("new");
  rig.sends["new"] = 100'000;
  EXPECT_EQ(rig.round(), (Moves{"-h7", "+new"})) << "demotions first: they free the slots";
  EXPECT_EQ(rig.last[0].why, Reason::outweighed);
  EXPECT_EQ(rig.last[1].why, Reason::heavier);
  EXPECT_GT(rig.last[1].rate, rig.last[1].against);
  EXPECT_EQ(rig.last[0].against, rig.last[1].rate);
}

TEST(SteerRound, ALittleMoreIsNotEnough) {
  auto rig = full_rig();
  all_send(rig, 1000);
  rig.place("new");
  rig.sends["new"] = 1200;
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(rig.round().empty()) << i;
}

TEST(SteerRound, ClearlyMoreHasToLast) {
  auto rig = full_rig();
  all_send(rig, 1000);
  rig.place("new");
  rig.sends["new"] = 2000;
  EXPECT_TRUE(rig.round().empty());
  EXPECT_TRUE(rig.round().empty());
  EXPECT_EQ(rig.round().size(), 2U);
  EXPECT_TRUE(rig.in_hardware("new"));
}

TEST(SteerRound, WithOneMoveARoundASwapTakesTwoRounds) {
  auto rig = full_rig(50);
  all_send(rig, 1000);
  rig.place("new");
  rig.sends["new"] = 100'000;
  ASSERT_EQ(rig.steer.budget(), 1U);
  EXPECT_EQ(rig.round().size(), 1U);
  EXPECT_FALSE(rig.place("stranger")) << "the slot is kept for whom it was freed for";
  EXPECT_EQ(rig.round(), Moves{"+new"});
}

TEST(SteerRound, TheHeaviestGoFirstAndTheBudgetHolds) {
  auto rig = full_rig(400);
  all_send(rig, 1000);
  for (int i = 0; i < 50; ++i) {
    rig.place("n" + std::to_string(i));
    rig.sends["n" + std::to_string(i)] = 10'000 + 1000 * i;
  }
  ASSERT_EQ(rig.steer.budget(), 4U);
  const auto moves = rig.round();
  ASSERT_EQ(moves.size(), 4U);
  EXPECT_EQ(moves[2], "+n49");
  EXPECT_EQ(moves[3], "+n48");
}

TEST(SteerRound, IdleChildrenAreNotMoved) {
  auto rig = full_rig();
  rig.place("idle");
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(rig.round().empty());
}

TEST(SteerRound, NothingBeforeItIsDue) {
  auto rig = full_rig();
  rig.place("new");
  rig.sends["new"] = 100'000;
  EXPECT_FALSE(rig.steer.due());
  rig.round();
  ASSERT_EQ(rig.steer.due(), rig.now + std::chrono::seconds(10));
  rig.place("other");
  rig.steer.count(rig.children["other"], 500'000);
  EXPECT_TRUE(rig.steer.round(rig.now + std::chrono::seconds(9)).empty());
  EXPECT_EQ(rig.steer.round(rig.now + std::chrono::seconds(10)).size(), 2U) << "what was counted is not forgotten";
}

TEST(SteerRound, AMovedChildIsLeftAloneForAWhile) {
  auto rig = full_rig();
  all_send(rig, 1000);
  rig.sends["h7"] = 10;
  rig.place("new");
  rig.sends["new"] = 100'000;
  ASSERT_EQ(rig.round().size(), 2U);
  rig.sends["new"] = 0;
  rig.sends["h7"] = 10'000'000;
  for (unsigned i = 1; i < Config{}.cooldown; ++i) {
    for (const auto& move : rig.round()) EXPECT_TRUE(move != "+h7" && move != "-new") << i;
  }
  rig.round();
  EXPECT_TRUE(rig.in_hardware("h7")) << "and no longer";
}

TEST(SteerRound, WhoMayNoLongerBeOffloadedGoesFirst) {
  auto rig = full_rig();
  all_send(rig, 1000);
  rig.steer.set_eligible(rig.children["h3"], false);
  EXPECT_EQ(rig.round(), Moves{"-h3"});
  EXPECT_EQ(rig.last[0].why, Reason::ineligible);
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(rig.round().empty()) << "and does not come back";
}

TEST(SteerRound, ARefusalLowersTheCapacityAndTheHeadroomIsMadeAnew) {
  Rig rig{Config{}};
  for (int i = 0; i < 300; ++i) rig.place("h" + std::to_string(i));
  all_send(rig, 1000);
  rig.steer.refused(rig.children["h299"], 299);
  EXPECT_FALSE(rig.in_hardware("h299"));
  EXPECT_EQ(rig.steer.capacity().known(), 299U);
  EXPECT_EQ(rig.steer.capacity().usable(), 296U);
  EXPECT_EQ(rig.steer.holders(), 299U);
  EXPECT_EQ(rig.round().size(), 2U);
  EXPECT_EQ(rig.last[0].why, Reason::headroom);
  EXPECT_EQ(rig.round().size(), 1U);
  EXPECT_EQ(rig.steer.holders(), 296U);
  EXPECT_TRUE(rig.round().empty());
}

TEST(SteerRound, AMoveThatFailedIsTakenBack) {
  auto rig = full_rig();
  all_send(rig, 1000);
  rig.place("new");
  rig.sends["new"] = 100'000;
  ASSERT_EQ(rig.round().size(), 2U);
  const auto holders = rig.steer.holders();
  rig.steer.observed(rig.children["new"], false);
  EXPECT_EQ(rig.steer.holders(), holders - 1);
  // It is not asked for again at once; its slot goes to the next who comes.
  EXPECT_TRUE(rig.round().empty());
  EXPECT_TRUE(rig.place("next"));
}

TEST(SteerRound, FreeSlotsAreFilledWithTheHeaviest) {
  auto rig = full_rig();
  all_send(rig, 1000);
  rig.place("a"), rig.place("b"), rig.place("c");
  rig.sends["a"] = 20, rig.sends["b"] = 30, rig.sends["c"] = 10;
  rig.round();
  rig.depart("h1"), rig.depart("h2");
  EXPECT_EQ(rig.round(), (Moves{"+b", "+a"}));
}

}  // namespace
}  // namespace espgate::steer
