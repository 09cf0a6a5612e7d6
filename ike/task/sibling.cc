// SPDX-License-Identifier: Apache-2.0
#include "ike/task/sibling.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "ike/task/generation.h"

namespace espgate::ike {

namespace {

bool carries(const Child& there, const Child& child) {
  return there.id != child.id && there.state == ChildState::installed && there.outbound == Outbound::active &&
         there.config->name == child.config->name && there.mode == child.mode && there.local_ts == child.local_ts &&
         there.remote_ts == child.remote_ts;
}

std::pair<IkeSa*, Child*> find(Context& ctx, base::ChildId id) {
  for (auto& [spi, sa] : ctx.sas()) {
    if (auto it = sa->children.find(id); it != sa->children.end()) return {sa.get(), &it->second};
  }
  return {};
}

}  // namespace

std::optional<base::ChildId> find_sibling(Context& ctx, const IkeSa& sa, const Child& child) {
  for (const auto& [spi, other] : ctx.sas()) {
    if (other->children.empty() || other->remote.address != sa.remote.address) continue;
    if (other->conn_name() != sa.conn_name()) continue;
    const auto it =
        std::ranges::find_if(other->children, [&](const auto& entry) { return carries(entry.second, child); });
    if (it != other->children.end()) return it->first;
  }
  return std::nullopt;
}

void wait_beside(Context& ctx, IkeSa& sa, Child& child, base::ChildId sibling) {
  child.outbound = Outbound::waiting;
  child.switch_at = ctx.now + kSwitchAtLast;
  ctx.besides.emplace(sibling, child.id);
  if (child.first) sa.queue.emplace_front(DoLiveness{});
  const auto [where, there] = find(ctx, sibling);
  if (there == nullptr) sibling_gone(ctx, sibling, {});  // while this one was being installed
}

void sibling_gone(Context& ctx, base::ChildId id, std::optional<base::ChildId> heir) {
  const auto [begin, end] = ctx.besides.equal_range(id);
  std::vector<base::ChildId> waiting;
  for (auto it = begin; it != end; ++it) waiting.push_back(it->second);
  ctx.besides.erase(begin, end);
  for (const auto each : waiting) {
    if (heir && *heir != each) {
      ctx.besides.emplace(*heir, each);
    } else if (const auto [sa, child] = find(ctx, each); child != nullptr) {
      start_switch(ctx, *sa, *child);
    }
  }
}

void forget_siblings(Context& ctx, base::ChildId child) {
  std::erase_if(ctx.besides, [&](const auto& entry) { return entry.second == child; });
}

}  // namespace espgate::ike
