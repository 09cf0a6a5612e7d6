// SPDX-License-Identifier: Apache-2.0
// What the kernel tells: SAs and policies that went, packets that found no SA, links; and who is rekeyed for it.
#include <chrono>
#include <utility>

#include "gateway/clock.h"
#include "gateway/daemon.h"
#include "gateway/devices.h"

namespace espgate::gateway {

namespace {
constexpr auto kWatchEvery = std::chrono::milliseconds(250);
}  // namespace

void Daemon::wait_for_kernel() {
  events_ready_->async_wait(asio::posix::stream_descriptor::wait_read, [this](std::error_code error) {
    if (error) return;
    if (auto events = events_->receive()) {
      for (const auto& event : *events) take(event);
    } else {
      log_error_limited("events", events.error().text());
    }
    wait_for_kernel();
  });
}

void Daemon::take(const xfrm::Notification& event) {
  using Kind = xfrm::Notification::Kind;
  if (stopping_) return;
  switch (event.kind) {
    case Kind::acquire:
      return acquired(event);
    case Kind::mapping:
      if (auto moved = kernel_.moved(event)) post(ike::Command(*moved));
      return;
    case Kind::soft_limit:
    case Kind::hard_limit:
    case Kind::sequence:
      if (auto expired = kernel_.expired(event)) post(ike::Command(*expired));
      return;
    case Kind::sa_deleted:
      if (auto lost = kernel_.lost(event.sa)) healing_.found(*lost, "somebody deleted one");
      return;
    case Kind::sas_flushed:
      return healing_.check("somebody flushed all");
    case Kind::policy_deleted:
      return kernel_.policies_deleted(gateway::now(), std::vector{event.policy});
    case Kind::policies_flushed:
      return kernel_.policies_deleted(gateway::now(), std::nullopt);
    case Kind::overrun:
      log_warn_limited("events", "events of the kernel were lost: SAs and policies are looked at");
      healing_.check("events of the kernel were lost");
      return kernel_.check_policies(gateway::now());
  }
}

void Daemon::heal(const LostChild& lost, const std::string& why) {
  const Key key{lost.where.conn, lost.where.child};
  if (!connections_.heal(key, lost.id)) return;
  devices_.disturbed(gateway::now());
  log_warn(key.first + "/" + key.second + ": the kernel does not hold its SAs any more, and not by our doing (" + why +
           "): rekeying");
  post(ike::Rekey{pending_.next_id(), key.first, {}, {}, lost.id});
}

bool Daemon::uses(const std::string& device) {
  return attached_to_.contains(device) || kernel_.devices().contains(device);
}

void Daemon::attach() {
  devices_.look_soon();
  arm_devices();
  const auto names = devices_for(config_, kernel_.routes());
  std::map<std::string, std::optional<std::uint32_t>> devices;
  for (const auto& name : names) devices.emplace(name, xfrm::ifindex_of(name));
  const auto& shield = config_.gateway.shield;
  const std::pair wanted(shield.mode, xdp_wish(shield));
  if (devices == attached_to_ && wanted == attached_for_) return;
  attached_to_ = std::move(devices);
  attached_for_ = wanted;
  kernel_.attach(names, wanted.second, shield.mode != control::ShieldMode::off);
}

// A packet found no SA. At its trap: the child is asked for. At a child that is up: somebody took its SAs out of the
// kernel, or the device forgot them; new ones are negotiated, as no outbound key may be installed twice.
void Daemon::acquired(const xfrm::Notification& event) {
  const auto wanted = kernel_.acquired(event);
  if (!wanted || stopping_) return;
  const Key key{wanted->conn, wanted->child};
  if (wanted->live) {
    if (auto lost = kernel_.lost(wanted->live->second, wanted->hidden)) healing_.found(*lost, "a packet found none");
    return;
  }
  if (!connections_.on_acquire(gateway::now(), key, {wanted->local, wanted->remote})) return;
  log_info(key.first + "/" + key.second + ": a packet asks for it: " + event.packet.text());
  arm_timer();
}

// Traps that a close_action, a dpd_action or the operator asked for, or that a reload made needless.
void Daemon::settle_traps() {
  for (const auto& [key, on] : connections_.take_trap_changes()) {
    kernel_.trap(gateway::now(), key.first, key.second, on);
  }
}

// A rekey that the peer began: its first packet on the new inbound SA says that we may send on the new outbound one.
void Daemon::watch_waiting() {
  if (watching_ || stopping_ || !kernel_.anyone_waits()) return;
  watching_ = true;
  watch_timer_.expires_after(kWatchEvery);
  watch_timer_.async_wait([this](std::error_code error) {
    watching_ = false;
    if (error) return;
    for (const auto child : kernel_.used_inbound()) post(ike::Command(ike::InboundUsed{child}));
    watch_waiting();
  });
}

// ---------------------------------------------------------------------------------------------- signals

}  // namespace espgate::gateway
