// SPDX-License-Identifier: Apache-2.0
#include "tools/steer_sim/optimum.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace espgate::steer_sim {
namespace {

constexpr double never = -std::numeric_limits<double>::infinity();

// Where an SA may be in its first interval.
struct Start {
  bool out = true, in = true;
};
Start start_of(const Rules& rules, bool in_hardware) {
  if (rules.first.empty()) return {};
  return {!in_hardware, in_hardware};
}

// Which SAs ever carry half of what a slot is worth, or begin in one. The others have no part in the prices.
std::vector<Sa> those_that_matter(Trace& trace, std::vector<std::uint8_t> matters, const Prices& prices) {
  Interval now;
  trace.rewind();
  for (std::size_t t = 0; trace.next(now); ++t) {
    for (const auto& row : now.rows) {
      if (row.sa >= matters.size()) matters.resize(row.sa + 1, 0);
      if (row.octets > prices.slot[t] / 2) matters[row.sa] = 1;
    }
  }
  std::vector<Sa> out;
  for (Sa sa = 0; sa < matters.size(); ++sa) {
    if (matters[sa] != 0) out.push_back(sa);
  }
  return out;
}

std::vector<Life> lives_of(Trace& trace, const std::vector<std::uint8_t>& first, const std::vector<Sa>& sas) {
  constexpr auto none = std::numeric_limits<std::uint32_t>::max();
  std::vector<std::uint32_t> number(sas.empty() ? 0 : sas.back() + 1, none);
  for (std::uint32_t i = 0; i < sas.size(); ++i) number[sas[i]] = i;
  const auto of = [&](Sa sa) { return sa < number.size() ? number[sa] : none; };
  std::vector<Life> out(sas.size());
  std::vector<std::uint8_t> live(sas.size(), 0);
  Interval now;
  trace.rewind();
  for (std::uint32_t t = 0; trace.next(now); ++t) {
    for (const auto sa : now.arrivals) {
      if (of(sa) == none) continue;
      out[of(sa)] = {t, sa < first.size() && first[sa] != 0, {}};
      live[of(sa)] = 1;
    }
    for (std::uint32_t i = 0; i < out.size(); ++i) {
      if (live[i] != 0) out[i].octets.push_back(0);
    }
    for (const auto& row : now.rows) {
      if (of(row.sa) != none) out[of(row.sa)].octets.back() = static_cast<float>(row.octets);
    }
    for (const auto sa : now.departures) {
      if (of(sa) != none) live[of(sa)] = 0;
    }
  }
  return out;
}

// How many slots and moves the SAs would buy at given prices, and what profit they would make.
struct Demand {
  std::vector<double> slots, moves;
  double profit = 0;
};

class Buyer {
 public:
  Buyer(const Rules& rules, const Prices& prices) : rules_(rules), prices_(prices) {}

  void buy(const Life& life, double weight, Demand& demand) {
    const auto length = life.octets.size();
    const auto start = start_of(rules_, life.in_hardware);
    if (length == 0 || (start.out && !ever_worth_it(life))) return;
    came_.resize(length);
    double out = start.out ? 0 : never;
    double in = start.in ? life.octets[0] - prices_.slot[life.begin] : never;
    for (std::size_t i = 1; i < length; ++i) {
      const auto t = life.begin + i;
      const double fee = prices_.move[t];
      came_[i] = static_cast<std::uint8_t>((out - fee > in ? up : 0) | (in - fee > out ? down : 0));
      const double next_in = std::max(in, out - fee) + life.octets[i] - prices_.slot[t];
      out = std::max(out, in - fee);
      in = next_in;
    }
    demand.profit += weight * std::max(in, out);
    walk_back(life, in > out, weight, demand);
  }

 private:
  enum : std::uint8_t { up = 1, down = 2 };  // the best way to be in hardware was a promotion; out of it, a demotion

  [[nodiscard]] bool ever_worth_it(const Life& life) const {
    for (std::size_t i = 0; i < life.octets.size(); ++i) {
      if (life.octets[i] > prices_.slot[life.begin + i]) return true;
    }
    return false;
  }

  void walk_back(const Life& life, bool in, double weight, Demand& demand) const {
    for (std::size_t i = life.octets.size(); i-- > 0;) {
      const auto t = life.begin + i;
      if (in) demand.slots[t] += weight;
      if (i == 0 || (came_[i] & (in ? up : down)) == 0) continue;
      demand.moves[t] += weight;
      in = !in;
    }
  }

  const Rules& rules_;
  const Prices& prices_;
  std::vector<std::uint8_t> came_;
};

// Adam (Kingma, Ba 2015) on the logarithms of prices: those of moves span orders of magnitude, from an interval in
// which the whole device is to be exchanged to one in which nothing is to do.
class Walker {
 public:
  explicit Walker(std::vector<double>& prices) : prices_(prices), mean_(prices.size()), square_(prices.size()) {}
  void step(std::size_t i, double gradient, double size, unsigned number) {
    mean_[i] = 0.8 * mean_[i] + 0.2 * gradient;
    square_[i] = 0.95 * square_[i] + 0.05 * gradient * gradient;
    const double m = mean_[i] / (1 - std::pow(0.8, number)), s = square_[i] / (1 - std::pow(0.95, number));
    prices_[i] *= std::exp(-size * m / (std::sqrt(s) + 1e-3));
  }

