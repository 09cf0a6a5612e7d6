// SPDX-License-Identifier: Apache-2.0
// What devices take: when it is found out, and the order of suites that follows.
#include <fmt/format.h>

#include "gateway/clock.h"
#include "gateway/daemon.h"

namespace espgate::gateway {

namespace {
constexpr std::size_t kMostLines = 20;  // of children that are offered in another order
}

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

std::vector<control::DeviceReport> Daemon::devices() const { return devices_.reports(config_.gateway.esp_floor); }

std::expected<std::size_t, std::string> Daemon::forgive(const std::string& device, const std::string& suite) {
  auto gone = devices_.forgive(gateway::now(), device, suite);
  arm_devices();
  return gone;
}

}  // namespace espgate::gateway
