// SPDX-License-Identifier: Apache-2.0
#include "gateway/devices.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <utility>

#include "xfrm/device_features.h"

namespace espgate::gateway {

namespace {
constexpr std::size_t kMany = 256;  // connections

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

// Those that hold a local address of the connection, or by which its peer is reached.
std::set<std::string> devices_of(const ike::ConnConfig& conn, const std::multimap<base::Address, std::string>& held,
                                 xfrm::RouteTable& routes) {
  std::set<std::string> out;
  for (const auto& local : conn.local_addrs) {
    for (const auto& [address, device] : held) {
      if (local.contains(address)) out.insert(device);
    }
  }
  for (const auto& remote : conn.remote_addrs) {
    if (remote != base::Prefix::host(remote.address())) continue;
    if (auto route = routes.lookup(remote.address())) out.insert(route->device);
  }
  out.erase("lo");
  return out;
}

std::string kernel_release() {
  utsname name{};
  return ::uname(&name) == 0 ? name.release : "";
}

class Surveyor {
 public:
  explicit Surveyor(std::vector<xfrm::Link> links) : release_(kernel_release()) { survey_.links = std::move(links); }

  // The devices in place of `names`, each looked at.
  std::vector<std::string> real(const std::set<std::string>& names) {
    std::set<std::string> out;
    for (const auto& name : names) {
      const auto link = std::ranges::find(survey_.links, name, &xfrm::Link::name);
      if (link == survey_.links.end()) continue;
      for (const auto& below : xfrm::beneath(survey_.links, link->ifindex)) {
        out.insert(below.name);
        look_at(below);
        if (below.ifindex != link->ifindex) stands_on_[name].insert(below.name);
      }
    }
    return {out.begin(), out.end()};
  }
  // All that say that they know ESP offload, and stand upon no other.
  std::vector<std::string> all() {
    std::set<std::string> out;
    for (const auto& link : survey_.links) {
      const auto below = xfrm::beneath(survey_.links, link.ifindex);
      if (below.size() != 1 || below.front().ifindex != link.ifindex) continue;
      if (const auto features = xfrm::device_features(link.name); features && features->esp_hw_offload) {
        out.insert(link.name);
      }
    }
    return real(out);
  }
  void look_at(const xfrm::Link& link) {
    if (!seen_.insert(link.name).second) return;
    const auto features = xfrm::device_features(link.name);
    if (!features) return;
    survey_.facts.push_back({link.name,
                             link.ifindex,
                             features->up,
                             {features->driver, features->driver_version, features->firmware, release_},
                             features->esp_hw_offload});
  }
  DeviceSurvey take() {
    for (const auto& [name, members] : stands_on_) survey_.beneath[name] = {members.begin(), members.end()};
    return std::move(survey_);
  }

 private:
  std::string release_;
  std::set<std::string> seen_;
  std::map<std::string, std::set<std::string>> stands_on_;
  DeviceSurvey survey_;
};

// The same devices once more: links, drivers, features.
DeviceSurvey looked_at_again(const DeviceSurvey& before) {
  Surveyor surveyor(before.links);
  for (const auto& facts : before.facts) {
    const auto link = std::ranges::find(before.links, facts.name, &xfrm::Link::name);
    if (link != before.links.end()) surveyor.look_at(*link);
  }
  auto out = surveyor.take();
  out.of_conn = before.of_conn;
  out.beneath = before.beneath;
  return out;
}
}  // namespace

std::set<std::string> devices_for(const control::Configuration& config, xfrm::RouteTable& routes) {
  const auto& named = config.gateway.interfaces;
  if (!named.empty()) return {named.begin(), named.end()};
  std::set<std::string> out;
  const auto held = addresses_of_this_host();
  for (const auto& conn : config.ike->conns) out.merge(devices_of(*conn, held, routes));
  return out;
}

base::Result<DeviceSurvey> survey_devices(const control::Configuration& config, xfrm::RouteTable& routes,
                                          const DeviceSurvey* before) {
  auto links = xfrm::links();
  if (!links) return std::unexpected(links.error());
  if (before != nullptr && config.ike->conns.size() > kMany && before->links == *links) {
    return looked_at_again(*before);
  }
  Surveyor surveyor(std::move(*links));
  const auto held = addresses_of_this_host();
  std::map<std::string, std::vector<std::string>> of_conn;
  for (const auto& conn : config.ike->conns) {
    const auto names = devices_of(*conn, held, routes);
    of_conn[conn->name] = names.empty() ? surveyor.all() : surveyor.real(names);
  }
  const auto& named = config.gateway.interfaces;
  (void)surveyor.real({named.begin(), named.end()});
  auto out = surveyor.take();
  out.of_conn = std::move(of_conn);
  return out;
}

}  // namespace espgate::gateway
