// SPDX-License-Identifier: Apache-2.0
#include "ike/task/lifetime.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "ike/task/exchange.h"
#include "ike/task/generation.h"
#include "ike/task/reauth.h"
#include "ike/task/rekey_child.h"
#include "ike/task/rekey_ike.h"
#include "ike/task/teardown.h"

namespace espgate::ike {

namespace {

using std::chrono::seconds;

// A peer that answers nothing does not keep an SA beyond its hard limit.
constexpr base::Duration kCloseWait = seconds(30);
constexpr std::uint32_t kRetrySeconds = 10;  // and up to as much again, so that two sides do not meet for ever

// Children rekey while they are installed and nobody has done it already.
bool may_rekey(const IkeSa& sa, const Child& child) {
  return sa.usable() && child.state == ChildState::installed && child.outbound == Outbound::active &&
         sa.successor_of(child.id) == nullptr;
}

bool may_expire(const IkeSa& sa, const Child& child) { return sa.usable() && child.state == ChildState::installed; }

void expire(Context& ctx, IkeSa& sa, Child& child) {
  child.state = ChildState::deleting;
  child.expires_at.reset();
  sa.queue.emplace_back(DoDeleteChild{child.spi_in, child.id, Reason::expired});
  ctx.touch(sa);
}

}  // namespace

std::uint64_t soft_limit(Context& ctx, const Lifetime& lifetime) {
  if (lifetime.rekey == 0) return 0;
  const auto most = std::min(lifetime.jitter, lifetime.rekey - 1);
  return lifetime.rekey - (most == 0 ? 0 : ctx.rng.u64() % (most + 1));
}

ChildLimits limits_of(Context& ctx, const ChildConfig& config) {
  return {soft_limit(ctx, config.bytes), config.bytes.life, soft_limit(ctx, config.packets), config.packets.life};
}

void start_lifetime(Context& ctx, Child& child) {
  const auto& time = child.config->time;
  child.rekey_at.reset();
  child.expires_at.reset();
  if (time.rekey != 0) child.rekey_at = ctx.now + seconds(soft_limit(ctx, time));
  if (time.life != 0) child.expires_at = ctx.now + seconds(time.life);
}

void start_lifetime(Context& ctx, IkeSa& sa) {
  sa.rekey_at.reset();
  sa.reauth_at.reset();
  sa.over_at.reset();
  if (!sa.conn) return;
  const auto& time = sa.conn->time;
  if (time.rekey != 0) sa.rekey_at = ctx.now + seconds(soft_limit(ctx, time));
  if (time.life != 0) sa.over_at = ctx.now + seconds(time.life);
  // A rekeyed IKE SA is due when the first one was.
  const auto authenticated = sa.authenticated_at.value_or(ctx.now);
  sa.authenticated_at = authenticated;
  if (sa.conn->reauth != 0 && !sa.reauthenticating) {
    sa.reauth_at = std::max(ctx.now, authenticated + seconds(soft_limit(ctx, {sa.conn->reauth, 0, time.jitter})));
  }
  ctx.touch(sa);
}

base::Instant retry_at(Context& ctx) {
  return ctx.now + seconds(kRetrySeconds) + std::chrono::milliseconds(ctx.rng.u32() % (1000 * kRetrySeconds));
}

std::optional<base::Instant> lifetime_due(const IkeSa& sa) {
  std::optional<base::Instant> due;
  const auto consider = [&](const std::optional<base::Instant>& at) {
    if (at && (!due || *at < *due)) due = at;
  };
  if (!sa.usable()) return due;
  if (!sa.reauthenticating) consider(sa.rekey_at);
  consider(sa.reauth_at);
  consider(sa.over_at);
  for (const auto& [id, child] : sa.children) {
    if (may_rekey(sa, child)) consider(child.rekey_at);
    if (may_expire(sa, child)) consider(child.expires_at);
  }
  return due;
}

void on_lifetime_due(Context& ctx, IkeSa& sa) {
  if (!sa.usable()) return;
  if (sa.over_at && *sa.over_at <= ctx.now) {
    sa.over_at.reset();
    start_close(
        ctx, sa,
        sa.over_why ? *sa.over_why : Failure{Reason::expired, "lifetime", "the IKE SA's hard lifetime is over", {}});
    if (sa.state == State::deleting) sa.close_deadline = ctx.now + kCloseWait;
    return ctx.touch(sa);
  }
  for (auto& [id, child] : sa.children) {
    if (may_expire(sa, child) && child.expires_at && *child.expires_at <= ctx.now) {
      expire(ctx, sa, child);
    } else if (may_rekey(sa, child) && child.rekey_at && *child.rekey_at <= ctx.now) {
      queue_rekey(ctx, sa, child, {});
    }
  }
  if (sa.reauth_at && *sa.reauth_at <= ctx.now) {
    start_reauth(ctx, sa);
  } else if (!sa.reauthenticating && sa.rekey_at && *sa.rekey_at <= ctx.now) {
    queue_ike_rekey(ctx, sa, {});
  }
  run_queue(ctx, sa);
}

void on_expired(Context& ctx, IkeSa& sa, base::ChildId id, bool hard) {
  auto it = sa.children.find(id);
  if (it == sa.children.end()) return;
  auto& child = it->second;
  if (hard) {
    if (may_expire(sa, child)) expire(ctx, sa, child);
  } else if (may_rekey(sa, child) && child.rekey_at) {
    child.rekey_at = std::min(*child.rekey_at, ctx.now);
  } else if (may_rekey(sa, child) && !rekey_pending(sa, id)) {
    child.rekey_at = ctx.now;
  }
  ctx.touch(sa);
  on_lifetime_due(ctx, sa);
}

}  // namespace espgate::ike
