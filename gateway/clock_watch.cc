// SPDX-License-Identifier: Apache-2.0
#include "gateway/clock_watch.h"

#include <fmt/format.h>

#include <chrono>
#include <ctime>
#include <utility>

#include "gateway/log.h"

namespace espgate::gateway {

namespace {

constexpr auto kEvery = std::chrono::seconds(2);
constexpr auto kLeast = std::chrono::seconds(1);

base::Duration read_one(clockid_t id) {
  timespec now{};
  clock_gettime(id, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

base::Duration unless_small(base::Duration value) {
  return value < kLeast && value > -kLeast ? base::Duration{} : value;
}

double seconds_of(base::Duration value) { return std::chrono::duration<double>(value).count(); }

}  // namespace

Clocks Clocks::read() { return {read_one(CLOCK_MONOTONIC), read_one(CLOCK_BOOTTIME), read_one(CLOCK_REALTIME)}; }

ClockNews compare(const Clocks& before, const Clocks& after) {
  const auto boot = after.boottime - before.boottime;
  return {unless_small(boot - (after.monotonic - before.monotonic)),
          unless_small((after.realtime - before.realtime) - boot)};
}

void ClockWatch::begin() {
  last_ = Clocks::read();
  arm();
}

void ClockWatch::arm() {
  timer_.expires_after(kEvery);
  timer_.async_wait([this](std::error_code error) {
    if (error) return;
    look();
    arm();
  });
}

void ClockWatch::look() {
  const auto now = Clocks::read();
  const auto news = compare(std::exchange(last_, now), now);
  if (news.stepped.count() != 0) {
    log_warn(
        fmt::format("the clock was set {} by {:.0f} s: SAs and timers go on as they were, certificates are judged "
                    "by the new time",
                    news.stepped.count() > 0 ? "forward" : "back", std::abs(seconds_of(news.stepped))));
  }
  if (news.slept.count() != 0) {
    log_warn(
        fmt::format("the machine slept for {:.0f} s: what the kernel holds is looked at, and peers that owe an "
                    "answer are asked again",
                    seconds_of(news.slept)));
    woke_();
  }
}

}  // namespace espgate::gateway
