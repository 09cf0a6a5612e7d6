// SPDX-License-Identifier: Apache-2.0
// Which devices matter: to the BPF programs, and to offload.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "control/config/model.h"
#include "sad/device_table.h"
#include "xfrm/links.h"
#include "xfrm/route.h"

namespace espgate::gateway {

// gateway.interfaces, or (auto) the devices that hold a local_addrs address or by which remote_addrs are reached.
// Never lo.
std::set<std::string> devices_for(const control::Configuration& config, xfrm::RouteTable& routes);

// The devices that SAs could be offloaded to. What stands upon others (bonds, VLANs, bridges) has them in its place.
struct DeviceSurvey {
  std::vector<xfrm::Link> links;
  std::vector<sad::DeviceFacts> facts;
  std::map<std::string, std::vector<std::string>> of_conn;  // by which a connection leaves; all, if that is open
  std::map<std::string, std::vector<std::string>> beneath;  // bond0: nic0, nic1
};
// `before`: of the same configuration, if any. Thousands of connections are not asked for their routes again as long as
// the links are what they were.
base::Result<DeviceSurvey> survey_devices(const control::Configuration& config, xfrm::RouteTable& routes,
                                          const DeviceSurvey* before = nullptr);

}  // namespace espgate::gateway
