// SPDX-License-Identifier: Apache-2.0
// The network devices of this namespace and which stand upon which: a VLAN, a bond or a bridge holds no SA by itself.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"

namespace espgate::xfrm {

struct Link {
  std::uint32_t ifindex = 0;
  std::string name;
  std::string kind;          // IFLA_INFO_KIND: "vlan", "bond", "veth", ...; empty for hardware
  std::uint32_t master = 0;  // the bond, team or bridge it is part of; 0 none
  std::uint32_t lower = 0;   // the device that a VLAN or the like stands upon; 0 none, or in another namespace
  bool operator==(const Link&) const = default;
};

// Asks the kernel (RTM_GETLINK). Not sysfs: /sys shows the namespace it was mounted in, which need not be ours.
base::Result<std::vector<Link>> links();

// What `ifindex` stands upon in the end, by ifindex: members of bonds, teams and bridges, what a VLAN, macvlan, ipvlan
// or MACsec device is made on, through all layers, each once. Itself if there is nothing beneath it.
std::vector<Link> beneath(std::span<const Link> links, std::uint32_t ifindex);

}  // namespace espgate::xfrm
