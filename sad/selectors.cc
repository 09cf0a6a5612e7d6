// SPDX-License-Identifier: Apache-2.0
#include "sad/selectors.h"

#include <netinet/in.h>

#include <algorithm>
#include <optional>

namespace espgate::sad {
namespace {

constexpr std::uint32_t kBypassPriority = 0x1000;
constexpr std::uint32_t kFirstPriority = 0x10000;

bool is_icmp(std::uint8_t protocol) { return protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6; }

struct Ports {
  std::vector<xfrm::PortMatch> source, destination;
};

bool all_ports(const base::TrafficSelector& ts) { return ts.first_port == 0 && ts.last_port == 65535; }

// RFC 7296 3.13.1: for ICMP the "port" is the type in the high octet and the code in the low one. XFRM has them in two
// fields; ranges that do not end at an octet are widened to whole types by leaving the code open.
Ports icmp_ports(const base::TrafficSelector& local, const base::TrafficSelector& remote) {
  const auto& ts = all_ports(local) ? remote : local;
  if (all_ports(ts)) return {{{}}, {{}}};
  auto types = port_matches(ts.first_port >> 8, ts.last_port >> 8);
  // port_matches knows a full range as 0-65535; types end at 255, and 0-255 is every type.
  if (ts.first_port >> 8 == 0 && ts.last_port >> 8 == 255) types = {{}};
  if (ts.first_port != ts.last_port) return {types, {{}}};
  return {types, {{static_cast<std::uint16_t>(ts.first_port & 0xff), 0xffff}}};
}

Ports ports_of(std::uint8_t protocol, const base::TrafficSelector& local, const base::TrafficSelector& remote) {
  if (is_icmp(protocol)) return icmp_ports(local, remote);
  return {port_matches(local.first_port, local.last_port), port_matches(remote.first_port, remote.last_port)};
}

std::optional<std::uint8_t> common_protocol(std::uint8_t a, std::uint8_t b) {
  if (a != 0 && b != 0 && a != b) return std::nullopt;
  return a != 0 ? a : b;
}

void expand_pair(const base::TrafficSelector& local, const base::TrafficSelector& remote,
                 std::vector<xfrm::Selector>& out) {
  const auto protocol = common_protocol(local.protocol, remote.protocol);
  if (!protocol || local.first.family() != remote.first.family()) return;
  const Ports ports = ports_of(*protocol, local, remote);
  for (const auto& source : local.prefixes()) {
    for (const auto& destination : remote.prefixes()) {
      for (const auto& source_port : ports.source) {
        for (const auto& destination_port : ports.destination) {
          out.push_back({source, destination, *protocol, source_port, destination_port});
        }
      }
    }
  }
}

}  // namespace

std::vector<xfrm::PortMatch> port_matches(std::uint16_t first, std::uint16_t last) {
  if (first > last || (first == 0 && last == 65535)) return {{}};  // OPAQUE (RFC 7296 3.13.1) cannot be told apart
  std::vector<xfrm::PortMatch> out;
  std::uint32_t at = first;
  while (at <= last) {
    std::uint32_t size = 1;
    while (at % (size * 2) == 0 && at + size * 2 - 1 <= last) size *= 2;
    out.push_back({static_cast<std::uint16_t>(at), static_cast<std::uint16_t>(0x10000 - size)});
    at += size;
  }
  return out;
}

std::vector<xfrm::Selector> expand(const std::vector<base::TrafficSelector>& local,
                                   const std::vector<base::TrafficSelector>& remote) {
  std::vector<xfrm::Selector> out;
  for (const auto& from : local) {
    for (const auto& to : remote) expand_pair(from, to, out);
  }
  std::ranges::sort(out);
  const auto twice = std::ranges::unique(out);
  out.erase(twice.begin(), twice.end());
  return out;
}

xfrm::Selector reversed(const xfrm::Selector& selector) {
  xfrm::Selector out = selector;
  std::swap(out.source, out.destination);
  if (!is_icmp(selector.protocol)) std::swap(out.source_port, out.destination_port);
  return out;
}

xfrm::Selector neighbour_discovery(std::uint8_t type) {
  const base::Prefix all(base::Address::any(base::Family::ipv6), 0);
  return {all, all, IPPROTO_ICMPV6, {type, 0xffff}, {}};
}

std::uint32_t priority(const xfrm::Selector& selector, xfrm::Layer layer) {
  if (layer == xfrm::Layer::bypass) return kBypassPriority;
  const std::uint32_t open_bits = 256U - selector.source.length() - selector.destination.length();
  std::uint32_t rank = open_bits;
  rank = rank * 2 + (selector.protocol == 0 ? 1 : 0);
  rank = rank * 2 + (selector.source_port.mask == 0 ? 1 : 0);
  rank = rank * 2 + (selector.destination_port.mask == 0 ? 1 : 0);
  return kFirstPriority + rank * 2 + (layer == xfrm::Layer::floor ? 1 : 0);
}

}  // namespace espgate::sad
