// SPDX-License-Identifier: Apache-2.0
#include "ike/task/sibling.h"

#include <algorithm>
#include <map>

#include "ike/task/generation.h"

namespace espgate::ike {

namespace {

bool carries(const Child& there, const Child& child) {
  return there.id != child.id && there.state == ChildState::installed && there.outbound == Outbound::active &&
         there.config->name == child.config->name && there.mode == child.mode && there.local_ts == child.local_ts &&
         there.remote_ts == child.remote_ts;
}

// The generation after `child`, which may be on its way out itself, for a third one.
std::optional<base::ChildId> heir_of(const IkeSa& sa, const Child& child) {
  if (child.replaced_by) return child.replaced_by;
  const auto next = std::ranges::find_if(sa.children, [&](const auto& entry) {
    return entry.second.replaces == child.id && entry.second.state != ChildState::retired;
  });
  return next == sa.children.end() ? std::nullopt : std::optional(next->first);
}

}  // namespace

std::optional<base::ChildId> find_sibling(Context& ctx, const IkeSa& sa, const Child& child) {
  for (const auto* other : ctx.sas_with(sa.remote_id)) {
    if (other->children.empty() || other->remote.address != sa.remote.address) continue;
    if (other->local_id != sa.local_id || other->conn_name() != sa.conn_name()) continue;
    const auto it =
        std::ranges::find_if(other->children, [&](const auto& entry) { return carries(entry.second, child); });
    if (it != other->children.end()) return it->first;
  }
  return std::nullopt;
}

void wait_beside(Context& ctx, IkeSa& sa, Child& child, base::ChildId sibling) {
  child.outbound = Outbound::waiting;
  child.switch_at = ctx.now + kSwitchAtLast;
  if (child.first) sa.queue.emplace_front(DoLiveness{});
  auto* where = ctx.owner_of(sibling);
  // Gone while this one was being installed.
  if (where == nullptr || !carries(where->children.at(sibling), child)) return start_switch(ctx, sa, child);
  ctx.besides.emplace(sibling, child.id);
}

void sibling_gone(Context& ctx, const IkeSa& sa, const Child& child) {
  forget_siblings(ctx, child.id);
  const auto heir = heir_of(sa, child);
  const auto [begin, end] = ctx.besides.equal_range(child.id);
  const std::multimap<base::ChildId, base::ChildId> waiting(begin, end);
  ctx.besides.erase(begin, end);
  for (const auto& [gone, each] : waiting) {
    if (heir && *heir != each) {
      ctx.besides.emplace(*heir, each);
    } else if (auto* owner = ctx.owner_of(each)) {
      start_switch(ctx, *owner, owner->children.at(each));
    }
  }
}

void forget_siblings(Context& ctx, base::ChildId child) {
  std::erase_if(ctx.besides, [&](const auto& entry) { return entry.second == child; });
}

}  // namespace espgate::ike
