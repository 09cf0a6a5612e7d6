// SPDX-License-Identifier: Apache-2.0
#include "steer/capacity.h"

#include <algorithm>
#include <limits>

namespace espgate::steer {
namespace {

std::uint32_t percent_up(std::uint32_t n) { return n / 100 + (n % 100 != 0 ? 1 : 0); }

}  // namespace

Capacity::Capacity(std::optional<std::uint32_t> configured, std::uint32_t reserve)
    : configured_(configured), reserve_(reserve) {}

void Capacity::configure(std::optional<std::uint32_t> configured, std::uint32_t reserve) {
  configured_ = configured;
  reserve_ = reserve;
}

std::optional<std::uint32_t> Capacity::known() const {
  if (configured_ && learned_) return std::min(*configured_, *learned_);
  return configured_ ? configured_ : learned_;
}

std::uint32_t Capacity::reserve() const {
  const auto slots = known();
  if (!slots) return reserve_;
  return std::min(std::max({2U, percent_up(*slots), reserve_}), *slots / 2);
}

std::uint32_t Capacity::usable() const {
  const auto slots = known();
  return slots ? *slots - reserve() : std::numeric_limits<std::uint32_t>::max();
}

void Capacity::refused(std::uint32_t used) {
  if (grown_) patience_ = std::min(patience_ * 2, most_patience);
  grown_ = false;
  quiet_ = 0;
  learned_ = std::min(used, known().value_or(used));
}

void Capacity::forget() { *this = Capacity(configured_, reserve_); }

void Capacity::round_passed(bool wanted) {
  if (!learned_) return;
  ++quiet_;
  if (!wanted || quiet_ < patience_) return;
  learned_ = *learned_ + std::max(1U, *learned_ / 100);
  quiet_ = 0;
  grown_ = true;
  if (configured_ && *learned_ >= *configured_) learned_.reset();
}

}  // namespace espgate::steer
