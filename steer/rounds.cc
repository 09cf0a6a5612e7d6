// SPDX-License-Identifier: Apache-2.0
// One round of decisions: age the rates, then demote what must go, fill what is free, swap what is worth it.
#include <algorithm>
#include <chrono>
#include <cmath>

#include "steer/steer.h"

namespace espgate::steer {
namespace {

// Who has carried less than an octet in some hours is not worth a rekey.
constexpr float least_rate = 1e-4F;

}  // namespace

// A newcomer's rate is taken over its life, not over the half-life. Hence weight_, which tends to 1.
void Steer::age(double intervals, double seconds) {
  const auto keep = static_cast<float>(std::exp2(-intervals / config_.half_life));
  const float take = 1 - keep;
  const double per_second = 1 / seconds;
  const auto children = flags_.size();
  for (std::size_t i = 0; i < children; ++i) {
    sum_[i] = sum_[i] * keep + static_cast<float>(fresh_[i] * per_second) * take;
    weight_[i] = weight_[i] * keep + take;
    rate_[i] = sum_[i] / weight_[i];
    fresh_[i] = 0;
  }
}

bool Steer::cooling(Index child) const { return moved_[child] != 0 && round_ - moved_[child] < config_.cooldown; }

// weakest_: the `most` lightest holders that may be moved; those that may not stay come first.
void Steer::sort_out(std::uint32_t most) {
  weakest_.clear();
  next_weakest_ = 0;
  const auto children = static_cast<Index>(flags_.size());
  for (Index i = 0; i < children; ++i) {
    if ((flags_[i] & (hardware | pinned)) == hardware && !cooling(i)) weakest_.push_back(i);
  }
  const auto lighter = [this](Index a, Index b) {
    const bool a_may = (flags_[a] & eligible) != 0, b_may = (flags_[b] & eligible) != 0;
    if (a_may != b_may) return b_may;
    return rate_[a] != rate_[b] ? rate_[a] < rate_[b] : a < b;
  };
  const auto end = weakest_.begin() + std::min<std::ptrdiff_t>(most, std::ssize(weakest_));
  if (end != weakest_.end()) std::nth_element(weakest_.begin(), end, weakest_.end(), lighter);
  weakest_.erase(end, weakest_.end());
  std::sort(weakest_.begin(), weakest_.end(), lighter);
}

// waiting_: the `most` heaviest children in software that may be moved. All that beat the bar, the rate of the lightest
// holder, have their streaks kept, whether they get in or not.
void Steer::gather_waiting(float bar, std::size_t most) {
  next_waiting_ = 0;
  const float over = std::max(least_rate, bar * static_cast<float>(config_.factor));
  const auto children = static_cast<Index>(flags_.size());
  for (Index i = 0; i < children; ++i) {
    streak_[i] = rate_[i] < over ? std::uint8_t{0} : static_cast<std::uint8_t>(std::min(streak_[i] + 1, 255));
  }
  // Few of a million are ever looked at: first those above half of what was the least last time, all if they are not
  // enough.
  for (const float floor : {std::max(cut_ / 2, least_rate), least_rate}) {
    waiting_.clear();
    for (Index i = 0; i < children; ++i) {
      if (rate_[i] < floor || (flags_[i] & (live | hardware | eligible | pinned)) != (live | eligible)) continue;
      if (!cooling(i)) waiting_.push_back(i);
    }
    if (waiting_.size() >= most) break;
  }
  const auto heavier = [this](Index a, Index b) { return rate_[a] != rate_[b] ? rate_[a] > rate_[b] : a < b; };
  const auto end = waiting_.begin() + std::min<std::ptrdiff_t>(std::ssize(waiting_), static_cast<std::ptrdiff_t>(most));
  if (end != waiting_.end()) std::nth_element(waiting_.begin(), end, waiting_.end(), heavier);
  waiting_.erase(end, waiting_.end());
  std::sort(waiting_.begin(), waiting_.end(), heavier);
  cut_ = waiting_.size() < most ? 0 : rate_[waiting_.back()];
}

void Steer::move(Index child, Reason why, double against) {
  const bool up = why == Reason::free_slot || why == Reason::heavier;
  (up ? promotions_ : demotions_).push_back({ChildRef{child}, up, why, rate_[child], against});
  set_hardware(child, up);
  moved_[child] = round_;
  streak_[child] = 0;
}

std::uint32_t Steer::demote_what_must(std::uint32_t budget) {
  const auto usable = capacity_.usable();
  while (budget != 0 && next_weakest_ < weakest_.size()) {
    const auto child = weakest_[next_weakest_];
    const bool may_stay = (flags_[child] & eligible) != 0;
    if (may_stay && holders_ <= usable) break;
    move(child, may_stay ? Reason::headroom : Reason::ineligible);
    ++next_weakest_;
    --budget;
  }
  return budget;
}

std::uint32_t Steer::fill_free(std::uint32_t budget) {
  while (budget != 0 && free_slots() != 0 && next_waiting_ < waiting_.size()) {
    move(waiting_[next_waiting_++], Reason::free_slot);
    --budget;
  }
  return budget;
}

bool Steer::beats(Index newcomer, Index holder) const {
  const double with = rate_[newcomer], than = rate_[holder];
  if (with < config_.factor * than) return false;
  return streak_[newcomer] >= config_.rounds || with >= config_.at_once * than;
}

// A swap costs two moves. With one move left the holder goes now, and the slot is filled in the next round (kept_ keeps
// it free until then).
void Steer::swap(std::uint32_t budget) {
  while (budget != 0 && next_weakest_ < weakest_.size() && next_waiting_ < waiting_.size()) {
    const auto newcomer = waiting_[next_waiting_];
    const auto holder = weakest_[next_weakest_];
    if (!beats(newcomer, holder)) {
      // It is not long enough on top; a lighter one may be.
      ++next_waiting_;
      continue;
    }
    if (!judge_.may_swap()) return;
    judge_.swapped({newcomer, life_[newcomer]}, {holder, life_[holder]}, round_);
    move(holder, Reason::outweighed, rate_[newcomer]);
    ++next_weakest_;
    if (budget < 2) return;
    move(newcomer, Reason::heavier, rate_[holder]);
    ++next_waiting_;
    budget -= 2;
  }
}

std::span<const Move> Steer::round(base::Instant now) {
  demotions_.clear();
  promotions_.clear();
  const auto elapsed = last_ ? now - *last_ : config_.interval;
  if (elapsed < config_.interval) return {};
  last_ = now;
  ++round_;
  judge_.round(fresh_, life_, round_, budget());
  age(std::chrono::duration<double>(elapsed) / std::chrono::duration<double>(config_.interval),
      std::chrono::duration<double>(elapsed).count());

  const auto most = budget();
  sort_out(most);
  auto left = demote_what_must(most);
  const float bar = next_weakest_ == weakest_.size() ? 0 : rate_[weakest_[next_weakest_]];
  gather_waiting(bar, std::size_t{4} * most);
  left = fill_free(left);
  swap(left);

  const auto still = static_cast<std::uint32_t>(waiting_.size() - promotions_.size());
  kept_ = std::min(still, most);
  capacity_.round_passed(still != 0 && free_slots() == 0);
  demotions_.insert(demotions_.end(), promotions_.begin(), promotions_.end());
  return demotions_;
}

}  // namespace espgate::steer
