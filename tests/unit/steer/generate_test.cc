// SPDX-License-Identifier: Apache-2.0
#include "tools/steer_sim/generate.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace espgate::steer_sim {
namespace {

class EachKind : public testing::TestWithParam<Kind> {};

TEST_P(EachKind, IsTheSameEachTimeAndWhole) {
  const auto trace = generate({GetParam(), 2000, 100, 1.0, 7, 60});
  double sum[2] = {0, 0};
  for (double& total : sum) {
    std::set<Sa> live;
    Sa next = 0;
    Interval now;
    trace->rewind();
    int rounds = 0;
    while (trace->next(now)) {
      ++rounds;
      for (const auto sa : now.arrivals) {
        ASSERT_EQ(sa, next++) << "numbered by appearance";
        live.insert(sa);
      }
      std::set<Sa> seen;
      for (const auto& row : now.rows) {
        ASSERT_TRUE(live.contains(row.sa));
        ASSERT_TRUE(seen.insert(row.sa).second) << "one row per SA";
        ASSERT_GE(row.octets, 0);
        total += row.octets;
      }
      for (const auto sa : now.departures) ASSERT_EQ(live.erase(sa), 1U);
    }
    EXPECT_EQ(rounds, 60);
  }
  EXPECT_GT(sum[0], 0);
  EXPECT_EQ(sum[0], sum[1]);
  EXPECT_EQ(kind_of(word_of(GetParam())), GetParam());
}

INSTANTIATE_TEST_SUITE_P(Kinds, EachKind,
                         testing::Values(Kind::zipf, Kind::churn, Kind::diurnal, Kind::storm, Kind::adversary),
                         [](const auto& kind) { return std::string(word_of(kind.param)); });

TEST(Generate, ChurnReplacesHalfAPercentAnInterval) {
  const auto trace = generate({Kind::churn, 10'000, 100, 1.0, 3, 50});
  Interval now;
  std::size_t gone = 0, come = 0;
  for (int i = 0; i < 50 && trace->next(now); ++i) {
    gone += now.departures.size();
    if (i > 0) come += now.arrivals.size();
  }
  EXPECT_NEAR(static_cast<double>(gone), 50 * 50, 50);
  EXPECT_NEAR(static_cast<double>(come), 49 * 50, 50);
}

TEST(Generate, ZipfsHeaviestCarriesItsShare) {
  const auto trace = generate({Kind::zipf, 1000, 100, 1.0, 3, 400});
  std::map<Sa, double> sums;
  double all = 0, most = 0;
  Interval now;
  while (trace->next(now)) {
    for (const auto& row : now.rows) {
      sums[row.sa] += row.octets;
      all += row.octets;
    }
  }
  for (const auto& [sa, sum] : sums) most = std::max(most, sum);
  EXPECT_NEAR(most / all, 1 / 7.485, 0.01);  // one of the 1000th harmonic number
}

}  // namespace
}  // namespace espgate::steer_sim
