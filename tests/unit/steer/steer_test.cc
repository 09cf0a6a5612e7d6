// SPDX-License-Identifier: Apache-2.0
// Where children are put when they come, and what is known of them.
#include "steer/steer.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/unit/steer/rig.h"

namespace espgate::steer {
namespace {

Config with(std::uint32_t slots) {
  Config config;
  config.slots = slots;
  return config;
}

TEST(SteerPlace, HardwareUntilJustTheHeadroomIsLeft) {
  Rig rig(with(5));
  EXPECT_TRUE(rig.place("a"));
  EXPECT_TRUE(rig.place("b"));
  EXPECT_TRUE(rig.place("c"));
  EXPECT_EQ(rig.why, Reason::free_slot);
  EXPECT_FALSE(rig.place("d"));
  EXPECT_EQ(rig.why, Reason::device_full);
  EXPECT_EQ(rig.steer.holders(), 3U);
}

TEST(SteerPlace, AnIneligibleChildTakesNoSlot) {
  Rig rig(with(5));
  EXPECT_FALSE(rig.place("a", {.eligible = false}));
  EXPECT_EQ(rig.why, Reason::ineligible);
  EXPECT_EQ(rig.steer.holders(), 0U);
}

TEST(SteerPlace, WithoutAKnownCapacityAllGoToHardware) {
  Rig rig{Config{}};
  for (int i = 0; i < 5000; ++i) ASSERT_TRUE(rig.steer.place().hardware);
}

TEST(SteerPlace, WhoIsFoundInHardwareStaysThere) {
  Rig rig(with(4));
  EXPECT_TRUE(rig.place("a", {.in_hardware = true}));
  EXPECT_TRUE(rig.place("b", {.in_hardware = true}));
  EXPECT_TRUE(rig.place("c", {.in_hardware = true}));
  EXPECT_EQ(rig.steer.holders(), 3U) << "more than may be: the next rounds see to that";
}

TEST(SteerPlace, ASlotThatAWaitingChildHasUseForIsNotGivenToAStranger) {
  Rig rig(with(4));
  rig.place("a"), rig.place("b"), rig.place("c");
  rig.sends = {{"a", 100}, {"b", 100}, {"c", 90}};
  rig.round();
  rig.depart("a");
  EXPECT_FALSE(rig.place("d"));
  EXPECT_EQ(rig.why, Reason::kept_for_waiting);
  EXPECT_EQ(rig.round(), std::vector<std::string>{"+c"});
  EXPECT_EQ(rig.last[0].why, Reason::free_slot);
}

TEST(SteerPlace, ASlotThatNobodyWaitsForIs) {
  Rig rig(with(4));
  rig.place("a"), rig.place("b"), rig.place("c");
  rig.sends = {{"a", 100}, {"b", 100}};  // c carries nothing
  rig.round();
  rig.depart("a");
  EXPECT_TRUE(rig.place("d"));
}

TEST(SteerDepart, FreesTheSlotAndIsNoMove) {
  Rig rig(with(4));
  rig.place("a"), rig.place("b");
  rig.depart("a");
  EXPECT_EQ(rig.steer.holders(), 1U);
  EXPECT_TRUE(rig.round().empty());
}

TEST(SteerDepart, TheNumberIsGivenAgainWithoutItsPast) {
  Rig rig(with(4));
  rig.place("a");
  rig.sends = {{"a", 1'000'000}};
  for (int i = 0; i < 5; ++i) rig.round();
  const auto number = rig.children.at("a");
  rig.depart("a");
  rig.place("b");
  ASSERT_EQ(rig.children.at("b"), number);
  EXPECT_EQ(rig.steer.rate(number), 0);
  rig.round();
  EXPECT_EQ(rig.steer.rate(number), 0);
}

TEST(SteerRate, IsOctetsASecondHalvedOverTheHalfLife) {
  Config config = with(100);
  Rig rig(config);
  rig.place("a");
  rig.sends = {{"a", 10'000}};
  for (int i = 0; i < 100; ++i) rig.round();
  EXPECT_NEAR(rig.steer.rate(rig.children["a"]), 1000, 1);
  rig.sends.clear();
  for (int i = 0; i < config.half_life; ++i) rig.round();
  EXPECT_NEAR(rig.steer.rate(rig.children["a"]), 500, 1);
}

TEST(SteerRate, OfANewcomerIsOverItsLifeAndOneSilentInterval) {
  Rig rig(with(100));
  rig.place("a");
  rig.sends = {{"a", 10'000}};
  rig.round();
  EXPECT_NEAR(rig.steer.rate(rig.children["a"]), 530, 30);
  rig.round();
  EXPECT_NEAR(rig.steer.rate(rig.children["a"]), 700, 30);
}

TEST(SteerRate, OfAFormerLifeIsTakenOver) {
  Rig rig(with(100));
  rig.place("a", {.rate = 5000.0});
  EXPECT_EQ(rig.steer.rate(rig.children["a"]), 5000);
  rig.round();
  EXPECT_LT(rig.steer.rate(rig.children["a"]), 5000);
  EXPECT_GT(rig.steer.rate(rig.children["a"]), 4000);
}

TEST(SteerRate, DoesNotDependOnHowLateARoundIs) {
  Rig even(with(100)), late(with(100));
  even.place("a"), late.place("a");
  even.sends = late.sends = {{"a", 10'000}};
  for (int i = 0; i < 60; ++i) even.round();
  for (int i = 0; i < 59; ++i) late.round();
  late.now += std::chrono::seconds(10);
  late.sends = {{"a", 20'000}};
  late.round();
  EXPECT_NEAR(late.steer.rate(late.children["a"]), even.steer.rate(even.children["a"]), 5);
}

TEST(SteerReason, EachHasACodeOfItsOwn) {
  std::set<std::string_view> codes;
  for (int i = 0; i <= static_cast<int>(Reason::kept_for_waiting); ++i) {
    EXPECT_TRUE(codes.insert(code(static_cast<Reason>(i))).second);
  }
  EXPECT_FALSE(codes.contains("unknown"));
}

}  // namespace
}  // namespace espgate::steer
