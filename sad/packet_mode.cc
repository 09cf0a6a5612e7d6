// SPDX-License-Identifier: Apache-2.0
#include "sad/packet_mode.h"

#include <netinet/in.h>

#include <algorithm>
#include <set>

#include "sad/children.h"
#include "sad/selectors.h"

namespace espgate::sad {
namespace {

using base::Direction;
using xfrm::PolicyDirection;

constexpr std::uint16_t kIkePorts[] = {500, 4500};

bool in_packet_mode(const Half& half) { return half.verdict.actual == base::OffloadActual::packet; }

// Traffic that goes by a shunt or is nobody's comes by other policies: only what the child protects is blocked.
xfrm::PolicySpec guard_of(const xfrm::PolicySpec& policy, const Handling& handling) {
  xfrm::PolicySpec out;
  out.id = policy.id;
  out.id.layer = xfrm::Layer::guard;
  out.priority = priority(policy.id.selector, xfrm::Layer::guard, handling.priority);
  out.action = xfrm::PolicyAction::block;
  return out;
}

// The device looks at packets, not at the socket that they come from, whose own policy lets IKE through.
std::vector<xfrm::PolicySpec> ike_bypasses(const Child& child, PolicyDirection direction) {
  const base::Address& local = child.spec.local.address;
  const base::Address& remote = child.spec.remote.address;
  std::set<std::uint16_t> ports(std::begin(kIkePorts), std::end(kIkePorts));
  if (child.spec.local.port != 0) ports.insert(child.spec.local.port);
  std::vector<xfrm::PolicySpec> out;
  for (const std::uint16_t port : ports) {
    xfrm::Selector selector{base::Prefix::host(local), base::Prefix::host(remote), IPPROTO_UDP, {port, 0xffff}, {}};
    if (direction == PolicyDirection::in) selector = reversed(selector);
    xfrm::PolicySpec policy;
    policy.id = {direction, selector, xfrm::Layer::bypass};
    policy.priority = priority(selector, xfrm::Layer::bypass);
    policy.device = child.context.ifindex;
    out.push_back(policy);
  }
  return out;
}

void raise_soft_below_hard(std::uint64_t& soft, std::uint64_t hard) {
  if (hard != 0 && (soft == 0 || soft >= hard)) soft = hard - hard / 10 - 1;
}

}  // namespace

// Packet mode first, then crypto, then software; a strict child has but one choice.
void Children::plan_offload(Child& child) {
  using xfrm::OffloadKind;
  const auto& context = child.context;
  const auto wanted = child.spec.offload;
  if (wanted == base::OffloadWanted::no || context.ifindex == 0 || child.spec.suite.ah()) return;
  if (child.strict()) {
    child.left = {wanted == base::OffloadWanted::packet ? OffloadKind::packet : OffloadKind::crypto};
    return;
  }
  if (!context.placement.hardware) return;
  child.left = {OffloadKind::crypto};
  if (context.packet == PacketMode::refuses) return;
  auto obstacle = packet_obstacle(child);
  if (const auto known = no_policies_.find(context.device); obstacle.empty() && known != no_policies_.end()) {
    obstacle = "it took no policy for packet mode: " + known->second;
  }
  if (obstacle.empty()) {
    child.left.insert(child.left.begin(), OffloadKind::packet);
  } else if (context.packet == PacketMode::takes) {
    child.better_refused.emplace(Reason::unsupported_mode, "packet mode was not tried: " + obstacle);
  }
}

// In one batch with the outbound SA: the kernel puts an SA of another kind in front of packet-mode ones that are alone,
// and the device's policy then finds none of them (6.12, net/xfrm/xfrm_state.c: XFRM_STATE_INSERT).
void Children::claim_after_packet_mode(Child& child) {
  const auto old = child.spec.replaces ? children_.find(*child.spec.replaces) : children_.end();
  if (old != children_.end() && in_packet_mode(old->second.out)) claim_policies(child);
}

void Children::weigh_anchor(Child& child) {
  if (!child.anchored) return;
  child.anchored = false;
  auto id = sa_id(child, Direction::in);
  id.spi = anchored_spi(id.spi);
  ask(child, Role::del_anchor, xfrm::DelSa{id});
}

// Worth a reason where the device has packet mode; that it has none is no news.
void Children::packet_refused(Child& child, const Verdict& in, const Verdict& out) {
  if (child.context.packet != PacketMode::takes) return;
  const bool in_first = in.reason != Reason::none;
  const Verdict& cause = in_first ? in : out;
  child.better_refused.emplace(cause.reason, (in_first ? "in: " : "out: ") + cause.text);
}

std::string packet_obstacle(const Child& child) {
  return packet_obstacle(child.handling, child.spec.local_ts, child.spec.remote_ts, child.spec.local.address.family());
}

std::string packet_obstacle(const Handling& handling, const std::vector<base::TrafficSelector>& local,
                            const std::vector<base::TrafficSelector>& remote, base::Family outer) {
  const auto marked = [](const base::Mark& mark) { return mark.mask != 0; };
  if (marked(handling.mark_in) || marked(handling.mark_out) || marked(handling.set_mark_in) ||
      marked(handling.set_mark_out)) {
    return "packet mode does not know marks";
  }
  if (handling.if_id_in != 0 || handling.if_id_out != 0) return "packet mode does not know XFRM interfaces";
  for (const auto& selector : expand(local, remote)) {
    // The kernel looks for the route to the tunnel's end in the inner family (net/xfrm/xfrm_policy.c,
    // xfrm_bundle_create).
    if (selector.source.family() != outer) return "packet mode carries only the tunnel's own address family";
    if (selector.protocol != 0 && selector.protocol != IPPROTO_TCP && selector.protocol != IPPROTO_UDP) {
      return "packet mode takes no selectors for other protocols than TCP and UDP";
    }
  }
  return {};
}

void fit_packet_mode(xfrm::SaSpec& spec) {
  auto& limits = spec.limits;
  spec.sequence_notice = 0;
  if (spec.direction == Direction::out && !spec.suite.esn) {
    constexpr std::uint64_t kLast = 0xfffffff0U;
    limits.hard_packets = limits.hard_packets == 0 ? kLast : std::min(limits.hard_packets, kLast);
    limits.soft_packets = limits.soft_packets == 0 ? kSequenceRekey : std::min(limits.soft_packets, kSequenceRekey);
  }
  raise_soft_below_hard(limits.soft_packets, limits.hard_packets);
  raise_soft_below_hard(limits.soft_bytes, limits.hard_bytes);
}

base::Spi anchored_spi(base::Spi anchor) { return {anchor.value ^ 0x80000000U}; }

// Inbound, so that no template finds it; with the inbound key, so that none but the peer could make a packet for it.
xfrm::SaSpec anchor_of(const Child& child) {
  xfrm::SaSpec out = sa_spec(child, Direction::in, {});
  out.spi = anchored_spi(out.spi);
  out.acquire = out.number = 0;
  out.limits = {};
  return out;
}

void offload_policies(const Child& child, std::vector<xfrm::PolicySpec>& policies) {
  std::vector<xfrm::PolicySpec> beneath;
  for (auto& policy : policies) {
    const auto direction = policy.id.direction;
    const bool held = (direction == PolicyDirection::in && in_packet_mode(child.in)) ||
                      (direction == PolicyDirection::out && in_packet_mode(child.out));
    if (policy.id.layer != xfrm::Layer::child || !held) continue;
    policy.device = child.context.ifindex;
    beneath.push_back(guard_of(policy, child.handling));
  }
  for (const auto direction : {PolicyDirection::in, PolicyDirection::out}) {
    if (!in_packet_mode(direction == PolicyDirection::in ? child.in : child.out)) continue;
    std::ranges::move(ike_bypasses(child, direction), std::back_inserter(beneath));
  }
  policies.insert(policies.begin(), beneath.begin(), beneath.end());
}

}  // namespace espgate::sad
