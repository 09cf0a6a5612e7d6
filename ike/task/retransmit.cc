// SPDX-License-Identifier: Apache-2.0
#include "ike/task/retransmit.h"

#include <algorithm>
#include <cmath>

namespace espgate::ike {

namespace {
// No schedule waits longer than a day: keeps a silly base from overflowing the clock's type.
constexpr base::Duration kLongest = std::chrono::hours(24);
}  // namespace

base::Duration Retransmit::wait(const Retransmission& schedule, std::uint32_t n) {
  const double nanoseconds =
      static_cast<double>(schedule.timeout.count()) * std::pow(schedule.base, static_cast<double>(n));
  base::Duration wait = kLongest;
  if (nanoseconds < static_cast<double>(kLongest.count())) {
    wait = base::Duration(static_cast<base::Duration::rep>(nanoseconds));
  }
  if (schedule.limit > base::Duration::zero()) wait = std::min(wait, schedule.limit);
  return wait;
}

void Retransmit::start(const Retransmission& schedule, base::Instant now) {
  schedule_ = schedule;
  sent_ = 0;
  due_ = now + wait(schedule_, 0);
}

bool Retransmit::again(base::Instant now) {
  if (sent_ >= schedule_.tries) return false;
  ++sent_;
  due_ = now + wait(schedule_, sent_);
  return true;
}

}  // namespace espgate::ike
