// SPDX-License-Identifier: Apache-2.0
// What a new IKE SA takes over from the one it replaces (RFC 7296 2.8, 2.18).
#include <utility>

#include "ike/task/child_install.h"
#include "ike/task/exchange.h"
#include "ike/task/follow_up.h"
#include "ike/task/init.h"
#include "ike/task/lifetime.h"
#include "ike/task/nat_path.h"
#include "ike/task/reauth.h"
#include "ike/task/rekey_ike.h"
#include "ike/task/teardown.h"

namespace espgate::ike {

namespace {

// How long we wait for the peer to delete an SA that its rekey replaced.
constexpr base::Duration kDeleteWait = std::chrono::seconds(120);

void move_children(Context& ctx, IkeSa& from, IkeSa& to) {
  for (auto& [id, child] : from.children) {
    ctx.move_install(child.install, to);
    if (child.outbound == Outbound::switching) ctx.move_install(child.switching, to);
  }
  to.children.merge(from.children);
}

void move_queue(Context& ctx, IkeSa& from, IkeSa& to) {
  for (auto& operation : std::exchange(from.queue, {})) {
    if (std::holds_alternative<DoDeleteIke>(operation)) {
      from.queue.push_back(std::move(operation));
    } else if (auto* rekey = std::get_if<DoRekeyIke>(&operation)) {
      ctx.done(rekey->waiting);
    } else if (!std::holds_alternative<DoLiveness>(operation)) {
      to.queue.push_back(std::move(operation));
    }
  }
}

}  // namespace

bool derive_rekeyed(const IkeSa& from, IkeSa& to, base::ByteView shared, base::ByteView additional,
                    base::ByteView nonce_i, base::ByteView nonce_r) {
  to.fragments = from.fragments;
  to.fragmenting = from.fragmenting;
  const auto prf = crypto::Prf::make(from.suite.prf);
  if (!prf) return false;
  const crypto::Exchange exchange{nonce_i, nonce_r, to.spi_i, to.spi_r};
  const auto seed = crypto::rekeyed_skeyseed(*prf, from.keys.d.view(), shared, exchange, additional);
  return seed && set_keys(to, seed->view(), exchange).has_value();
}

void inherit(Context& ctx, IkeSa& from, IkeSa& to) {
  if (from.held) send_held(ctx, from);
  if (from.state == State::closed) return;
  drop_follow_up(ctx, from);
  to.spare = false;
  to.close_deadline.reset();
  move_children(ctx, from, to);
  move_queue(ctx, from, to);
  ctx.also(from.id, to.id);
  Event event{Event::Kind::ike_rekeyed, to.id, {}, to.conn_name(), {}, to.local, to.remote, {}, to.suite.name()};
  event.former_ike = from.id;
  event.view = std::make_shared<const IkeView>(view(to));
  ctx.emit(std::move(event));
  reauth_inherited(ctx, from, to);
  from.takes_place_of.reset();
  start_lifetime(ctx, to);
  start_keepalives(ctx, to);
  if (from.state == State::deleting) {  // whoever wanted the old one gone wants this one gone
    const auto grace = from.close_deadline;
    for (const auto& operation : from.queue) {
      if (const auto* what = std::get_if<DoDeleteIke>(&operation)) start_close(ctx, to, what->why);
    }
    to.close_deadline = grace;
  }
  from.state = State::rekeyed;
  from.rekey_at.reset();
  from.over_at.reset();
  from.expires_at = ctx.now + kDeleteWait;
  ctx.touch(from);
  ctx.touch(to);
  run_queue(ctx, to);
}

void give_way(Context& ctx, IkeSa& sa) {
  auto* ours = sa.doing<DoRekeyIke>();
  if (ours == nullptr || !ours->met) return;
  auto* theirs = ctx.find(ours->met_spi);
  if (theirs == nullptr || !theirs->spare || theirs->state != State::established) return;
  ctx.done(ours->waiting);
  inherit(ctx, sa, *theirs);
}

}  // namespace espgate::ike
