// SPDX-License-Identifier: Apache-2.0
// Which devices the BPF programs belong on.
#pragma once

#include <set>
#include <string>

#include "control/config/model.h"
#include "xfrm/route.h"

namespace espgate::gateway {

// gateway.interfaces, or (auto) the devices that hold a local_addrs address or by which remote_addrs are reached.
// Never lo.
std::set<std::string> devices_for(const control::Configuration& config, xfrm::RouteTable& routes);

}  // namespace espgate::gateway