 private:
  std::vector<double>& prices_;
  std::vector<double> mean_, square_;
};

// As many as take some ten seconds, but enough to come near, and no more than are of use.
unsigned steps_for(const std::vector<Life>& lives) {
  double work = 1;
  for (const auto& life : lives) work += static_cast<double>(life.octets.size());
  return static_cast<unsigned>(std::clamp(2e9 / work, 200.0, 800.0));
}

double rent(const Rules& rules, const Prices& prices) {
  return rules.slots * std::accumulate(prices.slot.begin(), prices.slot.end(), 0.0) +
         rules.budget * std::accumulate(prices.move.begin(), prices.move.end(), 0.0);
}

}  // namespace

Prices without_budget(Trace& trace, std::uint32_t slots) {
  Prices out;
  Interval now;
  std::vector<double> all;
  trace.rewind();
  while (trace.next(now)) {
    // Only those above half the last threshold are sorted, as long as they are enough.
    const double floor = out.slot.empty() ? 0 : out.slot.back() / 2;
    for (const double least : {floor, 0.0}) {
      all.clear();
      for (const auto& row : now.rows) {
        if (row.octets > least) all.push_back(row.octets);
      }
      if (all.size() > slots) break;
    }
    double price = 0;
    if (all.size() > slots) {
      std::nth_element(all.begin(), all.begin() + slots, all.end(), std::greater<>());
      price = all[slots];
      all.resize(slots);
    }
    out.carried = std::accumulate(all.begin(), all.end(), out.carried);
    out.slot.push_back(price);
  }
  out.move.assign(out.slot.size(), 0);
  out.unit = out.slot.empty() ? 0 : out.carried / slots / static_cast<double>(out.slot.size());
  return out;
}

// Every stride-th of those that matter: any order of numbers is sampled evenly.
Market::Market(Trace& trace, const std::vector<std::uint8_t>& first, const Prices& prices, std::uint32_t sample) {
  const auto all = those_that_matter(trace, first, prices);
  if (sample == 0 || all.empty()) return;
  const auto stride = (all.size() + sample - 1) / sample;
  std::vector<Sa> some;
  for (std::size_t i = 0; i < all.size(); i += stride) some.push_back(all[i]);
  lives_ = lives_of(trace, first, some);
  weight_ = static_cast<double>(all.size()) / static_cast<double>(some.size());
}

Prices Market::improved(const Rules& rules, Prices prices, unsigned steps) const {
  if (steps == 0 || lives_.empty()) return prices;
  if (steps == automatic) steps = steps_for(lives_);
  const auto rounds = prices.slot.size();
  const double unit = prices.unit;
  if (unit <= 0) return prices;  // nothing is sent
  for (auto& one : prices.slot) one = std::max(one, unit / 100);
  for (auto& one : prices.move) one = one > 0 ? one : unit;
  Walker slot(prices.slot), move(prices.move);
  const auto value = [&](Demand& demand) {
    demand = {std::vector<double>(rounds, 0), std::vector<double>(rounds, 0)};
    Buyer buyer(rules, prices);
    for (const auto& life : lives_) buyer.buy(life, weight_, demand);
    return demand.profit + rent(rules, prices);
  };
  Prices best = prices;
  double least = std::numeric_limits<double>::infinity();
  Demand demand;
  for (unsigned n = 1; n <= steps; ++n) {
    const double now = value(demand);
    if (now < least) {
      least = now;
      best = prices;
    }
    const double size = 0.5 * std::pow(0.01, static_cast<double>(n) / steps);
    for (std::size_t t = 0; t < rounds; ++t) {
      slot.step(t, (rules.slots - demand.slots[t]) / rules.slots, size / 2, n);
      if (t != 0) move.step(t, (rules.budget - demand.moves[t]) / rules.budget, size, n);
    }
  }
  return best;
}

double bound(Trace& trace, const Rules& rules, const Prices& prices) {
  struct Profit {
    double out, in;
  };
  std::vector<Profit> profit;
  std::vector<double> octets;
  std::vector<Sa> live;
  double sum = rent(rules, prices);
  Interval now;
  trace.rewind();
  for (std::size_t t = 0; trace.next(now); ++t) {
    const double fee = prices.move[t];
    for (const auto sa : live) {
      auto& [out, in] = profit[sa];
      const double next_in = std::max(in, out - fee) - prices.slot[t];
      out = std::max(out, in - fee);
      in = next_in;
    }
    for (const auto sa : now.arrivals) {
      if (sa >= profit.size()) profit.resize(sa + 1);
      const auto start = start_of(rules, sa < rules.first.size() && rules.first[sa] != 0);
      profit[sa] = {start.out ? 0 : never, start.in ? -prices.slot[t] : never};
      live.push_back(sa);
    }
    for (const auto& row : now.rows) profit[row.sa].in += row.octets;
    if (now.departures.empty()) continue;
    for (const auto sa : now.departures) {
      sum += std::max(profit[sa].in, profit[sa].out);
      profit[sa].in = std::numeric_limits<double>::quiet_NaN();
    }
    std::erase_if(live, [&](Sa sa) { return std::isnan(profit[sa].in); });
  }
  for (const auto sa : live) sum += std::max(profit[sa].in, profit[sa].out);
  return sum;
}

}  // namespace espgate::steer_sim
