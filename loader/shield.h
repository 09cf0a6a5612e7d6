// SPDX-License-Identifier: Apache-2.0
// What the XDP program does beyond counting: see espgate_shield in maps/abi.h.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/address.h"
#include "base/secret.h"
#include "maps/abi.h"

namespace espgate::loader {

// Rates are packets a second; 0: no limit.
struct ShieldRules {
  bool active = false;
  bool drop_unknown = false;
  std::uint32_t cookie_rate = 200;
  std::uint32_t fragment_rate = 100;
  std::uint32_t source_rate = 1000;
  bool operator==(const ShieldRules&) const = default;
};

// One secret that cookies are made with; `key` has ESPGATE_COOKIE_KEY_OCTETS octets.
struct CookieSecret {
  std::uint8_t number = 0;
  base::Secret key;
};

}  // namespace espgate::loader
