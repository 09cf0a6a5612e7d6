// SPDX-License-Identifier: Apache-2.0
#include "sad/child.h"

#include <netinet/in.h>

#include <algorithm>

#include "sad/packet_mode.h"
#include "sad/selectors.h"

namespace espgate::sad {
namespace {

using base::Direction;

// SAs of a transport child carry one selector; several are told apart by the policies alone.
std::optional<xfrm::Selector> transport_selector(const Child& child, Direction direction) {
  if (child.spec.mode != base::SaMode::transport) return std::nullopt;
  const auto selectors = expand(child.spec.local_ts, child.spec.remote_ts);
  if (selectors.size() != 1) return std::nullopt;
  return direction == Direction::out ? selectors.front() : reversed(selectors.front());
}

std::optional<xfrm::Encap> encap_of(const Child& child, Direction direction) {
  if (!child.spec.encap) return std::nullopt;
  const std::uint16_t local = child.spec.local.port;
  const std::uint16_t remote = child.spec.remote.port;
  return direction == Direction::out ? xfrm::Encap{local, remote} : xfrm::Encap{remote, local};
}

base::Mark sa_mark(const Child& child, Direction direction) {
  if (direction == Direction::out) return child.handling.mark_out;
  return child.handling.mark_in_sa ? child.handling.mark_in : base::Mark{};
}

void put_handling(const Child& child, Direction direction, xfrm::SaSpec& to) {
  const Handling& handling = child.handling;
  const bool in = direction == Direction::in;
  to.mark = sa_mark(child, direction);
  to.set_mark = in ? handling.set_mark_in : handling.set_mark_out;
  to.if_id = in ? handling.if_id_in : handling.if_id_out;
  to.replay_window = handling.replay_window;
  to.copied = {handling.copy_df, handling.copy_ecn, handling.copy_dscp_out, handling.copy_dscp_in};
  if (!in) to.acquire = child.larval;
}

xfrm::PolicySpec with_template(const Child& child, xfrm::PolicyDirection direction, const xfrm::Selector& selector,
                               const xfrm::Template& esp) {
  xfrm::PolicySpec out;
  out.id = policy_id(child.handling, direction, selector, xfrm::Layer::child);
  out.priority = priority(selector, xfrm::Layer::child, child.handling.priority);
  out.esp = esp;
  return out;
}

}  // namespace

xfrm::SaId sa_id(const Child& child, Direction direction) {
  const bool in = direction == Direction::in;
  return {in ? child.spec.local.address : child.spec.remote.address, in ? child.spec.spi_in : child.spec.spi_out,
          sa_mark(child, direction), child.spec.suite.ah()};
}

ProbeRow row_of(const Child& child, Direction direction, xfrm::OffloadKind mode) {
  ProbeRow out;
  out.suite = child.spec.suite;
  out.mode = mode;
  out.direction = direction;
  out.sa_mode = child.spec.mode;
  out.family = child.spec.local.address.family();
  out.encap = child.spec.encap;
  out.replay_window = direction == Direction::in ? child.handling.replay_window : 0;
  return out;
}

xfrm::SaSpec sa_spec(const Child& child, Direction direction, std::optional<xfrm::Offload> offload) {
  const bool in = direction == Direction::in;
  const auto& spec = child.spec;
  xfrm::SaSpec out;
  out.direction = direction;
  out.source = in ? spec.remote.address : spec.local.address;
  out.destination = in ? spec.local.address : spec.remote.address;
  out.spi = in ? spec.spi_in : spec.spi_out;
  out.suite = spec.suite;
  out.cipher_key = (in ? spec.keys.cipher_in : spec.keys.cipher_out).clone();
  out.auth_key = (in ? spec.keys.auth_in : spec.keys.auth_out).clone();
  out.mode = spec.mode;
  out.reqid = child.reqid;
  const std::uint32_t slot = in ? child.in.slot : child.out.slot;
  if (slot != kNoSlot) out.number = ESPGATE_SLOT_MARK | slot;
  put_handling(child, direction, out);
  out.encap = encap_of(child, direction);
  out.offload = offload;
  out.limits.soft_bytes = spec.limits.soft_bytes;
  out.limits.hard_bytes = spec.limits.hard_bytes;
  out.limits.soft_packets = spec.limits.soft_packets;
  out.limits.hard_packets = spec.limits.hard_packets;
  // An SA without ESN ends with its sequence numbers; the kernel's packet limits count a GSO batch once.
  if (!in && !spec.suite.esn) out.sequence_notice = kSequenceNotice;
  out.selector = transport_selector(child, direction);
  if (offload && offload->kind == xfrm::OffloadKind::packet) fit_packet_mode(out);
  return out;
}

xfrm::SaSpec trial_of(const Child& child, const xfrm::Offload& offload) {
  xfrm::SaSpec out = sa_spec(child, Direction::out, offload);
  out.cipher_key = base::Secret(out.cipher_key.size());
  out.auth_key = base::Secret(out.auth_key.size());
  out.reqid = kTrialReqid;
  out.acquire = out.number = 0;  // a trial answers nothing and is not counted
  return out;
}

maps::SaRecord record_of(const Child& child, Direction direction) {
  const bool in = direction == Direction::in;
  const auto& spec = child.spec;
  maps::SaRecord out;
  out.child = spec.id;
  out.uid = child.named.uid;
  out.ike_id = spec.ike.value;
  out.installed_at = child.context.wall_clock;
  out.direction = direction;
  out.spi = in ? spec.spi_in : spec.spi_out;
  out.src = in ? spec.remote.address : spec.local.address;
  out.dst = in ? spec.local.address : spec.remote.address;
  out.encap = spec.encap;
  out.mode = spec.mode;
  out.set_suite(spec.suite);
  if (spec.suite.ah()) out.proto = IPPROTO_AH;
  out.reqid = child.reqid;
  out.conn = child.named.conn;
  out.child_name = child.named.child;
  out.wanted = spec.offload;
  const Half& half = child.half(direction);
  if (!half.recorded) return out;
  out.actual = half.verdict.actual;
  const bool short_of_packet =
      half.verdict.reason == Reason::none && half.verdict.actual == base::OffloadActual::crypto && child.better_refused;
  out.reason_code = code(short_of_packet ? child.better_refused->first : half.verdict.reason);
  out.reason = short_of_packet ? child.better_refused->second : half.verdict.text;
  if (spec.offload == base::OffloadWanted::no && out.actual == base::OffloadActual::none) return out;
  out.device = child.context.device;
  out.ifindex = child.context.ifindex;
  return out;
}

std::vector<xfrm::PolicySpec> child_policies(const Child& child) {
  const auto& spec = child.spec;
  const bool ah = spec.suite.ah();
  const xfrm::Template outbound{spec.local.address, spec.remote.address, child.reqid, spec.mode, ah};
  // A peer behind a NAT may come from elsewhere while an older generation still receives: its reqid is what tells.
  const auto from = spec.encap ? base::Address::any(spec.remote.address.family()) : spec.remote.address;
  const xfrm::Template inbound{from, spec.local.address, child.reqid, spec.mode, ah};
  std::vector<xfrm::PolicySpec> out;
  bool v6 = false;
  for (const auto& selector : expand(spec.local_ts, spec.remote_ts)) {
    v6 |= selector.source.family() == base::Family::ipv6;
    out.push_back(with_template(child, xfrm::PolicyDirection::in, reversed(selector), inbound));
    if (spec.mode == base::SaMode::tunnel) {
      out.push_back(with_template(child, xfrm::PolicyDirection::forward, reversed(selector), inbound));
    }
    out.push_back(with_template(child, xfrm::PolicyDirection::out, selector, outbound));
  }
  if (v6) std::ranges::move(bypass_policies(), std::inserter(out, out.begin()));
  offload_policies(child, out);
  return out;
}

std::vector<xfrm::PolicySpec> bypass_policies() {
  std::vector<xfrm::PolicySpec> out;
  for (const std::uint8_t type : {std::uint8_t{135}, std::uint8_t{136}}) {
    for (const auto direction : {xfrm::PolicyDirection::in, xfrm::PolicyDirection::out}) {
      xfrm::PolicySpec policy;
      policy.id = {direction, neighbour_discovery(type), xfrm::Layer::bypass};
      policy.priority = priority(policy.id.selector, xfrm::Layer::bypass);
      out.push_back(policy);
    }
  }
  return out;
}

}  // namespace espgate::sad
