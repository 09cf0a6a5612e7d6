// SPDX-License-Identifier: Apache-2.0
// What the daemon tells of a device: `offload show`, vici's espgate-offload.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sad/device_probe.h"
#include "sad/slots.h"
#include "sad/suite_order.h"

namespace espgate::control {

struct DeviceReport {
  sad::DeviceFacts facts;
  sad::DeviceRecord record;
  sad::Held held;
  sad::ProbeState state = sad::ProbeState::waiting;
  std::string state_text;              // one sentence
  std::vector<std::string> carries;    // bonds, VLANs, bridges that stand on it, and that a connection leaves by
  std::string disagreement;            // with its fellows under one of these; empty: none is known
  std::uint32_t floor = 0;             // esp_floor
  std::optional<sad::SlotView> slots;  // none: no child has been there
  // What a child with esp_proposals = default and hw_offload = auto, in tunnel mode over IPv4, would offer on it.
  std::vector<sad::SuiteOffer> offers;
};

}  // namespace espgate::control
