// SPDX-License-Identifier: Apache-2.0
#include "ike/task/auth.h"

#include <fmt/core.h>

#include <algorithm>

#include "ike/task/lifetime.h"
#include "ike/task/nat_path.h"
#include "ike/task/unique.h"

namespace espgate::ike {

void established(Context& ctx, IkeSa& sa, bool initial_contact) {
  if (sa.state == State::init_replied) ctx.left_half_open(sa);
  sa.state = State::established;
  sa.established_at = sa.last_heard = ctx.now;
  sa.keys.pi.clear();  // both sides' AUTH was made with them
  sa.keys.pr.clear();
  start_lifetime(ctx, sa);
  start_keepalives(ctx, sa);
  if (initial_contact) forget_others(ctx, sa);
  ctx.event(Event::Kind::ike_up, sa, {},
            fmt::format("{} === {}, {}{}", sa.local_id.text(), sa.remote_id.text(), sa.suite.name(),
                        sa.nat_local    ? ", we are behind a NAT"
                        : sa.nat_remote ? ", the peer is behind a NAT"
                                        : ""));
  ctx.touch(sa);
}

bool has_contact(Context& ctx, const IkeSa& sa) {
  const auto& expected = sa.conn->remote.id;
  const auto ours = [&](const IkeSa& other) {
    return &other != &sa && other.usable() && other.local_id == sa.local_id;  // one that we are closing is none
  };
  // Who the peer is decides, wherever it is (2.4); while a pattern leaves that open, its address has to tell.
  if (std::ranges::any_of(ctx.sas_with(expected), [&](const auto* other) { return ours(*other); })) return true;
  return expected.pattern() && std::ranges::any_of(ctx.sas(), [&](const auto& entry) {
           const auto& other = *entry.second;
           return ours(other) && expected.admits(other.remote_id) && other.remote.address == sa.remote.address;
         });
}

}  // namespace espgate::ike
