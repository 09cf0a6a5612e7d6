// SPDX-License-Identifier: Apache-2.0
// What devices take: when it is found out, and the order of suites that follows.
#include <fmt/format.h>

#include <algorithm>

#include "gateway/clock.h"
#include "gateway/daemon.h"
#include "ike/ts_select.h"
#include "sad/strict.h"

namespace espgate::gateway {

namespace {
constexpr std::size_t kLine = 1024;
constexpr std::size_t kMostLines = 20;  // of children that are offered in another order
}  // namespace

DeviceSide::Means Daemon::device_means() {
  DeviceSide::Means out;
  out.cache = options_.devices;
  out.real_kernel = options_.kernel == KernelChoice::xfrm;
  out.held = [this] { return kernel_.held(); };
  out.try_row = [this](std::uint32_t ifindex, const sad::ProbeRow& row) { return kernel_.try_row(ifindex, row); };
  return out;
}

bool Daemon::order_suites() {
  auto steered = devices_.steer(config_);
  if (!steered || steered->changes.empty()) return false;
  config_.ike = std::move(steered->ike);
  const auto& lines = steered->changes;
  for (std::size_t i = 0; i < std::min(lines.size(), kMostLines); ++i) log_info(printable(lines[i], 1024));
  if (lines.size() > kMostLines) log_info(fmt::format("and {} children more", lines.size() - kMostLines));
  return true;
}

// SAs that are up stay as they are: what comes next is negotiated in the new order.
void Daemon::on_devices() {
  const auto now = gateway::now();
  if (devices_.stale(now)) devices_.look_again(now, config_, kernel_.routes());
  if (connections_.healing()) devices_.disturbed(now);
  devices_.on_timer(now, epoch_now());
  if (order_suites()) post(ike::Load{config_.ike});
  arm_devices();
}

void Daemon::arm_devices() {
  if (stopping_) return;
  device_timer_.expires_at(std::chrono::time_point_cast<std::chrono::steady_clock::duration>(devices_.due()));
  device_timer_.async_wait([this](std::error_code error) {
    if (!error) on_devices();
  });
}

void Daemon::arm_steering() {
  if (stopping_) return;
  const auto soonest = gateway::now() + config_.gateway.steer.interval;
  const auto due = std::max(kernel_.steer_due().value_or(soonest), gateway::now());
  steer_timer_.expires_at(std::chrono::time_point_cast<std::chrono::steady_clock::duration>(std::min(due, soonest)));
  steer_timer_.async_wait([this](std::error_code error) {
    if (error) return;
    move_children();
    arm_steering();
  });
}

// Who has to be rekeyed to be heard at all is not moved about meanwhile.
void Daemon::move_children() {
  if (connections_.healing()) return;
  const auto moves = kernel_.moves(gateway::now());
  devices_.hurried(kernel_.hurried(gateway::now()));
  if (order_suites()) post(ike::Load{config_.ike});
  for (const auto& move : moves) {
    log_info(printable(move.text, kLine));
    const auto id = pending_.next_id();
    const auto done = [this, move](const control::Outcome& outcome) {
      if (!outcome.failure && outcome.matched != 0) return;
      kernel_.move_failed(move.child);
      log_warn(printable(fmt::format("{}/{}: stays where it is: {}", move.conn, move.name,
                                     outcome.failure ? outcome.failure->text : "it is being rekeyed or closed"),
                         kLine));
    };
    pending_.add(id, move.conn, nullptr, done, std::nullopt);
    devices_.disturbed(gateway::now());
    post(ike::Rekey{id, move.conn, {}, {}, move.child});
  }
}

std::optional<ike::Failure> Daemon::refused_beforehand(const ike::ConnConfig& conn, const Key& key,
                                                       const Endpoints& ends) {
  const auto child = std::ranges::find(conn.children, key.second, &ike::ChildConfig::name);
  if (child == conn.children.end() ||
      (child->offload != base::OffloadWanted::crypto && child->offload != base::OffloadWanted::packet)) {
    return std::nullopt;
  }
  if (options_.kernel != KernelChoice::xfrm) return std::nullopt;
  const auto route = kernel_.routes().lookup(ends.remote.address, ends.local.address);
  if (!route) return std::nullopt;
  auto shape = control::shape_of(conn, *child);
  shape.family = ends.remote.address.family();
  const auto planned = std::ranges::find_if(config_.plan.children, [&](const sad::ChildPlan& one) {
    return one.conn == key.first && one.child == key.second;
  });
  const auto handling = planned == config_.plan.children.end() ? sad::Handling{} : planned->handling;
  const auto refused = [](std::string why) {
    return ike::Failure{ike::Reason::install_refused, "offload", std::move(why) + "; nothing was sent", ""};
  };
  if (child->offload == base::OffloadWanted::packet) {
    auto obstacle =
        sad::strict_obstacle(handling, ike::resolve(child->local_ts, ends.local.address),
                             ike::resolve(child->remote_ts, ends.remote.address), ends.remote.address.family());
    if (!obstacle.empty()) return refused(std::move(obstacle));
  }
  const auto try_pair = [&](const sad::ProbeRow& in, const sad::ProbeRow& out) {
    auto answers = kernel_.try_pair(route->ifindex, in, out);
    devices_.learn({route->device, route->ifindex, in, answers[0]}, epoch_now());
    devices_.learn({route->device, route->ifindex, out, answers[1]}, epoch_now());
    return answers;
  };
  const auto distrusted = [&](const base::EspSuite& suite) {
    const bool packet = child->offload == base::OffloadWanted::packet;
    return devices_.distrusted(route->device, suite, packet ? xfrm::OffloadKind::packet : xfrm::OffloadKind::crypto);
  };
  auto offer =
      sad::strict_offer(child->esp_proposals, shape, handling.replay_window, route->device, try_pair, distrusted);
  if (offer.refusal.empty()) return std::nullopt;
  return refused(std::move(offer.refusal));
}

std::vector<control::DeviceReport> Daemon::devices() const {
  auto out = devices_.reports(config_.gateway);
  const auto slots = kernel_.slots();
  for (auto& report : out) {
    if (const auto at = slots.find(report.facts.name); at != slots.end()) report.slots = at->second;
  }
  return out;
}

std::expected<std::size_t, std::string> Daemon::forgive(const std::string& device, const std::string& suite) {
  auto gone = devices_.forgive(gateway::now(), device, suite);
  if (gone) kernel_.forgiven(device, suite);
  arm_devices();
  return gone;
}

// Once for each device that a child's route goes to: if the rekey fails, the child stays as it is.
void Daemon::follow_routes() {
  if (stopping_) return;
  std::map<base::ChildId, std::string> followed;
  for (const auto& one : kernel_.rerouted()) {
    const auto& name = one.where.conn;
    followed.emplace(one.id, one.device);
    const auto before = followed_.find(one.id);
    if (before != followed_.end() && before->second == one.device) continue;
    log_warn(name + "/" + one.where.child + ": its packets leave by " + one.device + " now, and " +
             (one.held ? one.where.device + " holds its SAs" : "it was installed for " + one.where.device) +
             ": rekeying");
    post(ike::Rekey{pending_.next_id(), name, {}, {}, one.id});
  }
  followed_ = std::move(followed);
}

}  // namespace espgate::gateway
