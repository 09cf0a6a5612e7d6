// SPDX-License-Identifier: Apache-2.0
// What of the plan stands in the SPD without any SA of its own: traps, which bring a child up when a packet meets them,
// and shunts, which let traffic pass or drop it. Inside sad/ only.
#pragma once

#include <map>
#include <set>

#include "sad/plan.h"
#include "sad/reqids.h"
#include "sad/spd.h"

namespace espgate::sad {

// A trap stands beneath its child's own policies, from the load to the unload: at no change between the two can a
// packet leave in the clear, and packets that wait in the trap's queue (net.core.xfrm_larval_drop = 0) find the child
// when it is up. Its reqid is that of no SA, so that nothing is ever sent by a trap: what a child that was narrowed
// does not cover goes nowhere.
class Traps {
 public:
  Traps(Work& work, Spd& spd, Reqids& reqids) : work_(work), spd_(spd), reqids_(reqids) {}

  // New and changed policies go in before old ones go.
  void follow(const Plan& plan);
  // Beyond what the plan says: a trap for a child that fell back to one. False: the plan has no such child.
  bool set(base::ChildUid uid, bool on);
  void clear();
  // The kernel did not take one of ours: forgotten here, so that the next plan tries again.
  void refused(const xfrm::PolicyId& id, const Named& named, const base::Error& error);

 private:
  struct Held {
    std::uint32_t reqid = 0;  // 0: a shunt
    std::set<xfrm::PolicyId> policies;
  };
  void settle(base::ChildUid uid);
  [[nodiscard]] bool wanted(base::ChildUid uid, const ChildPlan& child);
  std::vector<xfrm::PolicySpec> policies_of(const ChildPlan& child, Held& held);
  void let_go(base::ChildUid uid, Held& held, const std::set<xfrm::PolicyId>& but);

  Work& work_;
  Spd& spd_;
  Reqids& reqids_;
  std::map<base::ChildUid, ChildPlan> plan_;
  std::set<base::ChildUid> asked_;  // beyond the plan
  std::set<base::ChildUid> said_;   // that there can be no trap
  std::map<base::ChildUid, Held> held_;
};

}  // namespace espgate::sad
