// SPDX-License-Identifier: Apache-2.0
// What the configuration asks of this machine: ways to peers and to their networks, certificates.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>

#include "control/config/model.h"
#include "control/doctor/gather.h"
#include "xfrm/links.h"
#include "xfrm/route.h"

namespace espgate::control::doctor {
namespace {

// The addresses of this host, as prefixes of one address, and who has them.
using OwnAddresses = std::map<base::Prefix, std::string>;

OwnAddresses own_addresses() {
  OwnAddresses out;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return out;
  for (const ifaddrs* each = list; each != nullptr; each = each->ifa_next) {
    if (each->ifa_addr == nullptr) continue;
    char text[INET6_ADDRSTRLEN] = "";
    const void* octets = nullptr;
    if (each->ifa_addr->sa_family == AF_INET) octets = &reinterpret_cast<const sockaddr_in*>(each->ifa_addr)->sin_addr;
    if (each->ifa_addr->sa_family == AF_INET6) {
      octets = &reinterpret_cast<const sockaddr_in6*>(each->ifa_addr)->sin6_addr;
    }
    if (octets == nullptr || inet_ntop(each->ifa_addr->sa_family, octets, text, sizeof text) == nullptr) continue;
    if (const auto address = base::Address::parse(text)) out.emplace(base::Prefix::host(*address), each->ifa_name);
  }
  freeifaddrs(list);
  return out;
}

class Ways {
 public:
  Ways() : table_(xfrm::RouteTable::make()), links_(xfrm::links()) {}

  Way to(const base::Address& address) {
    if (!table_) return {{}, table_.error().text(), {}};
    const auto route = table_->lookup(address);
    if (!route) return {{}, std::strerror(route.error().code), {}};
    Way way{route->device, {}, {}};
    if (links_) {
      for (const auto& link : xfrm::beneath(*links_, route->ifindex)) way.beneath.push_back(link.name);
    }
    return way;
  }

 private:
  base::Result<xfrm::RouteTable> table_;
  base::Result<std::vector<xfrm::Link>> links_;
};

// An address within, not the network's own, which a connected route answers as broadcast.
base::Address inside(const base::Prefix& prefix) {
  const auto last = prefix.last();
  if (prefix.address() == last) return last;
  auto text = prefix.address().text();
  // 10.2.0.0 -> 10.2.0.1, 2001:db8:: -> 2001:db8::1; a prefix of two addresses or more has its last bit free.
  if (prefix.family() == base::Family::ipv6) {
    if (text.ends_with("::")) text += "1";
  } else {
    const auto octet = text.rfind('.') + 1;
    text = text.substr(0, octet) + std::to_string(std::stoi(text.substr(octet)) | 1);
  }
  return base::Address::parse(text).value_or(prefix.address());
}

ChildFacts child_facts(const sad::ChildPlan& plan, const OwnAddresses& own, Ways& ways) {
  ChildFacts out;
  out.conn = plan.conn;
  out.child = plan.child;
  out.wants_offload = plan.offload != base::OffloadWanted::no;
  out.strict = out.wants_offload && plan.offload != base::OffloadWanted::automatic;
  out.by_interface = plan.handling.if_id_out != 0;
  for (const auto& ts : plan.local_ts) {
    for (const auto& prefix : ts.prefixes()) out.forwards = out.forwards || !own.contains(prefix);
  }
  if (plan.remote) out.to_peer = ways.to(*plan.remote);
  if (plan.local && plan.local->family() == base::Family::ipv4) {
    out.our_address = plan.local->text();
    if (const auto found = own.find(base::Prefix::host(*plan.local)); found != own.end())
      out.arrives_by = found->second;
  }
  if (out.by_interface || plan.mode != base::SaMode::tunnel) return out;
  for (const auto& ts : plan.remote_ts) {
    for (const auto& prefix : ts.prefixes()) {
      if (prefix.length() == 0) continue;  // any way will do
      auto way = ways.to(inside(prefix));
      if (way.device != "lo") out.to_nets.emplace(prefix.text(), std::move(way));
    }
  }
  return out;
}

void add_certificates(const ike::ConnConfig& conn, std::vector<CertificateFacts>& out) {
  const auto add = [&](const ike::crypto::Certificate& cert, bool local) {
    out.push_back({conn.name, cert.subject().text(), local, cert.not_before(), cert.not_after()});
  };
  for (const auto& credential : conn.local.credentials) {
    add(credential.cert, true);
    for (const auto& issuer : credential.chain) add(issuer, true);
  }
  for (const auto& cert : conn.remote.certs) add(cert, false);
}

}  // namespace

void gather_config(const std::string& path, Facts& facts) {
  if (access(path.c_str(), R_OK) != 0) {
    facts.config_trouble = fmt::format("{}: {}", path, std::strerror(errno));
    return;
  }
  const auto loaded = load_file(path);
  ConfigFacts out;
  out.path = path;
  for (const auto& error : loaded.report.errors) out.errors.push_back(error.text());
  for (const auto& warning : loaded.report.warnings) out.warnings.push_back(warning.text());
  if (loaded.config) {
    out.fragment_size = loaded.config->ike->fragment_size;
    const auto own = own_addresses();
    Ways ways;
    for (const auto& plan : loaded.config->plan.children) {
      if (plan.treatment == sad::Treatment::protect) out.children.push_back(child_facts(plan, own, ways));
    }
    for (const auto& conn : loaded.config->ike->conns) add_certificates(*conn, out.certificates);
  }
  facts.config = std::move(out);
}

}  // namespace espgate::control::doctor
