// SPDX-License-Identifier: Apache-2.0
// What devices take, found out and kept: the table of sad/ with its cache file, the probe with its clock, and the order
// of suites that follows. On the main thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/ids.h"
#include "control/offload/device_report.h"
#include "control/offload/steering.h"
#include "gateway/devices.h"
#include "sad/device_probe.h"

namespace espgate::gateway {

class DeviceSide {
 public:
  struct Means {
    std::string cache;  // its path
    // --kernel null: there is no kernel whose answers would be true; the cache is read, and nothing else.
    bool real_kernel = true;
    std::function<sad::HeldByDevice()> held;
    std::function<sad::ProbeAnswer(std::uint32_t ifindex, const sad::ProbeRow&)> try_row;
  };
  explicit DeviceSide(Means means);

  // Once, at start: the cache, then the devices there are. Probing begins some seconds later.
  void begin(base::Instant now, const control::Configuration& config, xfrm::RouteTable& routes);
  // Another configuration.
  void survey(base::Instant now, const control::Configuration& config, xfrm::RouteTable& routes);
  // The same one, when stale().
  void look_again(base::Instant now, const control::Configuration& config, xfrm::RouteTable& routes);
  // Some link came, went or changed.
  void look_soon() { look_again_ = {}; }
  // A child is being established, rekeyed or healed: probes wait.
  void disturbed(base::Instant now) { probe_.disturbed(now); }
  // `refuses` where there is no device to ask (--kernel null).
  [[nodiscard]] sad::PacketMode packet_mode(const std::string& device) const;
  void learn(const sad::DeviceVerdict& verdict, std::int64_t wall_clock);
  // Packets showed that it gets a suite wrong.
  void distrust(const std::string& device, sad::Distrust what, std::int64_t wall_clock);
  // Why it is not trusted with a suite; empty: it is.
  [[nodiscard]] std::string distrusted(const std::string& device, const base::EspSuite& suite,
                                       xfrm::OffloadKind mode) const;

  [[nodiscard]] base::Instant due() const;
  // Time to look again.
  [[nodiscard]] bool stale(base::Instant now) const { return now >= look_again_; }
  // Tries an SA if it is time for one.
  void on_timer(base::Instant now, std::int64_t wall_clock);

  // Children that are too fast for SAs without ESN.
  void hurried(control::Hurried children);
  // nullopt: nothing new, or a device is half tried.
  std::optional<control::Steered> steer(const control::Configuration& config);

  [[nodiscard]] std::vector<control::DeviceReport> reports(const control::GatewayOptions& gateway) const;
  // How many answers went; the error is a sentence.
  std::expected<std::size_t, std::string> forgive(base::Instant now, const std::string& device,
                                                  const std::string& suite);

 private:
  void take(base::Instant now, const control::Configuration& config, base::Result<DeviceSurvey> found);
  void save();
  void say_notices();
  void compare_members();
  void say_features(const std::map<std::string, sad::DeviceFacts>& before) const;
  [[nodiscard]] std::string disagreement(const std::vector<std::string>& members) const;

  Means means_;
  sad::DeviceTable table_;
  sad::DeviceProbe probe_{table_};
  DeviceSurvey survey_;
  std::map<std::string, std::string> disagreements_;  // by what stands upon the devices
  control::Hurried hurried_;
  base::Instant look_again_{};
  bool unsaved_ = false, unsteered_ = true;
  bool write_failed_ = false;
};

}  // namespace espgate::gateway
