// SPDX-License-Identifier: Apache-2.0
#include "ike/task/auth.h"

#include <fmt/core.h>

#include <vector>

#include "ike/task/lifetime.h"
#include "ike/task/teardown.h"

namespace espgate::ike {

namespace {

// Forgets the peer's other IKE SAs without a word: it said that it has none. One on which the peer spoke after this
// one began is alive all the same: both sides started at once.
void forget_others(Context& ctx, const IkeSa& sa) {
  std::vector<IkeSa*> stale;
  for (auto& [spi, other] : ctx.sas()) {
    if (other.get() == &sa || !other->up() || other->last_heard >= sa.created_at) continue;
    if (other->local_id == sa.local_id && other->remote_id == sa.remote_id) stale.push_back(other.get());
  }
  for (auto* other : stale) {
    close(ctx, *other,
          Failure{Reason::peer_deleted, "IKE_AUTH",
                  fmt::format("{} started afresh and said that it has no other IKE SA with us", sa.remote_id.text()),
                  "INITIAL_CONTACT"},
          Linger::no);
  }
}

}  // namespace

void established(Context& ctx, IkeSa& sa, bool initial_contact) {
  if (sa.state == State::init_replied) ctx.left_half_open(sa);
  sa.state = State::established;
  sa.established_at = sa.last_heard = ctx.now;
  start_lifetime(ctx, sa);
  if (initial_contact) forget_others(ctx, sa);
  ctx.event(Event::Kind::ike_up, sa, {},
            fmt::format("{} === {}, {}{}", sa.local_id.text(), sa.remote_id.text(), sa.suite.name(),
                        sa.nat_local    ? ", we are behind a NAT"
                        : sa.nat_remote ? ", the peer is behind a NAT"
                                        : ""));
  ctx.touch(sa);
}

bool has_contact(Context& ctx, const IkeSa& sa) {
  for (const auto& [spi, other] : ctx.sas()) {
    if (other.get() == &sa || !other->up()) continue;
    if (other->local_id != sa.local_id) continue;
    // Who the peer is decides, wherever it is (2.4); while a pattern leaves that open, its address has to tell.
    const auto& expected = sa.conn->remote.id;
    if (other->remote_id == expected) return true;
    if (expected.admits(other->remote_id) && other->remote.address == sa.remote.address) return true;
  }
  return false;
}

}  // namespace espgate::ike
