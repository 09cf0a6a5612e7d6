// SPDX-License-Identifier: Apache-2.0
// The block floor: what of the plan stands in the SPD beneath the children, whether they are up or not.
// Inside sad/ only.
#pragma once

#include <map>
#include <set>

#include "sad/plan.h"
#include "sad/spd.h"

namespace espgate::sad {

class Floor {
 public:
  Floor(Work& work, Spd& spd) : work_(work), spd_(spd) {}

  // New and changed floors go in before old ones go.
  void follow(const Plan& plan);
  void clear();
  // The kernel did not take one of ours: forgotten here, so that the next plan tries again.
  void refused(const xfrm::PolicyId& id, const Named& named, const base::Error& error);
  [[nodiscard]] bool any_refused() const { return refused_; }  // since the last plan

 private:
  void cover(const ChildPlan& child, std::set<xfrm::PolicyId>& wanted);
  void claim(const Named& named, const xfrm::PolicySpec& policy, std::set<xfrm::PolicyId>& wanted);
  void say_uncovered(const Named& named);

  Work& work_;
  Spd& spd_;
  std::map<base::ChildUid, std::set<xfrm::PolicyId>> held_;
  bool said_full_ = false;  // the ledger
  bool refused_ = false;
  std::set<base::ChildUid> said_;  // that 0.0.0.0/0 or ::/0 is left open
};

}  // namespace espgate::sad
