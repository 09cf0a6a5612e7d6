// SPDX-License-Identifier: Apache-2.0
#include "ike/task/generation.h"

#include <utility>
#include <vector>

#include "ike/planted.h"
#include "ike/task/child_install.h"
#include "ike/task/exchange.h"
#include "ike/task/lifetime.h"
#include "ike/task/rekey_child.h"
#include "ike/task/sibling.h"

namespace espgate::ike {

namespace {

// The peer's rekey made `child` while ours of the same old generation is still open: the nonces will tell which stays.
bool undecided(IkeSa& sa, const Child& child) {
  const auto* ours = sa.doing<DoRekeyChild>();
  return ours != nullptr && child.replaces == ours->old;
}

void let_reply_go(Context& ctx, IkeSa& sa, base::ChildId id) {
  if (sa.held && sa.held->switching && sa.held->child == id) send_held(ctx, sa);
}

void switch_due(Context& ctx, IkeSa& sa, Child& child) {
  if (child.outbound == Outbound::switching) {
    // No answer from the kernel: whatever became of it, nothing more can be done here.
    ctx.forget_install(child.switching);
    child.sends();
    child.switch_at.reset();
    return let_reply_go(ctx, sa, child.id);
  }
  if (undecided(sa, child)) {
    child.switch_at = ctx.now + std::chrono::seconds(1);
  } else {
    start_switch(ctx, sa, child);
  }
}

}  // namespace

void announce(Context& ctx, IkeSa& sa, Child& child) {
  if (child.announced) return;
  child.announced = true;
  auto old = child.replaces ? sa.children.find(*child.replaces) : sa.children.end();
  if (old == sa.children.end() || !old->second.announced) {
    ctx.event(Event::Kind::child_up, sa, child, {}, describe(child));
    return;
  }
  old->second.announced = false;
  Event event{Event::Kind::child_rekeyed,
              sa.id,
              child.id,
              sa.conn_name(),
              child.config->name,
              sa.local,
              sa.remote,
              {},
              describe(child),
              {},
              old->first,
              std::make_shared<const IkeView>(view(sa))};
  ctx.emit(std::move(event));
}

void complete_rekey(Context& ctx, IkeSa& sa, Child& child) {
  announce(ctx, sa, child);
  auto found = child.replaces ? sa.children.find(*child.replaces) : sa.children.end();
  if (found == sa.children.end() || found->second.state != ChildState::installed) return;
  auto& old = found->second;
  old.state = ChildState::deleting;
  old.replaced_by = child.id;
  if (planted(Planted::early_delete, ctx.options.index)) ctx.emit(RetireSa{old.id, RetireSa::Part::all});
  sa.queue.emplace_back(DoDeleteChild{old.spi_in, old.id, Reason::rekeyed});
}

void confirm(Context& ctx, IkeSa& sa, Shown by) {
  for (auto& [id, child] : sa.children) {
    if (child.confirmed || child.state == ChildState::installing) continue;
    if (by == Shown::answer && !child.first) continue;
    child.confirmed = true;
    if (child.outbound == Outbound::waiting && child.switch_at) child.switch_at = ctx.now + kSwitchAfter;
  }
}

bool unknown_to_peer(const Context& ctx, const Child& child) {
  return !child.confirmed && ctx.now < child.installed_at + kSwitchAtLast;
}

void start_switch(Context& ctx, IkeSa& sa, Child& child) {
  if (child.outbound != Outbound::waiting) return;
  if (child.state != ChildState::installed) return child.switch_at.reset();  // on its way out: never to be sent on
  forget_siblings(ctx, child.id);
  announce(ctx, sa, child);
  child.outbound = Outbound::switching;
  child.switching = ctx.new_install(sa, child.id);
  child.switch_at = ctx.now + ctx.config->install_timeout;
  ctx.emit(SwitchOutbound{child.switching, child.id});
  ctx.touch(sa);
}

void on_switched(Context& ctx, IkeSa& sa, Child& child, const ChildAnswer& answer) {
  child.switch_at.reset();
  child.sends();
  if (const auto* installed = std::get_if<ChildInstalled>(&answer.result)) {
    child.carry({installed->in, installed->out});
  } else {
    // A strict wish that the device refused at the last moment: nothing is sent until another generation is there.
    const auto& refused = std::get<ChildRefused>(answer.result);
    child.carry({child.carried().in, {base::OffloadActual::none, {}, refused.reason_code, refused.reason}});
    ctx.event(Event::Kind::rekey_failed, sa, child, Failure{Reason::install_refused, "install", refused.reason, {}});
    queue_rekey(ctx, sa, child, {});
  }
  ctx.touch(sa);
  let_reply_go(ctx, sa, child.id);
  run_queue(ctx, sa);
}

void retire(Context& ctx, IkeSa& sa, Child& child) {
  ctx.done(child.initiates);
  ctx.gone(child.id);
  child.state = ChildState::retired;
  child.cipher_out.clear();
  child.auth_out.clear();
  child.announced = false;
  child.switch_at.reset();
  sibling_gone(ctx, sa, child);
  child.unsend_at = ctx.now + kLinger;
  child.retire_at = ctx.now + kRetireAfter;
  for (auto& [id, other] : sa.children) {
    if (other.replaces == child.id) other.replaces.reset();
  }
  ctx.touch(sa);
}

void on_generation_due(Context& ctx, IkeSa& sa) {
  std::vector<base::ChildId> over;
  for (auto& [id, child] : sa.children) {
    if (child.retire_at && *child.retire_at <= ctx.now) {
      over.push_back(id);
    } else if (child.unsend_at && *child.unsend_at <= ctx.now) {
      child.unsend_at.reset();
      ctx.emit(RetireSa{id, RetireSa::Part::outbound});
    } else if (child.switch_at && *child.switch_at <= ctx.now) {
      switch_due(ctx, sa, child);
    } else if (child.delete_at && *child.delete_at <= ctx.now) {
      child.delete_at.reset();
      sa.queue.emplace_back(DoDeleteChild{child.spi_in, id, child.delete_reason});
    }
  }
  for (const auto id : over) {
    ctx.emit(RetireSa{id, RetireSa::Part::all});
    ctx.release(sa.children.at(id).spi_in);
    sa.children.erase(id);
  }
  ctx.touch(sa);
  run_queue(ctx, sa);
}

std::optional<base::Instant> generation_due(const IkeSa& sa) {
  std::optional<base::Instant> due;
  for (const auto& [id, child] : sa.children) {
    for (const auto& at : {child.unsend_at, child.retire_at, child.switch_at, child.delete_at}) {
      if (at && (!due || *at < *due)) due = at;
    }
  }
  return due;
}

}  // namespace espgate::ike
