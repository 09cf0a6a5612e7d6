// SPDX-License-Identifier: Apache-2.0
// What ethtool would say of the network devices in this namespace: driver, link, the esp-hw-offload feature.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"

namespace espgate::xfrm {

struct DeviceFeatures {
  std::string device, driver;
  std::string driver_version, firmware, bus;  // "7.1.0", "22.31.1014 (MT_0000000359)", "0000:01:00.0"; may be empty
  bool up = false;                            // administratively up and with carrier
  std::optional<bool> esp_hw_offload;         // as it stands; none: the device never has it
  bool fixed = false;                         // it cannot be switched
};

// All devices but loopback, by index. A device that goes away meanwhile is left out.
base::Result<std::vector<DeviceFeatures>> device_features();
// One device; one that is not there, or is loopback, has no driver and no feature.
base::Result<DeviceFeatures> device_features(const std::string& device);

}  // namespace espgate::xfrm
