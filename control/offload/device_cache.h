// SPDX-License-Identifier: Apache-2.0
// The cache of what devices take, as text: /var/lib/espgate/devices.json. One writer, espgated; the CLI reads it when
// the daemon is down.
#pragma once

#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sad/device_table.h"

namespace espgate::control {

inline constexpr const char* kDeviceCache = "/var/lib/espgate/devices.json";
inline constexpr std::size_t kDeviceCacheOctets = std::size_t{4} << 20;  // a longer file is not ours

std::string device_cache_text(const std::vector<sad::DeviceRecord>& records);

// Taken whole or not at all; the error says what is wrong with it, in a few words.
std::expected<std::vector<sad::DeviceRecord>, std::string> parse_device_cache(std::string_view text);

// "aes128gcm16", "aes256-sha256": a suite by its name without "-esn"; nullopt: there is none of that name.
std::optional<base::EspSuite> suite_called(std::string_view name);

}  // namespace espgate::control
