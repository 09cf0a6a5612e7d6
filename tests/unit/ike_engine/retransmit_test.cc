// SPDX-License-Identifier: Apache-2.0
#include "ike/task/retransmit.h"

#include <gtest/gtest.h>

namespace espgate::ike {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Retransmit, WaitsGrowExponentially) {
  const Retransmission schedule{seconds(2), 1.5, 3, base::Duration{0}};
  EXPECT_EQ(Retransmit::wait(schedule, 0), base::Duration(seconds(2)));
  EXPECT_EQ(Retransmit::wait(schedule, 1), base::Duration(seconds(3)));
  EXPECT_EQ(Retransmit::wait(schedule, 2), base::Duration(milliseconds(4500)));
}

TEST(Retransmit, TheLimitCapsEachWait) {
  const Retransmission schedule{seconds(2), 2.0, 9, seconds(5)};
  EXPECT_EQ(Retransmit::wait(schedule, 1), base::Duration(seconds(4)));
  EXPECT_EQ(Retransmit::wait(schedule, 2), base::Duration(seconds(5)));
}

TEST(Retransmit, AHugeBaseDoesNotOverflow) {
  const Retransmission schedule{seconds(4), 1e9, 100, base::Duration{0}};
  EXPECT_EQ(Retransmit::wait(schedule, 90), base::Duration(std::chrono::hours(24)));
}

TEST(Retransmit, GivesUpAfterAllTries) {
  Retransmit timer;
  base::Instant now{};
  timer.start({seconds(1), 2.0, 2, base::Duration{0}}, now);
  EXPECT_EQ(timer.due(), now + seconds(1));
  EXPECT_TRUE(timer.again(now += seconds(1)));
  EXPECT_EQ(timer.due(), now + seconds(2));
  EXPECT_TRUE(timer.again(now += seconds(2)));
  EXPECT_EQ(timer.due(), now + seconds(4));
  EXPECT_FALSE(timer.again(now += seconds(4)));
  EXPECT_EQ(timer.sent(), 2U);
}

}  // namespace
}  // namespace espgate::ike
