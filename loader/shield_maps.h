// SPDX-License-Identifier: Apache-2.0
// Writes the shield's maps: rules, cookie secrets, allow-list.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/error.h"
#include "loader/objects.h"
#include "loader/shield.h"

namespace espgate::loader {

class ShieldMaps {
 public:
  // The descriptors stay the caller's; `netns`: whose allow-list it is.
  ShieldMaps(const ObjectFds& fds, std::uint64_t netns) : fds_(fds), netns_(netns) {}

  base::Result<void> set_rules(const ShieldRules& rules);
  base::Result<void> set_secrets(const CookieSecret& present, const std::optional<CookieSecret>& before);
  base::Result<void> set_allowed(const std::vector<base::Prefix>& sources);

 private:
  ObjectFds fds_;
  std::uint64_t netns_;
};

}  // namespace espgate::loader
