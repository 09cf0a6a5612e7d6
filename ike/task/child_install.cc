// SPDX-License-Identifier: Apache-2.0
#include "ike/task/child_install.h"

#include <fmt/core.h>
#include <algorithm>

#include <utility>

#include "ike/additional.h"
#include "ike/crypto/keys.h"
#include "ike/crypto/prf.h"
#include "ike/task/exchange.h"
#include "ike/task/generation.h"
#include "ike/task/lifetime.h"
#include "ike/task/nat_path.h"
#include "ike/task/reauth.h"
#include "ike/task/rekey_child.h"
#include "ike/task/sibling.h"
#include "ike/task/teardown.h"

namespace espgate::ike {

namespace {

crypto::Crypto<ChildKeys> make_keys(const IkeSa& sa, const base::EspSuite& suite, const Nonces& nonces,
                                    const crypto::ChildShared& shared, bool initiator) {
  auto prf = crypto::Prf::make(sa.suite.prf);
  if (!prf) return std::unexpected(prf.error());
  auto made = crypto::child_keys(*prf, suite, sa.keys.d.view(), shared, nonces.i, nonces.r);
  if (!made) return std::unexpected(made.error());
  ChildKeys keys;
  keys.cipher_out = std::move(initiator ? made->cipher_i : made->cipher_r);
  keys.auth_out = std::move(initiator ? made->auth_i : made->auth_r);
  keys.cipher_in = std::move(initiator ? made->cipher_r : made->cipher_i);
  keys.auth_in = std::move(initiator ? made->auth_r : made->auth_i);
  return keys;
}

// The peer believes in a child that we could not install: it is told, by DELETE of the child, or of the IKE SA if that
// has no other.
void take_back(Context& ctx, IkeSa& sa, const Child& child, const Failure& why) {
  if (sa.children.empty()) {
    close_if_useless(ctx, sa, why);
    if (sa.state != State::established) return;
  }
  sa.queue.emplace_back(DoDeleteChild{child.spi_in, {}, why.code, false, protocol_of(child.suite)});
  run_queue(ctx, sa);
}

void give_up(Context& ctx, IkeSa& sa, base::ChildId id, const Failure& why, wire::NotifyType told) {
  auto node = sa.children.extract(id);
  auto& child = node.mapped();
  ctx.event(Event::Kind::child_failed, sa, child, why);
  ctx.done(child.initiates, why);
  ctx.release(child.spi_in);
  ctx.gone(id);
  ctx.touch(sa);
  fall_back(ctx, sa, child);
  if (sa.held && sa.held->child == id) {
    auto payloads = std::move(sa.held->before);
    payloads.emplace_back(wire::notify(told));
    send_response(ctx, sa, sa.held->exchange, payloads);
    run_queue(ctx, sa);
  } else {
    take_back(ctx, sa, child, why);
  }
}

// How long the kernel may take. A responder's peer waits for the reply and sends its request again after some seconds;
// an initiator keeps nobody waiting.
base::Duration patience(const Config& config, bool initiator) {
  return initiator ? std::max(config.install_timeout, config.half_open_timeout) : config.install_timeout;
}

}  // namespace

ChildSpec spec_of(const IkeSa& sa, const Child& child) {
  ChildSpec spec;
  spec.ike = sa.id;
  spec.id = child.id;
  spec.conn = sa.conn_name();
  spec.child = child.config->name;
  spec.local = sa.local;
  spec.remote = sa.remote;
  spec.encap = child.encap;
  spec.mode = child.mode;
  spec.suite = child.suite;
  spec.spi_in = child.spi_in;
  spec.spi_out = child.spi_out;
  spec.local_ts = child.local_ts;
  spec.remote_ts = child.remote_ts;
  spec.offload = child.config->offload;
  spec.initiator = child.initiator;
  spec.replaces = child.replaces;
  return spec;
}

void installed(Context& ctx, IkeSa& sa, Child& child, ChildInstalled result) {
  child.state = ChildState::installed;
  child.carry({std::move(result.in), std::move(result.out)});
  child.installed_at = ctx.now;
  start_lifetime(ctx, child);
  if (child.replaces && !child.initiator) {
    child.outbound = Outbound::waiting;
    child.switch_at = ctx.now + kSwitchAtLast;
  } else if (child.sibling) {
    announce(ctx, sa, child);
    wait_beside(ctx, sa, child, *std::exchange(child.sibling, {}));
  } else {
    complete_rekey(ctx, sa, child);
  }
  ctx.done(child.initiates);
  follow_child(ctx, sa, child);
  if (sa.held && sa.held->child == child.id) send_held(ctx, sa);
  ctx.touch(sa);
  run_queue(ctx, sa);
}

void send_held(Context& ctx, IkeSa& sa) {
  auto payloads = std::move(sa.held->before);
  for (auto& payload : sa.held->accepted) payloads.push_back(std::move(payload));
  send_response(ctx, sa, sa.held->exchange, payloads);
}

std::expected<base::ChildId, std::string> install(Context& ctx, IkeSa& sa, const Agreed& agreed, const Nonces& nonces,
                                                  InstallOrder& order) {
  // RFC 4302 signs the addresses that a NAT changes.
  if (agreed.suite.ah() && sa.encap()) return std::unexpected("AH does not pass the NAT on the way");
  auto keys = make_keys(sa, agreed.suite, nonces, order.shared, order.initiator);
  if (!keys) return std::unexpected(fmt::format("the child's keys could not be made: {}", crypto::text(keys.error())));
  Child child;
  child.id = ctx.new_child_id();
  child.config = agreed.config;
  child.mode = agreed.mode;
  child.suite = agreed.suite;
  child.encap = sa.encap();
  child.remote = sa.remote;
  child.spi_in = order.spi_in;
  child.spi_out = agreed.spi_out;
  child.local_ts = agreed.local;
  child.remote_ts = agreed.remote;
  child.first = order.first;
  child.initiator = order.initiator;
  child.initiates = std::move(order.initiates);
  child.replaces = order.rekeys;
  if (!order.initiator && !order.rekeys) child.sibling = find_sibling(ctx, sa, child);
  child.confirmed = order.initiator || (order.first && !child.sibling);
  child.group = group_of(agreed.chosen.proposal);
  child.additional = additional_kes(agreed.chosen.proposal);
  child.install = ctx.new_install(sa, child.id);
  child.install_deadline = ctx.now + patience(*ctx.config, order.initiator);
  auto spec = spec_of(sa, child);
  spec.keys = std::move(*keys);
  spec.limits = limits_of(ctx, *child.config);
  if ((order.rekeys && !order.initiator) || child.sibling) {
    child.cipher_out = spec.keys.cipher_out.clone();
    child.auth_out = spec.keys.auth_out.clone();
    ctx.emit(AddInbound{child.install, std::move(spec)});
  } else {
    ctx.emit(InstallChild{child.install, std::move(spec)});
  }
  ctx.touch(sa);
  const auto id = child.id;
  sa.children.emplace(id, std::move(child));
  return id;
}

void on_install_answer(Context& ctx, ChildAnswer answer) {
  const auto whose = ctx.take_install(answer.id);
  if (!whose) return;
  auto* sa = ctx.find(whose->first);
  if (sa == nullptr) return;
  auto it = sa->children.find(whose->second);
  if (it == sa->children.end()) return;
  if (it->second.outbound == Outbound::switching && it->second.switching == answer.id) {
    return on_switched(ctx, *sa, it->second, answer);
  }
  if (auto* result = std::get_if<ChildInstalled>(&answer.result)) {
    installed(ctx, *sa, it->second, std::move(*result));
    return finish_reauth(ctx, *sa);
  }
  const auto& refused = std::get<ChildRefused>(answer.result);
  give_up(ctx, *sa, whose->second, Failure{Reason::install_refused, "install", refused.reason, {}},
          wire::NotifyType::no_proposal_chosen);
}

void on_install_due(Context& ctx, IkeSa& sa) {
  std::vector<base::ChildId> late;
  for (const auto& [id, child] : sa.children) {
    if (child.state == ChildState::installing && child.install_deadline <= ctx.now) late.push_back(id);
  }
  for (auto id : late) {
    auto it = sa.children.find(id);
    if (it == sa.children.end()) continue;
    ctx.forget_install(it->second.install);
    ctx.emit(RemoveChild{id, Reason::install_timeout});
    const auto seconds = std::chrono::duration<double>(patience(*ctx.config, it->second.initiator)).count();
    give_up(ctx, sa, id,
            Failure{Reason::install_timeout,
                    "install",
                    fmt::format("the kernel had not taken the child after {:.1f} s", seconds),
                    {}},
            it->second.first ? wire::NotifyType::no_proposal_chosen : wire::NotifyType::temporary_failure);
  }
}

}  // namespace espgate::ike
