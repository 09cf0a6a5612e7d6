// SPDX-License-Identifier: Apache-2.0
#include "tools/steer_sim/policies.h"

#include <algorithm>
#include <chrono>

namespace espgate::steer_sim {

void Policy::known(Sa sa) {
  if (sa >= hardware_.size()) hardware_.resize(sa + 1, 0);
}

void Policy::set(Sa sa, bool on) {
  known(sa);
  if ((hardware_[sa] != 0) == on) return;
  hardware_[sa] = on ? 1 : 0;
  on ? ++holders_ : --holders_;
}

void Steered::arrive(Sa sa) {
  const auto placed = steer_.place();
  const auto ref = static_cast<std::uint32_t>(placed.child);
  if (sa >= ref_.size()) ref_.resize(sa + 1);
  if (ref >= sa_.size()) sa_.resize(ref + 1);
  ref_[sa] = placed.child;
  sa_[ref] = sa;
  set(sa, placed.hardware);
}

Tally Steered::end(const Interval& interval) {
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  for (const auto& row : interval.rows) steer_.count(ref_[row.sa], static_cast<std::uint64_t>(row.octets));
  for (const auto sa : interval.departures) {
    steer_.depart(ref_[sa]);
    set(sa, false);
  }
  now_ = steer_.due().value_or(now_);
  const auto moves = steer_.round(now_);
  round_ms_.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
  Tally out;
  for (const auto& move : moves) {
    set(sa_[static_cast<std::uint32_t>(move.child)], move.to_hardware);
    ++(move.to_hardware ? out.promotions : out.demotions);
  }
  return out;
}

void FirstCome::arrive(Sa sa) { set(sa, holders() < usable_); }

Tally FirstCome::end(const Interval& interval) {
  for (const auto sa : interval.departures) set(sa, false);
  return {};
}

void TopOfLast::arrive(Sa sa) {
  FirstCome::arrive(sa);
  if (in_hardware(sa)) held_.push_back(sa);
  if (sa >= here_.size()) here_.resize(sa + 1, 0), wanted_.resize(sa + 1, 0);
  here_[sa] = 1;
}

std::vector<Row> TopOfLast::heaviest(const std::vector<Row>& rows) const {
  std::vector<Row> top;
  for (const auto& row : rows) {
    if (row.octets > 0 && here_[row.sa] != 0) top.push_back(row);
  }
  const auto heavier = [](const Row& a, const Row& b) {
    return a.octets != b.octets ? a.octets > b.octets : a.sa < b.sa;
  };
  const auto end = top.begin() + std::min<std::ptrdiff_t>(usable_, std::ssize(top));
  if (end != top.end()) std::nth_element(top.begin(), end, top.end(), heavier);
  top.erase(end, top.end());
  return top;
}

Tally TopOfLast::end(const Interval& interval) {
  FirstCome::end(interval);
  for (const auto sa : interval.departures) here_[sa] = 0;
  std::erase_if(held_, [this](Sa sa) { return !in_hardware(sa); });
  const auto top = heaviest(interval.rows);
  Tally out;
  for (const auto& row : top) {
    wanted_[row.sa] = 1;
    out.promotions += in_hardware(row.sa) ? 0 : 1;
  }
  // Nobody is demoted for whom there is room.
  std::uint32_t room = usable_ - holders();
  for (const auto sa : held_) {
    if (room >= out.promotions) break;
    if (wanted_[sa] != 0) continue;
    set(sa, false);
    ++out.demotions;
    ++room;
  }
  for (const auto& row : top) {
    wanted_[row.sa] = 0;
    if (in_hardware(row.sa)) continue;
    set(row.sa, true);
    held_.push_back(row.sa);
  }
  return out;
}

}  // namespace espgate::steer_sim
