// SPDX-License-Identifier: Apache-2.0
#include "steer/capacity.h"

#include <gtest/gtest.h>

#include <limits>

namespace espgate::steer {
namespace {

TEST(Capacity, KeepsTwoSlotsOrOnePercentOrWhatWasAskedFor) {
  EXPECT_EQ(Capacity(33).reserve(), 2U);
  EXPECT_EQ(Capacity(200).reserve(), 2U);
  EXPECT_EQ(Capacity(201).reserve(), 3U);
  EXPECT_EQ(Capacity(10'000).reserve(), 100U);
  EXPECT_EQ(Capacity(10'000, 250).reserve(), 250U);
  EXPECT_EQ(Capacity(10'000, 50).reserve(), 100U);
  EXPECT_EQ(Capacity(33).usable(), 31U);
}

TEST(Capacity, OfATinyTableAtMostHalfIsKept) {
  EXPECT_EQ(Capacity(3).usable(), 2U);
  EXPECT_EQ(Capacity(2).usable(), 1U);
  EXPECT_EQ(Capacity(1).usable(), 1U);
  EXPECT_EQ(Capacity(0).usable(), 0U);
  EXPECT_EQ(Capacity(8, 100).usable(), 4U);
}

TEST(Capacity, UnknownUntilTheDeviceRefuses) {
  Capacity capacity(std::nullopt);
  EXPECT_FALSE(capacity.known());
  EXPECT_EQ(capacity.usable(), std::numeric_limits<std::uint32_t>::max());
  capacity.refused(1024);
  EXPECT_EQ(capacity.known(), 1024U);
  EXPECT_EQ(capacity.usable(), 1024U - 11U);
}

TEST(Capacity, ARefusalNeverRaisesIt) {
  Capacity capacity(100);
  capacity.refused(40);
  EXPECT_EQ(capacity.known(), 40U);
  capacity.refused(70);
  EXPECT_EQ(capacity.known(), 40U);
}

void pass(Capacity& capacity, std::uint32_t rounds, bool wanted = true) {
  for (std::uint32_t i = 0; i < rounds; ++i) capacity.round_passed(wanted);
}

TEST(Capacity, GrowsAgainAfterAWhileWithoutARefusal) {
  Capacity capacity(std::nullopt);
  capacity.refused(1000);
  pass(capacity, Capacity::patience - 1);
  EXPECT_EQ(capacity.known(), 1000U);
  pass(capacity, 1);
  EXPECT_EQ(capacity.known(), 1010U);
  pass(capacity, Capacity::patience);
  EXPECT_EQ(capacity.known(), 1020U);
}

TEST(Capacity, DoesNotGrowIfNobodyWaits) {
  Capacity capacity(std::nullopt);
  capacity.refused(1000);
  pass(capacity, 10 * Capacity::patience, false);
  EXPECT_EQ(capacity.known(), 1000U);
}

TEST(Capacity, WaitsTwiceAsLongAfterAGrowthThatWasRefused) {
  Capacity capacity(std::nullopt);
  capacity.refused(50);
  pass(capacity, Capacity::patience);
  ASSERT_EQ(capacity.known(), 51U);
  capacity.refused(50);
  pass(capacity, 2 * Capacity::patience - 1);
  EXPECT_EQ(capacity.known(), 50U);
  pass(capacity, 1);
  EXPECT_EQ(capacity.known(), 51U);
}

TEST(Capacity, ButNeverLongerThanTheLongestWait) {
  Capacity capacity(std::nullopt);
  capacity.refused(50);
  for (int i = 0; i < 12; ++i) {
    pass(capacity, Capacity::most_patience);
    capacity.refused(50);
  }
  pass(capacity, Capacity::most_patience);
  EXPECT_EQ(capacity.known(), 51U);
}

TEST(Capacity, GrowsNoFurtherThanConfigured) {
  Capacity capacity(52);
  capacity.refused(50);
  pass(capacity, 10 * Capacity::patience);
  EXPECT_EQ(capacity.known(), 52U);
}

}  // namespace
}  // namespace espgate::steer
