// SPDX-License-Identifier: Apache-2.0
#include "tools/steer_sim/simulate.h"

#include <algorithm>
#include <array>
#include <functional>

#include "tools/steer_sim/optimum.h"

namespace espgate::steer_sim {
namespace {

// One policy and what came of it.
struct Runner {
  Policy& policy;
  Outcome& outcome;

  double carry(const Interval& now) {
    for (const auto sa : now.arrivals) policy.arrive(sa);
    outcome.most_holders = std::max(outcome.most_holders, policy.holders());
    double octets = 0;
    for (const auto& row : now.rows) {
      if (policy.in_hardware(row.sa)) octets += row.octets;
    }
    outcome.octets_in_hardware += octets;
    return octets;
  }

  void end(const Interval& now) {
    const auto tally = policy.end(now);
    outcome.promotions += tally.promotions;
    outcome.demotions += tally.demotions;
    outcome.moves += tally.moves();
    outcome.most_moves = std::max(outcome.most_moves, tally.moves());
    outcome.most_holders = std::max(outcome.most_holders, policy.holders());
  }
};

double heaviest(std::vector<double> totals, std::uint32_t slots) {
  const auto end = totals.begin() + std::min<std::ptrdiff_t>(slots, std::ssize(totals));
  if (end != totals.end()) std::nth_element(totals.begin(), end, totals.end(), std::greater<>());
  double sum = 0;
  for (auto at = totals.begin(); at != end; ++at) sum += *at;
  return sum;
}

void walk(Trace& trace, Result& out, Steered& steered, std::vector<std::uint8_t>& first) {
  FirstCome first_come(out.usable);
  TopOfLast top_of_last(out.usable);
  std::array runners{Runner{steered, out.steered}, Runner{first_come, out.first_come},
                     Runner{top_of_last, out.top_of_last}};
  std::vector<double> totals;
  Interval now;
  trace.rewind();
  for (std::uint64_t t = 0; trace.next(now); ++t) {
    double octets = 0;
    totals.resize(totals.size() + now.arrivals.size(), 0);
    for (const auto& row : now.rows) {
      octets += row.octets;
      totals[row.sa] += row.octets;
    }
    const bool late = 2 * t >= out.rounds;
    out.octets += octets;
    if (late) out.octets_second_half += octets;
    for (auto& runner : runners) {
      const double carried = runner.carry(now);
      if (late) runner.outcome.second_half += carried;
    }
    for (const auto sa : now.arrivals) first.push_back(steered.in_hardware(sa) ? 1 : 0);
    for (auto& runner : runners) runner.end(now);
  }
  out.sas = totals.size();
  out.best_static = heaviest(std::move(totals), out.usable);
}

void time(Result& out, std::vector<double> ms) {
  if (ms.empty()) return;
  std::sort(ms.begin(), ms.end());
  out.round_ms_median = ms[ms.size() / 2];
  out.round_ms_p99 = ms[(ms.size() - 1) * 99 / 100];
  out.round_ms_most = ms.back();
}

void best(Trace& trace, Result& out, const Options& options, std::vector<std::uint8_t> first) {
  const Rules same{out.usable, out.budget, std::move(first)}, free{out.slots, out.budget, {}};
  const auto plain = without_budget(trace, out.slots);
  out.top_each = plain.carried;
  Market market(trace, same.first, plain, options.sample);
  const auto prices = market.improved(same, plain, options.steps);
  out.optimum = std::min(bound(trace, same, prices), out.top_each);
  const auto free_prices = market.improved(free, prices, options.steps);
  out.free_optimum = std::min(bound(trace, free, free_prices), out.top_each);
}

}  // namespace

Result simulate(Trace& trace, const Options& options) {
  Result out;
  auto config = options.steer;
  config.slots = options.slots;
  Steered steered(config);
  const auto& capacity = steered.steer().capacity();
  out.interval = trace.seconds();
  out.slots = options.slots;
  out.reserve = capacity.reserve();
  out.usable = capacity.usable();
  out.budget = steered.steer().budget();
  out.rounds = trace.rounds();
  std::vector<std::uint8_t> first;
  walk(trace, out, steered, first);
  time(out, steered.round_ms());
  if (options.optimum) best(trace, out, options, std::move(first));
  return out;
}

}  // namespace espgate::steer_sim
