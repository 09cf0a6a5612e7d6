// SPDX-License-Identifier: Apache-2.0
#include "ike/task/unique.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "ike/task/auth.h"
#include "ike/task/informational.h"
#include "ike/task/teardown.h"

namespace espgate::ike {

namespace {

constexpr auto kReauthenticationTime = std::chrono::seconds(10);

std::vector<IkeSa*> others(Context& ctx, const IkeSa& sa) {
  std::vector<IkeSa*> out;
  for (auto* other : ctx.sas_with(sa.remote_id)) {
    if (other != &sa && other->up() && !other->spare && other->local_id == sa.local_id) out.push_back(other);
  }
  return out;
}

}  // namespace

std::optional<Failure> one_too_many(Context& ctx, const IkeSa& sa, bool initial_contact) {
  if (sa.conn->unique != Unique::keep || initial_contact) return std::nullopt;
  const auto there = others(ctx, sa);
  if (std::ranges::none_of(there, [](const auto* other) { return other->state == State::established; })) {
    return std::nullopt;
  }
  return Failure{
      Reason::not_unique,
      "IKE_AUTH",
      fmt::format("{} has an IKE SA with us already, and {} says unique = keep", sa.remote_id.text(), sa.conn->name),
      {}};
}

void replace_others(Context& ctx, const IkeSa& sa) {
  if (sa.conn->unique != Unique::replace) return;
  for (auto* other : others(ctx, sa)) {
    if (other->state != State::established) continue;
    Failure why{Reason::not_unique,
                "IKE_AUTH",
                fmt::format("a newer IKE SA with {} took its place (unique = replace)", sa.remote_id.text()),
                {}};
    if (other->remote.address != sa.remote.address) {
      start_close(ctx, *other, why);
      continue;
    }
    const auto at = ctx.now + kReauthenticationTime;
    other->over_at = other->over_at ? std::min(*other->over_at, at) : at;
    other->over_why = std::move(why);
    ctx.touch(*other);
  }
}

// One on which the peer spoke after this one began may be alive all the same: both sides started at once, or what it
// said was long on its way. Only its answer tells.
void forget_others(Context& ctx, const IkeSa& sa) {
  if (sa.conn->unique == Unique::never) return;
  auto stale = others(ctx, sa);
  const auto doubtful =
      std::ranges::partition(stale, [&](const auto* other) { return other->last_heard < sa.created_at; });
  for (auto* other : doubtful) {
    if (other->usable() && other->peer_began) ask_whether_alive(ctx, *other);
  }
  stale.erase(doubtful.begin(), doubtful.end());
  for (auto* other : stale) {
    close(ctx, *other,
          Failure{Reason::peer_deleted, "IKE_AUTH",
                  fmt::format("{} started afresh and said that it has no other IKE SA with us", sa.remote_id.text()),
                  "INITIAL_CONTACT"},
          Linger::no);
  }
}

bool first_contact(Context& ctx, const IkeSa& sa) { return sa.conn->unique != Unique::never && !has_contact(ctx, sa); }

}  // namespace espgate::ike
