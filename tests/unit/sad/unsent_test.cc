// SPDX-License-Identifier: Apache-2.0
// Packets that packet mode drops without a word.
#include "sad/unsent.h"

#include <gmock/gmock.h>

namespace espgate::sad {
namespace {

using testing::HasSubstr;
using testing::StartsWith;
using namespace std::chrono_literals;

constexpr base::Instant at(std::chrono::seconds since) { return base::Instant{} + since; }

bool yes() { return true; }
bool no() { return false; }

TEST(Unsent, WhatIsNewIsSaidOnceAMinute) {
  Unsent unsent;
  EXPECT_FALSE(unsent.count(at(0s), 100, yes)) << "before our time";
  EXPECT_FALSE(unsent.count(at(1s), 100, yes));
  const auto first = unsent.count(at(2s), 103, yes);
  ASSERT_TRUE(first);
  EXPECT_THAT(*first, StartsWith("3 outbound packets were dropped (XfrmOutError)"));
  EXPECT_THAT(*first, HasSubstr("larger than the tunnel's MTU"));
  EXPECT_FALSE(unsent.count(at(3s), 110, yes));
  EXPECT_FALSE(unsent.count(at(61s), 120, yes));
  const auto second = unsent.count(at(62s), 121, yes);
  ASSERT_TRUE(second) << "and none is left out of the sum";
  EXPECT_THAT(*second, StartsWith("18 outbound"));
  EXPECT_FALSE(unsent.count(at(300s), 121, yes));
}

TEST(Unsent, WithoutPacketModeItIsNoConcern) {
  Unsent unsent;
  EXPECT_FALSE(unsent.count(at(0s), 0, no));
  EXPECT_FALSE(unsent.count(at(1s), 5, no));
  EXPECT_FALSE(unsent.count(at(2s), 5, yes)) << "what was counted before";
  EXPECT_TRUE(unsent.count(at(3s), 6, yes));
}

TEST(Unsent, ACounterThatWentBackBeginsAnew) {
  Unsent unsent;
  EXPECT_FALSE(unsent.count(at(0s), 50, yes));
  EXPECT_FALSE(unsent.count(at(1s), 2, yes));
  EXPECT_TRUE(unsent.count(at(2s), 3, yes));
}

}  // namespace
}  // namespace espgate::sad
