// SPDX-License-Identifier: Apache-2.0
// rtnetlink's messages as values; no socket here. Each stands beside what uses it (link_events, links, route).
#pragma once

#include <linux/netlink.h>

#include <optional>

#include "xfrm/link_events.h"
#include "xfrm/links.h"
#include "xfrm/route.h"

namespace espgate::xfrm {

// RTM_NEWLINK and RTM_DELLINK. nullopt: another message, shorter than its header, or about a bridge's port.
std::optional<LinkChange> decode_link_change(const nlmsghdr& message);
// RTM_NEWLINK. nullopt: another message, or shorter than its header.
std::optional<Link> decode_link(const nlmsghdr& message);
// RTM_NEWROUTE; `device` is left empty. nullopt: another message.
std::optional<Route> decode_route(const nlmsghdr& message);

}  // namespace espgate::xfrm
