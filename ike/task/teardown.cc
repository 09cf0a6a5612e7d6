// SPDX-License-Identifier: Apache-2.0
#include "ike/task/teardown.h"

#include <algorithm>
#include <utility>

#include "ike/task/child_install.h"
#include "ike/task/exchange.h"
#include "ike/task/follow_up.h"
#include "ike/task/reauth.h"
#include "ike/task/rekey_child.h"
#include "ike/task/sibling.h"

namespace espgate::ike {

namespace {

Event offered_child_event(const IkeSa& sa, const ChildOffer& offer, const Failure& why) {
  return Event{Event::Kind::child_failed, sa.id, {}, sa.conn_name(), offer.config->name, sa.local, sa.remote, why, {}};
}

// Answers the commands that wait for an operation which will not happen.
void drop_operation(Context& ctx, const IkeSa& sa, Operation& operation, const Failure& why) {
  if (auto* auth = std::get_if<DoAuth>(&operation); auth != nullptr && auth->offer) {
    child_failed(ctx, sa, *auth->offer, why);
  }
  if (auto* create = std::get_if<DoCreateChild>(&operation)) child_failed(ctx, sa, create->offer, why);
  if (auto* rekey = std::get_if<DoRekeyChild>(&operation)) {
    if (rekey->offer.spi_in.value != 0) ctx.release(rekey->offer.spi_in);
    ctx.done(rekey->offer.initiates, why);
  }
  if (auto* rekey = std::get_if<DoRekeyIke>(&operation)) ctx.done(rekey->waiting, why);
}

}  // namespace

void child_failed(Context& ctx, const IkeSa& sa, ChildOffer& offer, const Failure& why) {
  if (offer.spi_in.value != 0) ctx.release(offer.spi_in);
  ctx.emit(offered_child_event(sa, offer, why));
  ctx.done(offer.initiates, why);
}

void remove_child(Context& ctx, IkeSa& sa, base::ChildId id, const Failure& why) {
  auto node = sa.children.extract(id);
  if (node.empty()) return;
  auto& child = node.mapped();
  ctx.forget_install(child.install);
  if (child.outbound == Outbound::switching) ctx.forget_install(child.switching);
  ctx.emit(RemoveChild{id, why.code});
  // A generation that was never announced, or was replaced, goes without a word.
  if (child.announced) ctx.event(Event::Kind::child_down, sa, child, why);
  if (child.state == ChildState::installing) ctx.event(Event::Kind::child_failed, sa, child, why);
  ctx.done(child.initiates, why);
  ctx.release(child.spi_in);
  ctx.gone(id);
  ctx.touch(sa);
  sibling_gone(ctx, sa, child);
  fall_back(ctx, sa, child);
  if (sa.held && sa.held->switching && sa.held->child == id) send_held(ctx, sa);
}

void close(Context& ctx, IkeSa& sa, Failure why, Linger linger) {
  const bool was_up = sa.up();
  const bool unheard = sa.spare || sa.state == State::rekeyed;
  if (sa.state == State::init_replied) ctx.left_half_open(sa);
  sa.held.reset();
  drop_follow_up(ctx, sa);
  while (!sa.children.empty()) remove_child(ctx, sa, sa.children.begin()->first, why);
  if (sa.outgoing) drop_operation(ctx, sa, sa.outgoing->what, why);
  for (auto& operation : sa.queue) drop_operation(ctx, sa, operation, why);
  reauth_failed(ctx, sa);
  ctx.gone(sa.id);
  // What strangers start and do not finish is not worth a line each.
  const bool stranger = sa.state == State::init_replied && why.code == Reason::timeout;
  if (!unheard && (!stranger || ctx.events.take(ctx.now))) {
    ctx.event(was_up ? Event::Kind::ike_down : Event::Kind::ike_failed, sa, why);
  }
  sa.outgoing.reset();
  sa.queue.clear();
  sa.setup.reset();
  sa.close_deadline.reset();
  sa.keys = {};
  sa.cipher_in.reset();
  sa.cipher_out.reset();
  sa.state = State::closed;
  sa.expires_at = ctx.now + ctx.options.linger;
  sa.dead = linger == Linger::no;
  ctx.touch(sa);
}

void close_if_useless(Context& ctx, IkeSa& sa, const Failure& why) {
  if (!sa.initiator || sa.state != State::established || !sa.children.empty()) return;
  const auto wanted = [](const Operation& operation) { return std::holds_alternative<DoCreateChild>(operation); };
  if (std::ranges::any_of(sa.queue, wanted) || (sa.outgoing && wanted(sa.outgoing->what))) return;
  start_close(ctx, sa, why);
}

Failure why_deleting(const IkeSa& sa) {
  for (const auto& operation : sa.queue) {
    if (const auto* what = std::get_if<DoDeleteIke>(&operation)) return what->why;
  }
  return {Reason::peer_deleted, "teardown", "the IKE SA is being deleted", {}};
}

void start_close(Context& ctx, IkeSa& sa, const Failure& why) {
  if (sa.state == State::closed || sa.state == State::deleting) return;
  if (sa.state != State::established) {
    close(ctx, sa, why, Linger::no);
    return;
  }
  for (auto& operation : std::exchange(sa.queue, {})) drop_operation(ctx, sa, operation, why);
  sa.state = State::deleting;
  sa.queue.emplace_back(DoDeleteIke{why});
  ctx.touch(sa);
  run_queue(ctx, sa);
}

}  // namespace espgate::ike
