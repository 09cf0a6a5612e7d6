// SPDX-License-Identifier: Apache-2.0
// The bound against the truth, found by trying every set in every interval.
#include "tools/steer_sim/optimum.h"

#include <algorithm>
#include <bit>
#include <random>

#include "tests/unit/steer/sim_testing.h"

namespace espgate::steer_sim {
namespace {

using Table = std::vector<std::vector<double>>;  // by interval, by SA; all SAs live all the time

double exact(const Table& table, const Rules& rules) {
  const std::uint32_t sas = static_cast<std::uint32_t>(table[0].size()), sets = 1U << sas;
  const auto carried = [&](std::size_t t, std::uint32_t set) {
    double sum = 0;
    for (std::uint32_t i = 0; i < sas; ++i) sum += (set >> i & 1) != 0 ? table[t][i] : 0;
    return sum;
  };
  std::uint32_t given = 0;
  for (std::uint32_t i = 0; i < rules.first.size(); ++i) given |= rules.first[i] != 0 ? 1U << i : 0;
  std::vector<double> best(sets, -1);
  for (std::uint32_t set = 0; set < sets; ++set) {
    const bool may = rules.first.empty() ? std::popcount(set) <= static_cast<int>(rules.slots) : set == given;
    if (may) best[set] = carried(0, set);
  }
  for (std::size_t t = 1; t < table.size(); ++t) {
    std::vector<double> next(sets, -1);
    for (std::uint32_t from = 0; from < sets; ++from) {
      for (std::uint32_t to = 0; best[from] >= 0 && to < sets; ++to) {
        if (std::popcount(to) > static_cast<int>(rules.slots)) continue;
        if (std::popcount(from ^ to) > static_cast<int>(rules.budget)) continue;
        next[to] = std::max(next[to], best[from] + carried(t, to));
      }
    }
    best = next;
  }
  return *std::max_element(best.begin(), best.end());
}

struct Tight {
  double bounds = 0, truths = 0;
};

Tight compare(bool given) {
  std::mt19937 dice(11);
  Tight out;
  for (int run = 0; run < 40; ++run) {
    Table table(8, std::vector<double>(6));
    for (auto& row : table) {
      for (auto& one : row) one = static_cast<double>(1 + dice() % 100 * (dice() % 3));
    }
    const auto trace = trace_of(8, 6, [&](int t, int sa) { return table[t][sa]; });
    Rules rules{2, 1 + static_cast<std::uint32_t>(run % 3), {}};
    if (given) rules.first = {1, 0, 0, 1, 0, 0};
    const auto plain = without_budget(*trace, rules.slots);
    const double loose = bound(*trace, rules, plain);
    const double tight = bound(*trace, rules, Market(*trace, rules.first, plain, 100).improved(rules, plain, 400));
    const double truth = exact(table, rules);
    EXPECT_GE(tight, truth - 1e-6) << "run " << run;
    EXPECT_GE(loose, truth - 1e-6) << "run " << run;
    out.bounds += std::min(tight, loose);
    out.truths += truth;
  }
  return out;
}

TEST(Optimum, IsABoundAndNotFarFromTheTruth) {
  const auto [bounds, truths] = compare(false);
  EXPECT_LT(bounds, 1.12 * truths);
}

TEST(Optimum, AlsoWithFirstInstallationsGiven) {
  const auto [bounds, truths] = compare(true);
  EXPECT_LT(bounds, 1.12 * truths);
}

TEST(Optimum, WithoutABudgetItIsTheHeaviestOfEachInterval) {
  const auto trace = trace_of(3, 3, [](int t, int sa) { return t == sa ? 100 : 10 + sa; });
  const Rules rules{1, 1, {}};
  EXPECT_DOUBLE_EQ(bound(*trace, rules, without_budget(*trace, 1)), 300);
}

TEST(Optimum, SasThatComeAndGoAreCounted) {
  // b comes in t 1, goes in t 2; there is a slot for everybody.
  const auto trace = trace_of("0,a,5\n1,a,5\n1,b,7\n2,b,7\n3,a,5\n");
  const Rules rules{3, 1, {}};
  EXPECT_DOUBLE_EQ(bound(*trace, rules, without_budget(*trace, 3)), 29);
}

}  // namespace
}  // namespace espgate::steer_sim
