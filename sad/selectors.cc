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

using Ports = std::vector<std::pair<xfrm::PortMatch, xfrm::PortMatch>>;  // source, destination

bool all_ports(const base::TrafficSelector& ts) { return ts.first_port == 0 && ts.last_port == 65535; }

// An octet's range; every value of it is one match.
std::vector<xfrm::PortMatch> octet_matches(unsigned first, unsigned last) {
  if (first == 0 && last == 255) return {{}};
  return port_matches(static_cast<std::uint16_t>(first), static_cast<std::uint16_t>(last));
}

void add_types(unsigned first_type, unsigned last_type, unsigned first_code, unsigned last_code, Ports& out) {
  for (const auto& type : octet_matches(first_type, last_type)) {
    for (const auto& code : octet_matches(first_code, last_code)) out.emplace_back(type, code);
  }
}

// RFC 7296 3.13.1: for ICMP the "port" is the type in the high octet and the code in the low one. XFRM has them in two
// fields: the types that are whole, and before and behind them those of which only some codes are meant.
Ports icmp_ports(const base::TrafficSelector& local, const base::TrafficSelector& remote) {
  const auto& ts = all_ports(local) ? remote : local;
  if (all_ports(ts)) return {{{}, {}}};
  unsigned first = ts.first_port >> 8;
  unsigned last = ts.last_port >> 8;
  const unsigned first_code = ts.first_port & 0xff;
  const unsigned last_code = ts.last_port & 0xff;
  Ports out;
  if (first == last) {
    add_types(first, first, first_code, last_code, out);
    return out;
  }
  if (first_code != 0) add_types(first, first, first_code, 255, out);
  if (first_code != 0) ++first;
  if (last_code != 255) add_types(last, last, 0, last_code, out);
  if (last_code != 255) --last;
  if (first <= last) add_types(first, last, 0, 255, out);
  return out;
}

Ports ports_of(std::uint8_t protocol, const base::TrafficSelector& local, const base::TrafficSelector& remote) {
  if (is_icmp(protocol)) return icmp_ports(local, remote);
  Ports out;
  for (const auto& source : port_matches(local.first_port, local.last_port)) {
    for (const auto& destination : port_matches(remote.first_port, remote.last_port)) {
      out.emplace_back(source, destination);
    }
  }
  return out;
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
      for (const auto& [source_port, destination_port] : ports) {
        out.push_back({source, destination, *protocol, source_port, destination_port});
      }
    }
  }
}

std::uint32_t place(xfrm::Layer layer) {
  switch (layer) {
    case xfrm::Layer::shunt:
      return 0;
    case xfrm::Layer::trap:
      return 2;
    case xfrm::Layer::floor:
    case xfrm::Layer::guard:
      return 3;
    case xfrm::Layer::child:
    case xfrm::Layer::bypass:
    case xfrm::Layer::foreign:
      break;
  }
  return 1;
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

std::pair<base::TrafficSelector, base::TrafficSelector> packet_of(const xfrm::Selector& selector) {
  auto local = base::TrafficSelector::of(selector.source);
  auto remote = base::TrafficSelector::of(selector.destination);
  local.protocol = remote.protocol = selector.protocol;
  const auto say = [](base::TrafficSelector& ts, xfrm::PortMatch port) {
    if (port.mask == 0xffff) ts.first_port = ts.last_port = port.value;
  };
  if (is_icmp(selector.protocol)) {
    if (selector.source_port.mask != 0xffff) return {local, remote};
    const auto both =
        static_cast<std::uint16_t>(selector.source_port.value << 8 | (selector.destination_port.value & 0xff));
    say(local, {both, 0xffff});
    say(remote, {both, 0xffff});
  } else if (selector.protocol != 0) {
    say(local, selector.source_port);
    say(remote, selector.destination_port);
  }
  return {local, remote};
}

xfrm::PolicyId policy_id(const Handling& handling, xfrm::PolicyDirection direction, const xfrm::Selector& selector,
                         xfrm::Layer layer) {
  const bool out = direction == xfrm::PolicyDirection::out;
  return {direction, selector, layer, out ? handling.mark_out : handling.mark_in,
          out ? handling.if_id_out : handling.if_id_in};
}

xfrm::Selector neighbour_discovery(std::uint8_t type) {
  const base::Prefix all(base::Address::any(base::Family::ipv6), 0);
  return {all, all, IPPROTO_ICMPV6, {type, 0xffff}, {}};
}

std::uint32_t priority(const xfrm::Selector& selector, xfrm::Layer layer, std::uint32_t said) {
  if (layer == xfrm::Layer::bypass) return kBypassPriority;
  if (said != 0)
    return said + (layer == xfrm::Layer::floor || layer == xfrm::Layer::guard ? 2 : layer == xfrm::Layer::trap ? 1 : 0);
  const std::uint32_t open_bits = 256U - selector.source.length() - selector.destination.length();
  std::uint32_t rank = open_bits;
  rank = rank * 2 + (selector.protocol == 0 ? 1 : 0);
  rank = rank * 2 + (selector.source_port.mask == 0 ? 1 : 0);
  rank = rank * 2 + (selector.destination_port.mask == 0 ? 1 : 0);
  return kFirstPriority + rank * 4 + place(layer);
}

}  // namespace espgate::sad
