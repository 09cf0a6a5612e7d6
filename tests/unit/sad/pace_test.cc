// SPDX-License-Identifier: Apache-2.0
// Who is too fast for an SA without ESN.
#include "sad/pace.h"

#include <gmock/gmock.h>

namespace espgate::sad {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using namespace std::chrono_literals;

const Pace::Name kFast{"a", "fast"}, kSlow{"a", "slow"};
constexpr base::Instant at(std::chrono::seconds since) { return base::Instant{} + since; }

TEST(Pace, TwoReadingsMakeARate) {
  Pace pace;
  pace.count(at(10s), kFast, base::ChildId{1}, false, 1000);
  EXPECT_EQ(pace.peak(at(10s), kFast), 0) << "what it carried before is of nobody knows when";
  pace.count(at(20s), kFast, base::ChildId{1}, false, 51000);
  EXPECT_EQ(pace.peak(at(20s), kFast), 5000);
  pace.count(at(30s), kFast, base::ChildId{1}, false, 52000);
  EXPECT_EQ(pace.peak(at(30s), kFast), 5000) << "the most counts";
  pace.count(at(30s), kFast, base::ChildId{1}, true, 0);
  pace.count(at(40s), kFast, base::ChildId{1}, true, 60000);
  EXPECT_EQ(pace.peak(at(40s), kFast), 6000) << "each direction has its own numbers";
}

TEST(Pace, ARekeyBeginsAtNothing) {
  Pace pace;
  pace.count(at(0s), kFast, base::ChildId{1}, false, 1'000'000);
  pace.count(at(10s), kFast, base::ChildId{2}, false, 10);
  pace.count(at(20s), kFast, base::ChildId{2}, false, 110);
  EXPECT_EQ(pace.peak(at(20s), kFast), 10);
}

TEST(Pace, TenMinutesToTheLastNumberAreTheLimit) {
  EXPECT_NEAR(kMostWithoutEsn, 7'158'279, 1);
  Pace pace;
  const auto count = [&](const Pace::Name& name, std::uint64_t id, std::uint64_t in_ten_seconds) {
    pace.count(at(0s), name, base::ChildId{id}, false, 0);
    pace.count(at(10s), name, base::ChildId{id}, false, in_ten_seconds);
  };
  count(kFast, 1, 71'582'789);
  count(kSlow, 2, 71'582'788);
  EXPECT_THAT(pace.hurried(at(10s)), ElementsAre(kFast));
}

TEST(Pace, IsForgottenAfterADay) {
  Pace pace;
  pace.count(at(0s), kFast, base::ChildId{1}, false, 0);
  pace.count(at(10s), kFast, base::ChildId{1}, false, 1'000'000'000);
  EXPECT_THAT(pace.hurried(at(10s) + 24h), ElementsAre(kFast));
  EXPECT_THAT(pace.hurried(at(11s) + 24h), IsEmpty());
  EXPECT_EQ(pace.peak(at(11s) + 24h, kFast), 0);
  pace.count(at(10s) + 25h, kFast, base::ChildId{1}, false, 1'000'090'000);
  EXPECT_EQ(pace.peak(at(10s) + 25h, kFast), 1);
}

TEST(Pace, GenerationsThatAreGoneAreForgottenTheirPeakIsNot) {
  Pace pace;
  pace.count(at(0s), kFast, base::ChildId{1}, false, 0);
  pace.count(at(10s), kFast, base::ChildId{1}, false, 1000);
  pace.keep({});
  pace.count(at(20s), kFast, base::ChildId{1}, false, 1'000'000);
  EXPECT_EQ(pace.peak(at(20s), kFast), 100);
}

}  // namespace
}  // namespace espgate::sad
