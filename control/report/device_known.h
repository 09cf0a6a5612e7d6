// SPDX-License-Identifier: Apache-2.0
// What is known of a device beyond what the kernel shows: from the daemon, or with the daemon down from its cache.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/vici/client.h"
#include "sad/device_table.h"
#include "sad/slots.h"

namespace espgate::control::report {

struct OfferRow {
  std::string suite, carrier, why;  // carrier: "hardware", "software", "unknown"
};

struct DeviceKnown {
  sad::DeviceRecord record;
  std::optional<bool> esp_hw_offload;  // as the daemon saw it
  bool up = false;
  std::string state, state_text;  // of the probe: a closed word and a sentence; empty: the daemon is not there to say
  std::vector<std::string> carries;
  std::string disagreement;
  std::uint32_t floor = 0;  // esp_floor that the offers keep
  std::vector<OfferRow> offers;
  std::optional<sad::SlotView> steering;  // none: the daemon is not there to say, or no child was ever on it
};

std::expected<std::vector<DeviceKnown>, vici::ClientError> ask_devices(vici::Client& client);
// An answer of espgate-offload, or one of its events, taken apart; keys that are missing leave their members empty.
std::vector<DeviceKnown> devices_known(const vici::Message& espgate_offload);
// SAs of both directions together that it is known to have room for; none: nobody said, and it refused none.
std::optional<std::uint64_t> room_of(const DeviceKnown& device);
// Of the cache, offered as the default floor has it.
DeviceKnown known_of(const sad::DeviceRecord& cached);

}  // namespace espgate::control::report
