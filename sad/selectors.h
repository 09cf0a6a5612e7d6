// SPDX-License-Identifier: Apache-2.0
// From IKE's traffic selectors (ranges) to the kernel's (prefixes and masks), and where each policy ranks.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "base/esp.h"
#include "sad/plan.h"
#include "xfrm/api.h"

namespace espgate::sad {

// A range of ports as the fewest masked matches, in order; {0, 0} alone for all ports.
std::vector<xfrm::PortMatch> port_matches(std::uint16_t first, std::uint16_t last);

// Everything from `local` to `remote`, as outbound selectors without duplicates. Pairs of different families or of
// protocols that exclude each other give nothing.
std::vector<xfrm::Selector> expand(const std::vector<base::TrafficSelector>& local,
                                   const std::vector<base::TrafficSelector>& remote);

// The same traffic seen from the other side. ICMP type and code stay where they are.
xfrm::Selector reversed(const xfrm::Selector& selector);

// A packet's selector, outbound, as IKE says it: (local, remote). Its addresses are single ones.
std::pair<base::TrafficSelector, base::TrafficSelector> packet_of(const xfrm::Selector& selector);

// With the mark and the XFRM interface that a child's policies of this direction are for.
xfrm::PolicyId policy_id(const Handling& handling, xfrm::PolicyDirection direction, const xfrm::Selector& selector,
                         xfrm::Layer layer);

// ICMPv6 neighbour solicitation (135) or advertisement (136), RFC 4861.
xfrm::Selector neighbour_discovery(std::uint8_t type);

// The lower the number, the sooner it is asked. Bypasses come first; then narrower selectors before wider ones, and for
// the same traffic shunt, child, trap, floor, so that a narrow child that is down is not carried by a wide one that is
// up. `said`: the operator's own number instead of the rank by selectors; 0: none.
std::uint32_t priority(const xfrm::Selector& selector, xfrm::Layer layer, std::uint32_t said = 0);

}  // namespace espgate::sad
