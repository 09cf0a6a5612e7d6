// SPDX-License-Identifier: Apache-2.0
// The watch: its rounds, and what it orders.
#include <chrono>
#include <utility>

#include "gateway/clock.h"
#include "gateway/daemon.h"

namespace espgate::gateway {

namespace {
constexpr std::size_t kLine = 1024;
constexpr auto kFloorEvery = std::chrono::seconds(5);
constexpr auto kRound = std::chrono::seconds(1);
constexpr auto kRoundOfTrial = std::chrono::milliseconds(250);
}  // namespace

void Daemon::arm_watch() {
  if (stopping_ || options_.kernel != KernelChoice::xfrm) return;
  guard_timer_.expires_after(kernel_.watch_busy() ? base::Duration(kRoundOfTrial) : base::Duration(kRound));
  guard_timer_.async_wait([this](std::error_code error) {
    if (error) return;
    const auto now = gateway::now();
    for (auto& order : kernel_.watch(now)) {
      std::visit([this](auto&& one) { obey(std::forward<decltype(one)>(one)); }, std::move(order));
    }
    // A block policy that the kernel had no memory for is not waited for until the next reload.
    if (kernel_.floor_refused() && now >= floor_due_) {
      floor_due_ = now + kFloorEvery;
      kernel_.plan(now, config_.plan);
    }
    arm_watch();
  });
}

void Daemon::obey(sad::TrySoftware&& order) {
  if (!kernel_.hold(order.child, std::move(order.why))) return kernel_.watch_failed(gateway::now(), order.child);
  rekey_watched(order.child);
}

void Daemon::obey(sad::BackToHardware&& order) {
  kernel_.let_go(order.child);
  rekey_watched(order.child);
}

void Daemon::obey(sad::CallOff&& order) { kernel_.let_go(order.child); }

// What is offered next is in the order that this leaves.
void Daemon::obey(sad::Convict&& order) {
  devices_.distrust(order.device, std::move(order.what), epoch_now());
  if (order_suites()) post(ike::Load{config_.ike});
  arm_devices();
  kernel_.let_go(order.child);
  rekey_watched(order.child);
}

void Daemon::obey(sad::Again&& order) { rekey_watched(order.child); }

void Daemon::obey(sad::WatchSays&& order) {
  const auto line = printable(order.text, kLine);
  order.warning ? log_warn(line) : log_info(line);
}

void Daemon::rekey_watched(base::ChildId child) {
  const auto where = kernel_.standing(child);
  if (!where) return kernel_.watch_failed(gateway::now(), child);
  const auto id = pending_.next_id();
  const auto done = [this, child](const control::Outcome& outcome) {
    if (outcome.failure || outcome.matched == 0) kernel_.watch_failed(gateway::now(), child);
  };
  pending_.add(id, where->conn, nullptr, done, std::nullopt);
  devices_.disturbed(gateway::now());
  post(ike::Rekey{id, where->conn, {}, {}, child});
}

}  // namespace espgate::gateway
