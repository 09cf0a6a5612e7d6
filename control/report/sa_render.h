// SPDX-License-Identifier: Apache-2.0
// `espgate sa show` as text and as JSON (docs/schema/sa-show.json).
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "control/report/table.h"

namespace espgate::control::report {

struct TextStyle {
  bool color = false;
  bool kernel = false;  // with GETSA's counts and the error counters
};

std::string sa_text(const SaTable& table, const TextStyle& style);
std::string sa_json(const SaTable& table, bool pretty);
// In pieces as they are written: of a million SAs the whole is hundreds of megabytes.
void sa_json(const SaTable& table, bool pretty, const std::function<void(std::string_view)>& sink);

}  // namespace espgate::control::report
