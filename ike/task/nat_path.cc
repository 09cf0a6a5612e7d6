// SPDX-License-Identifier: Apache-2.0
#include "ike/task/nat_path.h"

#include <fmt/core.h>

#include "ike/task/exchange.h"
#include "ike/task/rekey_child.h"

namespace espgate::ike {

namespace {

// RFC 7296 2.23: who is behind a NAT itself does not follow, as its own NAT may be what changed.
bool follows(const IkeSa& sa) { return sa.nat_remote && !sa.nat_local; }

// What is under way goes out again at once: no answer can come to what went to the old mapping.
void children_follow(Context& ctx, IkeSa& sa) {
  if (sa.outgoing) send_again(ctx, sa);
  for (auto& [id, child] : sa.children) follow_child(ctx, sa, child);
  run_queue(ctx, sa);
}

// All that goes to this peer by the old mapping goes by the new one.
void all_follow(Context& ctx, IkeSa& sa, const base::Endpoint& before) {
  if (!sa.up() || sa.remote == before) return;
  ctx.event(Event::Kind::peer_moved, sa, {}, fmt::format("from {} to {}", before.text(), sa.remote.text()));
  for (auto* other : ctx.sas_with(sa.remote_id)) {
    if (other == &sa || !other->up() || other->remote != before || !follows(*other)) continue;
    other->remote = sa.remote;
    ctx.touch(*other);
    children_follow(ctx, *other);
  }
  children_follow(ctx, sa);
}

}  // namespace

void start_keepalives(const Context& ctx, IkeSa& sa) {
  const auto every = ctx.config->keep_alive;
  sa.keepalive_at.reset();
  if (sa.natt && sa.nat_local && every > base::Duration::zero()) sa.keepalive_at = ctx.now + every;
}

std::optional<base::Instant> keepalive_due(const IkeSa& sa) { return sa.usable() ? sa.keepalive_at : std::nullopt; }

void on_keepalive_due(Context& ctx, IkeSa& sa) {
  ctx.emit(Keepalive{sa.local, sa.remote});
  start_keepalives(ctx, sa);
  ctx.touch(sa);
}

void follow(Context& ctx, IkeSa& sa, const Datagram& datagram) {
  if (sa.state != State::init_replied && !follows(sa)) return;
  const auto before = sa.remote;
  sa.local = datagram.local;
  sa.remote = datagram.remote;
  sa.natt = datagram.natt;
  all_follow(ctx, sa, before);
}

void peer_moved(Context& ctx, IkeSa& sa, const base::Endpoint& remote) {
  if (!sa.up() || !follows(sa)) return;
  const auto before = sa.remote;
  sa.remote = remote;
  ctx.touch(sa);
  all_follow(ctx, sa, before);
}

void follow_child(Context& ctx, IkeSa& sa, Child& child) {
  if (child.state != ChildState::installed || !child.encap || child.remote == sa.remote) return;
  if (sa.successor_of(child.id) == nullptr) queue_rekey(ctx, sa, child, {});
}

}  // namespace espgate::ike
