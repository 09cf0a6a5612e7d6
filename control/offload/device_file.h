// SPDX-License-Identifier: Apache-2.0
// The file with the cache of what devices take.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "base/error.h"
#include "sad/device_table.h"

namespace espgate::control {

// Empty if there is no such file. The error is a sentence: the file is broken, foreign or not to be read.
std::expected<std::vector<sad::DeviceRecord>, std::string> read_device_cache(const std::string& path);

// Whole or not at all, mode 0600; makes the folder if it is missing.
base::Result<void> write_device_cache(const std::string& path, const std::vector<sad::DeviceRecord>& records);

}  // namespace espgate::control
