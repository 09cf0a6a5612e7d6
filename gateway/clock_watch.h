// SPDX-License-Identifier: Apache-2.0
// Says when the wall clock was set, and when the machine slept. Timers run by the monotonic clock, which does neither.
#pragma once

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <functional>
#include <optional>

#include "base/ids.h"

namespace espgate::gateway {

// The three clocks, each since a beginning of its own.
struct Clocks {
  base::Duration monotonic{}, boottime{}, realtime{};
  static Clocks read();
};

// What happened from one reading to the next; less than a second is nothing.
struct ClockNews {
  base::Duration slept{};    // the machine was suspended for so long
  base::Duration stepped{};  // the wall clock was set forward, or back if negative
  [[nodiscard]] bool any() const { return slept.count() != 0 || stepped.count() != 0; }
};
ClockNews compare(const Clocks& before, const Clocks& after);

class ClockWatch {
 public:
  // `woke`: called after a sleep, which is in the log by then.
  ClockWatch(asio::io_context& io, std::function<void()> woke) : timer_(io), woke_(std::move(woke)) {}
  void begin();
  void stop() { timer_.cancel(); }

 private:
  void look();
  void arm();
  asio::steady_timer timer_;
  std::function<void()> woke_;
  Clocks last_;
};

}  // namespace espgate::gateway
