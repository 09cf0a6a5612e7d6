// SPDX-License-Identifier: Apache-2.0
// Rules about connections: configuration, certificates, the ways packets take, what hardware and kernel made of them.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "control/doctor/advice.h"
#include "control/doctor/diagnose.h"

namespace espgate::control::doctor {
namespace {

constexpr std::int64_t kDay = 86400;  // seconds
constexpr std::int64_t kExpiresSoon = 30 * kDay;
constexpr std::uint32_t kLeastIpv6 = 1280;    // octets, RFC 8200 5
constexpr std::uint32_t kMostOverhead = 100;  // octets: ESP in UDP in IPv6, tunnel mode, whatever the suite

std::string name_of(const ChildFacts& child) { return child.conn + "/" + child.child; }

const DeviceFacts* device_of(const Facts& facts, const std::string& name) {
  const auto found = std::ranges::find(facts.devices, name, &DeviceFacts::name);
  return found == facts.devices.end() ? nullptr : &*found;
}

// The larger of the device's and of conf.all, as the kernel takes it.
int rp_filter(const Facts& facts, const DeviceFacts& device) {
  const auto all = facts.sysctls.find("net.ipv4.conf.all.rp_filter");
  const auto value = std::max(device.rp_filter, all == facts.sysctls.end() ? std::string() : all->second);
  return value.empty() ? 0 : value.front() - '0';
}

// Whether the sheet can be filled at all.
bool configured(const Facts& facts, Sheet& sheet) {
  if (!facts.config) sheet.unmade(facts.config_trouble);
  return facts.config.has_value();
}

}  // namespace

void check_config(const Facts& facts, Sheet& sheet) {
  if (!configured(facts, sheet)) return;
  for (const auto& text : facts.config->errors) {
    sheet.error(facts.config->path, text, "correct it; a running espgated goes on with what it had");
  }
  for (const auto& text : facts.config->warnings) sheet.note(facts.config->path, text, "");
}

void check_certificates(const Facts& facts, Sheet& sheet) {
  if (!configured(facts, sheet)) return;
  for (const auto& cert : facts.config->certificates) {
    const auto subject = fmt::format("{}: {}", cert.conn, cert.subject);
    const auto* next = cert.local ? "have it renewed, put it into x509, then `espgate conn reload`"
                                  : "ask the peer's side for a new one, then `espgate conn reload`";
    if (cert.not_after <= facts.now) {
      sheet.error(subject, fmt::format("the certificate expired {} days ago", (facts.now - cert.not_after) / kDay),
                  next);
    } else if (cert.not_before > facts.now) {
      sheet.error(
          subject,
          fmt::format("the certificate is not valid before {} days from now", (cert.not_before - facts.now) / kDay + 1),
          "check the clock (`timedatectl`), or wait");
    } else if (cert.not_after - facts.now < kExpiresSoon) {
      sheet.warning(subject, fmt::format("the certificate expires in {} days", (cert.not_after - facts.now) / kDay),
                    next);
    }
  }
}

void check_routes(const Facts& facts, Sheet& sheet) {
  if (!configured(facts, sheet)) return;
  for (const auto& child : facts.config->children) {
    if (child.to_peer && child.to_peer->device.empty()) {
      sheet.error(name_of(child), "no route to the peer: " + child.to_peer->error,
                  "`ip route get ADDRESS` of its remote_addrs; add the route");
    }
    for (const auto& [net, way] : child.to_nets) {
      if (!way.device.empty()) continue;
      sheet.error(
          name_of(child),
          fmt::format("no route to {}: packets to it are dropped before a policy sees them ({})", net, way.error),
          fmt::format("`ip route add {} via GATEWAY dev DEVICE`, by the device that the peer is reached by", net));
    }
  }
}

// Of what comes in as ESP or IKE alone: the kernel looks at no reverse path for what it has decrypted itself
// (fib_validate_source(), net/ipv4/fib_frontend.c).
void check_rp_filter(const Facts& facts, Sheet& sheet) {
  if (!configured(facts, sheet)) return;
  for (const auto& child : facts.config->children) {
    if (!child.to_peer || child.to_peer->device.empty() || child.to_peer->device == child.arrives_by) continue;
    const auto* device = device_of(facts, child.arrives_by);
    if (device == nullptr || device->name == "lo" || rp_filter(facts, *device) != 1) continue;
    sheet.error(
        name_of(child),
        fmt::format("rp_filter = 1 on {}, which has {}: what the peer sends there is dropped, since the way back "
                    "to it is by {}",
                    device->name, child.our_address, child.to_peer->device),
        fmt::format("route the peer by {0}, or `sysctl net.ipv4.conf.{0}.rp_filter=2` (conf.all must not be 1)",
                    device->name));
  }
}

void check_forwarding(const Facts& facts, Sheet& sheet) {
  if (!configured(facts, sheet)) return;
  std::set<std::string> said;
  for (const auto& child : facts.config->children) {
    if (!child.forwards) continue;
    for (const auto& [net, way] : child.to_nets) {
      const bool v6 = net.find(':') != std::string::npos;
      const std::string key = v6 ? "net.ipv6.conf.all.forwarding" : "net.ipv4.ip_forward";
      const auto value = facts.sysctls.find(key);
      if (value == facts.sysctls.end() || value->second != "0" || !said.insert(key).second) continue;
      sheet.error(name_of(child),
                  key + " = 0: hosts behind this gateway cannot use the tunnel, only the gateway itself",
                  fmt::format("`sysctl {0}=1`, and {0} = 1 in /etc/sysctl.d/", key));
    }
  }
}

void check_offload(const Facts& facts, Sheet& sheet) {
  if (!configured(facts, sheet)) return;
  for (const auto& child : facts.config->children) {
    if (!child.wants_offload || !child.to_peer) continue;
    for (const auto& name : child.to_peer->beneath) {
      const auto* device = device_of(facts, name);
      if (device == nullptr || device->esp_hw_offload == true) continue;
      const auto text = device->esp_hw_offload
                            ? fmt::format("packets to the peer leave by {}, whose esp-hw-offload is switched off", name)
                            : fmt::format("packets to the peer leave by {}, which cannot offload ESP", name);
      const auto next = device->esp_hw_offload
                            ? fmt::format("`ethtool -K {} esp-hw-offload on`", name)
                            : "route the peer by the card that can (`espgate offload show`), or say hw_offload = no";
      if (child.strict)
        sheet.error(name_of(child), text + "; the child is strict and cannot come up", next);
      else
        sheet.warning(name_of(child), text, next);
    }
  }
  for (const auto& row : facts.report.sas.rows) {
    for (const auto* side : {&row.in, &row.out}) {
      if (!*side || !(*side)->less_than_wanted()) continue;
      sheet.warning(
          fmt::format("{}/{} {}", row.conn, row.child, side == &row.in ? "in" : "out"),
          "runs in software: " + (*side)->reason,
          "`espgate offload show` says what the device takes, `espgate offload probe dev D` why not the rest");
    }
  }
}

void check_mtu(const Facts& facts, Sheet& sheet) {
  std::set<std::string> said;
  for (const auto& child : facts.config ? facts.config->children : std::vector<ChildFacts>{}) {
    const auto* device = child.to_peer ? device_of(facts, child.to_peer->device) : nullptr;
    if (device == nullptr || !device->mtu || !said.insert(device->name).second) continue;
    if (facts.config->fragment_size > *device->mtu) {
      sheet.warning(device->name,
                    fmt::format("its MTU is {}, IKE messages are sent in packets of up to {} octets: they go in IP "
                                "fragments, which firewalls drop",
                                *device->mtu, facts.config->fragment_size),
                    fmt::format("gateway.fragment_size = {} or less", *device->mtu));
    }
    if (*device->mtu < kLeastIpv6 + kMostOverhead) {
      sheet.warning(device->name,
                    fmt::format("its MTU is {}: IPv6 does not fit through a tunnel over it", *device->mtu),
                    fmt::format("an MTU of {} or more", kLeastIpv6 + kMostOverhead));
    }
  }
  if (facts.too_big.value_or(0) > 0) {
    sheet.note(
        "",
        fmt::format("{} packets did not fit and must not be fragmented; their senders were told by ICMP, or "
                    "hang if that is filtered",
                    *facts.too_big),
        "clamp TCP's segments: `nft add rule inet filter forward tcp flags syn tcp option maxseg size set rt mtu`");
  }
}

void check_connections(const Facts& facts, Sheet& sheet) {
  if (!facts.report.daemon) {
    sheet.unmade("espgated does not answer");
    return;
  }
  for (const auto& conn : facts.report.daemon->conns) {
    if (conn.state == "up" || !conn.last_error) continue;
    const auto& error = *conn.last_error;
    const auto notify = error.peer_notify.empty() ? std::string() : ", the peer sent " + error.peer_notify;
    sheet.error(conn.conn + "/" + conn.child,
                fmt::format("{}: {}: {} ({}{})", conn.state, error.step, error.text, error.code, notify),
                std::string(advice_for(error.code, error.peer_notify, error.step)));
  }
}

void check_packets(const Facts& facts, Sheet& sheet) {
  for (const auto& each : kernel_counters()) {
    const auto found = facts.xfrm_stat.find(std::string(each.name));
    if (found == facts.xfrm_stat.end() || found->second == 0) continue;
    sheet.note(std::string(each.name), fmt::format("{} packets: {}", found->second, each.meaning),
               std::string(each.next_step));
  }
  for (const auto& row : facts.report.sas.rows) {
    if (!row.in || row.in->errors.integrity == 0) continue;
    sheet.error(
        fmt::format("{}/{} in", row.conn, row.child),
        fmt::format("{} packets failed their integrity check", row.in->errors.integrity),
        "with the SA in hardware: `espgate offload show` (a card that gets it wrong is taken off); in software: "
        "packets are changed on the way, or somebody sends forged ones");
  }
}

}  // namespace espgate::control::doctor
