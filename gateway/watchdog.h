// SPDX-License-Identifier: Apache-2.0
// Tells systemd that all is well (WatchdogSec=), and only if it is: each time every engine must have answered since the
// time before, and that this runs at all shows that the main loop turns.
#pragma once

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace espgate::gateway {

class Watchdog {
 public:
  struct Means {
    std::function<void()> ask;                            // every engine to answer once more
    std::function<std::vector<std::uint64_t>()> answers;  // how often each has
    std::function<void()> well;                           // WATCHDOG=1
    std::function<void(std::size_t engine)> silent;       // it has not answered since the last beat
  };

  Watchdog(asio::io_context& io, Means means) : timer_(io), means_(std::move(means)) {}

  // Thrice in `patience`, which is what systemd waits. Not called: nobody watches.
  void start(std::chrono::microseconds patience);
  void stop();
  // One beat, as the timer makes it. True: all was well.
  bool beat();

 private:
  void arm();
  asio::steady_timer timer_;
  Means means_;
  std::chrono::microseconds every_{};
  std::optional<std::vector<std::uint64_t>> before_;  // answers at the last beat; none: nobody was asked yet
  bool stopped_ = false;
};

// What systemd asks for in WATCHDOG_USEC; none: it does not watch us.
std::optional<std::chrono::microseconds> watchdog_patience();

}  // namespace espgate::gateway
