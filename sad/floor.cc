// SPDX-License-Identifier: Apache-2.0
#include "sad/floor.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sad/child.h"
#include "sad/selectors.h"

namespace espgate::sad {
namespace {

bool is_everything(const xfrm::Selector& selector) {
  return selector.source.length() == 0 || selector.destination.length() == 0;
}

xfrm::PolicySpec block(const ChildPlan& child, xfrm::PolicyDirection direction, const xfrm::Selector& selector) {
  xfrm::PolicySpec out;
  out.id = policy_id(child.handling, direction, selector, xfrm::Layer::floor);
  out.priority = priority(selector, xfrm::Layer::floor, child.handling.priority);
  out.action = xfrm::PolicyAction::block;
  return out;
}

}  // namespace

void Floor::follow(const Plan& plan) {
  refused_ = false;
  std::map<base::ChildUid, std::set<xfrm::PolicyId>> wanted;
  for (const auto& child : plan.children) {
    if (child.treatment != Treatment::protect) continue;
    if (child.when_down == WhenDown::block) cover(child, wanted[base::ChildUid::of(child.conn, child.child)]);
  }
  for (const auto& [uid, policies] : held_) {
    const auto still = wanted.find(uid);
    for (const auto& id : policies) {
      if (still == wanted.end() || !still->second.contains(id)) spd_.release({Owner::Kind::floor, uid.value}, id);
    }
  }
  held_ = std::move(wanted);
  std::erase_if(said_, [this](base::ChildUid uid) { return !held_.contains(uid); });
}

void Floor::cover(const ChildPlan& child, std::set<xfrm::PolicyId>& wanted) {
  const Named named{base::ChildUid::of(child.conn, child.child), child.conn, child.child};
  const auto selectors = expand(child.local_ts, child.remote_ts);
  // Neighbour discovery first, or an IPv6 floor would stop it for a moment.
  const bool v6 = std::ranges::any_of(selectors, [](const auto& s) { return s.source.family() == base::Family::ipv6; });
  if (v6) {
    for (const auto& policy : bypass_policies()) claim(named, policy, wanted);
  }
  for (const auto& selector : selectors) {
    if (is_everything(selector) && !child.when_down_said) {
      say_uncovered(named);
      continue;
    }
    claim(named, block(child, xfrm::PolicyDirection::out, selector), wanted);
    claim(named, block(child, xfrm::PolicyDirection::in, reversed(selector)), wanted);
    if (child.mode == base::SaMode::tunnel) {
      claim(named, block(child, xfrm::PolicyDirection::forward, reversed(selector)), wanted);
    }
  }
}

void Floor::claim(const Named& named, const xfrm::PolicySpec& policy, std::set<xfrm::PolicyId>& wanted) {
  wanted.insert(policy.id);
  const auto held = held_.find(named.uid);
  if (held != held_.end() && held->second.contains(policy.id)) return;
  const auto claimed = spd_.claim({Owner::Kind::floor, named.uid.value}, policy, named);
  if (claimed != Spd::Claimed::unrecorded || std::exchange(said_full_, true)) return;
  work_.emit(
      Notice{Notice::Level::error, named.conn, named.child, Reason::ledger_full,
             fmt::format("{}/{}: no room in the ledger for its block policies, and those of children after it: they "
                         "stand, but after a crash nobody would know whose they are; raise gateway.max_sas",
                         named.conn, named.child)});
}

void Floor::say_uncovered(const Named& named) {
  if (!said_.insert(named.uid).second) return;
  work_.emit(Notice{Notice::Level::warning, named.conn, named.child, Reason::none,
                    fmt::format("{}/{}: its selectors cover all addresses; while it is down that traffic passes in the "
                                "clear, since when_down was not said (when_down = block stops it)",
                                named.conn, named.child)});
}

void Floor::refused(const xfrm::PolicyId& id, const Named& named, const base::Error& error) {
  refused_ = true;
  if (const auto held = held_.find(named.uid); held != held_.end()) held->second.erase(id);
  spd_.release({Owner::Kind::floor, named.uid.value}, id);
  work_.emit(
      Notice{Notice::Level::error, named.conn, named.child, Reason::kernel_refused,
             fmt::format("{}/{}: kernel refused a block policy, {} leaves in the clear while the child is down: {}",
                         named.conn, named.child, id.selector.text(), error.text())});
}

void Floor::clear() {
  for (const auto& [uid, policies] : held_) spd_.release_all({Owner::Kind::floor, uid.value});
  held_.clear();
}

}  // namespace espgate::sad
