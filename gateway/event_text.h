// SPDX-License-Identifier: Apache-2.0
// The log's words for what the engine did.
#pragma once

#include <cstdint>
#include <string>

#include "ike/api.h"

namespace espgate::gateway {

enum class Severity : std::uint8_t { debug, info, warning };

struct EventLine {
  Severity severity = Severity::info;
  std::string text;      // one line, control characters escaped
  bool limited = false;  // a stranger can cause it: to be rate-limited under `key`
  std::string key;
};

EventLine describe(const ike::Event& event);

}  // namespace espgate::gateway
