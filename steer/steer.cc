// SPDX-License-Identifier: Apache-2.0
// Children come, go and are counted. The decisions are in rounds.cc.
#include "steer/steer.h"

#include <algorithm>
#include <cmath>

namespace espgate::steer {

Steer::Steer(const Config& config) : config_(config), capacity_(config.slots, config.reserve) {}

void Steer::configure(const Config& config) {
  config_ = config;
  capacity_.configure(config.slots, config.reserve);
}

std::uint32_t Steer::free_slots() const {
  const auto usable = capacity_.usable();
  return usable > holders_ ? usable - holders_ : 0;
}

std::uint32_t Steer::budget() const {
  const auto slots = capacity_.known().value_or(holders_);
  return std::max(1U, static_cast<std::uint32_t>(config_.budget_share * slots));
}

void Steer::set_hardware(Index child, bool on) {
  const bool was = (flags_[child] & hardware) != 0;
  if (was == on) return;
  flags_[child] ^= hardware;
  on ? ++holders_ : --holders_;
}

Placement Steer::place(const Newcomer& newcomer) {
  Index child = static_cast<Index>(flags_.size());
  if (!unused_.empty()) {
    child = unused_.back();
    unused_.pop_back();
  } else {
    flags_.push_back(0);
    streak_.push_back(0);
    moved_.push_back(0);
    life_.push_back(0);
    fresh_.push_back(0);
    sum_.push_back(0);
    weight_.push_back(0);
    rate_.push_back(0);
  }
  flags_[child] = static_cast<std::uint8_t>(live | (newcomer.eligible ? eligible : 0) | (newcomer.pinned ? pinned : 0));
  streak_[child] = 0;
  moved_[child] = 0;
  fresh_[child] = 0;
  sum_[child] = rate_[child] = static_cast<float>(newcomer.rate.value_or(0));
  // As if it had been silent for an interval before: one burst makes nobody heavy.
  weight_[child] = newcomer.rate ? 1 : static_cast<float>(1 - std::exp2(-1 / config_.half_life));

  Placement out{ChildRef{child}, false, Reason::free_slot};
  const auto free = free_slots();
  if (newcomer.in_hardware || newcomer.pinned) {
    out.hardware = true;
  } else if (!newcomer.eligible) {
    out.why = Reason::ineligible;
  } else if (free > kept_) {
    out.hardware = true;
  } else {
    out.why = free == 0 ? Reason::device_full : Reason::kept_for_waiting;
  }
  set_hardware(child, out.hardware);
  return out;
}

void Steer::depart(ChildRef ref) {
  const auto child = static_cast<Index>(ref);
  set_hardware(child, false);
  flags_[child] = 0;
  sum_[child] = rate_[child] = 0;
  fresh_[child] = 0;
  ++life_[child];
  unused_.push_back(child);
}

void Steer::count(ChildRef child, std::uint64_t octets) {
  fresh_[static_cast<Index>(child)] += static_cast<double>(octets);
}

void Steer::set_eligible(ChildRef ref, bool on) {
  auto& flags = flags_[static_cast<Index>(ref)];
  flags = static_cast<std::uint8_t>(on ? flags | eligible : flags & ~eligible);
}

void Steer::observed(ChildRef child, bool in_hardware) { set_hardware(static_cast<Index>(child), in_hardware); }

void Steer::refused(ChildRef ref, std::uint32_t used) {
  const auto child = static_cast<Index>(ref);
  capacity_.refused(used);
  set_hardware(child, false);
  // Asking again at once would be refused again.
  moved_[child] = std::max(1U, round_);
}

std::optional<base::Instant> Steer::due() const {
  if (!last_) return std::nullopt;
  return *last_ + config_.interval;
}

bool Steer::in_hardware(ChildRef child) const { return (flags_[static_cast<Index>(child)] & hardware) != 0; }

double Steer::rate(ChildRef child) const { return rate_[static_cast<Index>(child)]; }

}  // namespace espgate::steer
