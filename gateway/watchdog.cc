// SPDX-License-Identifier: Apache-2.0
#include "gateway/watchdog.h"

#include <systemd/sd-daemon.h>

#include <system_error>
#include <utility>

namespace espgate::gateway {

void Watchdog::start(std::chrono::microseconds patience) {
  every_ = patience / 3;
  beat();
  arm();
}

void Watchdog::stop() {
  stopped_ = true;
  timer_.cancel();
}

void Watchdog::arm() {
  timer_.expires_after(every_);
  timer_.async_wait([this](std::error_code error) {
    if (error || stopped_) return;
    beat();
    arm();
  });
}

bool Watchdog::beat() {
  auto answers = means_.answers();
  bool well = true;
  for (std::size_t i = 0; before_ && i < answers.size() && i < before_->size(); ++i) {
    if (answers[i] != (*before_)[i]) continue;
    means_.silent(i);
    well = false;
  }
  before_ = std::move(answers);
  means_.ask();
  if (well) means_.well();
  return well;
}

std::optional<std::chrono::microseconds> watchdog_patience() {
  std::uint64_t microseconds = 0;
  if (sd_watchdog_enabled(0, &microseconds) <= 0) return std::nullopt;
  return std::chrono::microseconds(microseconds);
}

}  // namespace espgate::gateway
