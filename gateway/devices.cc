// SPDX-License-Identifier: Apache-2.0
#include "gateway/devices.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <cstring>
#include <map>
#include <memory>

namespace espgate::gateway {

namespace {
// Which device holds which address; loopback left out.
std::multimap<base::Address, std::string> addresses_of_this_host() {
  std::multimap<base::Address, std::string> out;
  ifaddrs* first = nullptr;
  if (getifaddrs(&first) != 0) return out;
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owner(first, freeifaddrs);
  for (const ifaddrs* at = first; at != nullptr; at = at->ifa_next) {
    if (at->ifa_addr == nullptr || (at->ifa_flags & IFF_LOOPBACK) != 0) continue;
    sockaddr_storage storage{};
    const bool v4 = at->ifa_addr->sa_family == AF_INET;
    if (!v4 && at->ifa_addr->sa_family != AF_INET6) continue;
    std::memcpy(&storage, at->ifa_addr, v4 ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
    if (auto endpoint = base::Endpoint::from_sockaddr(storage)) out.emplace(endpoint->address, at->ifa_name);
  }
  return out;
}
}  // namespace

std::set<std::string> devices_for(const control::Configuration& config, xfrm::RouteTable& routes) {
  const auto& named = config.gateway.interfaces;
  if (!named.empty()) return {named.begin(), named.end()};
  std::set<std::string> out;
  const auto held = addresses_of_this_host();
  for (const auto& conn : config.ike->conns) {
    for (const auto& local : conn->local_addrs) {
      for (const auto& [address, device] : held) {
        if (local.contains(address)) out.insert(device);
      }
    }
    for (const auto& remote : conn->remote_addrs) {
      if (remote != base::Prefix::host(remote.address())) continue;
      if (auto route = routes.lookup(remote.address())) out.insert(route->device);
    }
  }
  out.erase("lo");
  return out;
}

}  // namespace espgate::gateway
