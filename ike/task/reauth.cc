// SPDX-License-Identifier: Apache-2.0
#include "ike/task/reauth.h"

#include <algorithm>
#include <utility>

#include "ike/task/child_negotiate.h"
#include "ike/task/init.h"
#include "ike/task/lifetime.h"
#include "ike/task/rekey_child.h"
#include "ike/task/teardown.h"

namespace espgate::ike {

namespace {

// What traffic goes by: one generation of each.
bool carries(const IkeSa& sa, const Child& child) {
  return child.state == ChildState::installed && sa.successor_of(child.id) == nullptr;
}

bool busy(const IkeSa& sa) {
  return sa.outgoing || sa.held || !sa.queue.empty() || std::ranges::any_of(sa.children, [](const auto& entry) {
           return entry.second.state == ChildState::installing;
         });
}

void again(Context& ctx, IkeSa& sa) {
  sa.reauthenticating = false;
  sa.reauth_at = retry_at(ctx);
  ctx.touch(sa);
}

}  // namespace

void start_reauth(Context& ctx, IkeSa& sa) {
  sa.reauth_at.reset();
  sa.reauthenticating = true;
  ctx.touch(sa);
  auto& fresh = ctx.create(true, {}, sa.local, sa.remote);
  fresh.conn = sa.conn;
  fresh.natt = sa.natt;
  fresh.takes_place_of = sa.id;
  for (const auto& [id, child] : sa.children) {
    if (!carries(sa, child)) continue;
    DoCreateChild create;
    create.offer.config = current_config(sa, child);
    fresh.queue.emplace_back(std::move(create));
  }
  ctx.event(Event::Kind::ike_connecting, fresh, {}, "to reauthenticate");
  start_init(ctx, fresh);
}

void finish_reauth(Context& ctx, IkeSa& sa) {
  if (!sa.takes_place_of || !sa.usable() || busy(sa)) return;
  auto* old = ctx.find(*std::exchange(sa.takes_place_of, {}));
  if (old == nullptr) return;
  const bool carried =
      std::ranges::any_of(old->children, [&](const auto& entry) { return carries(*old, entry.second); });
  // The peer wants none of them any more: the old ones stay as long as they may.
  if (carried && sa.children.empty()) return again(ctx, *old);
  start_close(ctx, *old,
              Failure{Reason::rekeyed, "reauthentication", "reauthenticated: a new IKE SA took its place", {}});
}

void reauth_failed(Context& ctx, const IkeSa& sa) {
  if (!sa.takes_place_of) return;
  auto* old = ctx.find(*sa.takes_place_of);
  if (old != nullptr && old->state == State::established) again(ctx, *old);
}

void reauth_inherited(Context& ctx, const IkeSa& from, IkeSa& to) {
  to.authenticated_at = from.authenticated_at;
  to.peer_began = from.peer_began;
  to.ppk = from.ppk;
  to.takes_place_of = from.takes_place_of;
  to.reauthenticating = from.reauthenticating;
  if (!from.reauthenticating) return;  // nobody is to take its place, so none of the others, which may be thousands
  for (auto& [spi, sa] : ctx.sas()) {
    if (sa->takes_place_of != from.id) continue;
    sa->takes_place_of = to.id;
    ctx.touch(*sa);
  }
}

}  // namespace espgate::ike
