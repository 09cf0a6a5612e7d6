// SPDX-License-Identifier: Apache-2.0
#include "sad/traps.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sad/child.h"
#include "sad/selectors.h"

namespace espgate::sad {
namespace {

using xfrm::PolicyDirection;

Owner owner_of(base::ChildUid uid) { return {Owner::Kind::standing, uid.value}; }

xfrm::PolicySpec policy(const ChildPlan& child, PolicyDirection direction, const xfrm::Selector& selector,
                        xfrm::Layer layer) {
  xfrm::PolicySpec out;
  out.id = policy_id(child.handling, direction, selector, layer);
  out.priority = priority(selector, layer, child.handling.priority);
  out.action = child.treatment == Treatment::drop ? xfrm::PolicyAction::block : xfrm::PolicyAction::allow;
  return out;
}

// Both ways, and forwarded: a gateway's own traffic and its networks' are treated alike.
std::vector<xfrm::PolicySpec> shunt(const ChildPlan& child) {
  std::vector<xfrm::PolicySpec> out;
  for (const auto& selector : expand(child.local_ts, child.remote_ts)) {
    out.push_back(policy(child, PolicyDirection::out, selector, xfrm::Layer::shunt));
    out.push_back(policy(child, PolicyDirection::in, reversed(selector), xfrm::Layer::shunt));
    out.push_back(policy(child, PolicyDirection::forward, reversed(selector), xfrm::Layer::shunt));
  }
  return out;
}

// Outbound only: what comes in before the child is up is the floor's to judge.
std::vector<xfrm::PolicySpec> trap(const ChildPlan& child, std::uint32_t reqid) {
  std::vector<xfrm::PolicySpec> out;
  const auto any = base::Address::any(child.remote->family());
  const xfrm::Template esp{child.local.value_or(any), *child.remote, reqid, child.mode};
  bool v6 = false;
  for (const auto& selector : expand(child.local_ts, child.remote_ts)) {
    v6 |= selector.source.family() == base::Family::ipv6;
    out.push_back(policy(child, PolicyDirection::out, selector, xfrm::Layer::trap));
    out.back().esp = esp;
  }
  if (v6) std::ranges::move(bypass_policies(), std::inserter(out, out.begin()));
  return out;
}

}  // namespace

void Traps::follow(const Plan& plan) {
  plan_.clear();
  for (const auto& child : plan.children) plan_.emplace(base::ChildUid::of(child.conn, child.child), child);
  std::erase_if(asked_, [this](base::ChildUid uid) { return !plan_.contains(uid); });
  std::erase_if(said_, [this](base::ChildUid uid) { return !plan_.contains(uid); });
  for (const auto& [uid, child] : plan_) settle(uid);
  for (auto held = held_.begin(); held != held_.end();) {
    const bool gone = !plan_.contains(held->first);
    if (gone) let_go(held->first, held->second, {});
    held = gone ? held_.erase(held) : std::next(held);
  }
}

bool Traps::set(base::ChildUid uid, bool on) {
  if (!plan_.contains(uid)) return false;
  on ? static_cast<void>(asked_.insert(uid)) : static_cast<void>(asked_.erase(uid));
  settle(uid);
  return true;
}

bool Traps::wanted(base::ChildUid uid, const ChildPlan& child) {
  if (!child.trap && !asked_.contains(uid)) return false;
  const bool covers = !expand(child.local_ts, child.remote_ts).empty();
  if (covers && (child.treatment != Treatment::protect || child.remote)) return true;
  if (said_.insert(uid).second) {
    work_.emit(Notice{Notice::Level::warning, child.conn, child.child, Reason::none,
                      fmt::format("{}/{}: no packet can bring it up: {}", child.conn, child.child,
                                  covers ? "remote_addrs names no single host to call"
                                         : "its selectors are not known before it is up (dynamic, without one address "
                                           "among local_addrs or remote_addrs), or of two families")});
  }
  return false;
}

std::vector<xfrm::PolicySpec> Traps::policies_of(const ChildPlan& child, Held& held) {
  if (child.treatment != Treatment::protect) return shunt(child);
  if (held.reqid == 0) held.reqid = reqids_.take().value_or(0);
  return trap(child, held.reqid);
}

void Traps::settle(base::ChildUid uid) {
  const ChildPlan& child = plan_.at(uid);
  const Named named{uid, child.conn, child.child};
  if (!wanted(uid, child)) {
    if (const auto held = held_.find(uid); held != held_.end()) {
      let_go(uid, held->second, {});
      held_.erase(held);
    }
    return;
  }
  Held& held = held_[uid];
  std::set<xfrm::PolicyId> standing;
  for (const auto& policy : policies_of(child, held)) {
    if (spd_.claim(owner_of(uid), policy, named) != Spd::Claimed::no_room) {
      standing.insert(policy.id);
    } else {
      work_.emit(Notice{Notice::Level::error, child.conn, child.child, Reason::ledger_full,
                        fmt::format("{}/{}: no room in the ledger for a policy for {}", child.conn, child.child,
                                    policy.id.selector.text())});
    }
  }
  let_go(uid, held, standing);
  held.policies = std::move(standing);
}

void Traps::let_go(base::ChildUid uid, Held& held, const std::set<xfrm::PolicyId>& but) {
  for (const auto& id : held.policies) {
    if (!but.contains(id)) spd_.release(owner_of(uid), id);
  }
  if (but.empty()) reqids_.give_back(std::exchange(held.reqid, 0));
}

void Traps::refused(const xfrm::PolicyId& id, const Named& named, const base::Error& error) {
  if (const auto held = held_.find(named.uid); held != held_.end()) held->second.policies.erase(id);
  spd_.release(owner_of(named.uid), id);
  const bool shunt = id.layer == xfrm::Layer::shunt;
  work_.emit(Notice{Notice::Level::error, named.conn, named.child, Reason::kernel_refused,
                    fmt::format("{}/{}: kernel refused a {} policy for {}: {}", named.conn, named.child,
                                shunt ? "shunt" : "trap", id.selector.text(), error.text())});
}

void Traps::clear() {
  for (auto& [uid, held] : held_) let_go(uid, held, {});
  held_.clear();
  asked_.clear();
}

}  // namespace espgate::sad
