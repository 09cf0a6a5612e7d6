// SPDX-License-Identifier: Apache-2.0
// What ethtool would say of the network devices in this namespace: driver, link, the esp-hw-offload feature.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"

namespace espgate::tools {

struct DeviceFeatures {
  std::string device, driver;
  bool up = false;                     // administratively up and with carrier
  std::optional<bool> esp_hw_offload;  // as it stands; none: the device never has it
  bool fixed = false;                  // it cannot be switched
};

// All devices but loopback, by index. A device that goes away meanwhile is left out.
base::Result<std::vector<DeviceFeatures>> device_features();

}  // namespace espgate::tools
