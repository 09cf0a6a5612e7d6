// SPDX-License-Identifier: Apache-2.0
// SAs and policies that somebody else took out of the kernel: what sad/ holds, and what it puts back.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <variant>
#include <vector>

#include "tests/unit/sad/world.h"

namespace espgate::sad {
namespace {

using base::OffloadWanted;

TEST(Expected, ArePairsOfChildrenThatAreUp) {
  World world;
  world.plan({plan_for("net")});
  EXPECT_TRUE(world.sad.expected().empty());
  world.install(child(1, OffloadWanted::automatic));
  const auto held = world.sad.expected();
  ASSERT_EQ(held.size(), 2U);
  for (const auto& [id, sa] : held) {
    EXPECT_EQ(id, base::ChildId{1});
    EXPECT_NE(world.kernel.find(sa), nullptr);
    EXPECT_EQ(world.sad.owner_of(sa), id);
  }
  const auto where = world.sad.standing({1});
  ASSERT_TRUE(where);
  EXPECT_EQ(where->child, "net");
  EXPECT_EQ(where->device, "nic0");
  world.retire({1}, ike::RetireSa::Part::outbound);
  EXPECT_TRUE(world.sad.expected().empty()) << "a generation that is going is not missed";
  world.remove({1});
  EXPECT_FALSE(world.sad.standing({1}));
  for (const auto& [id, sa] : held) EXPECT_FALSE(world.sad.owner_of(sa));
}

TEST(Expected, TheOwnerOfAnSaIsItsNewestChild) {
  World world;
  world.plan({plan_for("net")});
  world.install(child(1, OffloadWanted::no));
  world.install(generation(2, 1, OffloadWanted::no));
  std::set<base::ChildId> owners;
  for (const auto& [id, sa] : world.sad.expected()) {
    EXPECT_EQ(world.sad.owner_of(sa), id);
    owners.insert(id);
  }
  EXPECT_EQ(owners.size(), 2U);
}

class Deleted : public ::testing::Test {
 protected:
  World world;
  void SetUp() override {
    world.plan({plan_for("net")});
    world.install(child(1, OffloadWanted::no));
  }
  std::set<xfrm::PolicyId> standing() {
    std::set<xfrm::PolicyId> out;
    const auto policies = world.kernel.dump_policies();
    for (const auto& policy : *policies) out.insert(policy.id);
    return out;
  }
  void take_away(const xfrm::PolicyId& id) {
    std::vector<xfrm::Request> away;
    away.emplace_back(xfrm::DelPolicy{id});
    ASSERT_TRUE(world.kernel.execute(away).at(0).has_value());
  }
};

TEST_F(Deleted, OnePolicyIsPutBackAndItIsSaid) {
  const auto before = standing();
  for (const auto& id : before) {
    take_away(id);
    EXPECT_EQ(standing().size(), before.size() - 1);
    world.notices.clear();
    world.carry_out(world.sad.on_policies_deleted({}, std::vector{id}));
    EXPECT_EQ(standing(), before);
    EXPECT_NE(world.log().find("1 put back"), std::string::npos) << world.log();
  }
  world.expect_consistent();
}

TEST_F(Deleted, SeveralArePutBackAndSaidInOneLine) {
  const auto before = standing();
  world.notices.clear();
  world.carry_out(world.sad.on_policies_deleted({}, std::vector(before.begin(), std::next(before.begin(), 3))));
  EXPECT_EQ(standing(), before);
  EXPECT_NE(world.log().find("3 put back"), std::string::npos) << world.log();
  EXPECT_EQ(world.notices.size(), 1u);
}

TEST_F(Deleted, AllArePutBackAfterAFlush) {
  const auto before = standing();
  for (const auto& id : before) take_away(id);
  world.carry_out(world.sad.on_policies_deleted({}, std::nullopt));
  EXPECT_EQ(standing(), before);
  EXPECT_EQ(world.sad.policy_ids().size(), before.size());
  world.expect_consistent();
}

TEST_F(Deleted, AfterAFlushWhatStopsPacketsThatLeaveComesFirst) {
  std::vector<int> order;  // 0: blocks on the way out, 1: others on the way out, 2: the rest
  for (const auto& output : world.sad.on_policies_deleted({}, std::nullopt)) {
    const auto* op = std::get_if<Op>(&output);
    if (op == nullptr) continue;
    const auto* put = std::get_if<xfrm::PutPolicy>(&op->request);
    ASSERT_NE(put, nullptr);
    const bool leaves = put->policy.id.direction == xfrm::PolicyDirection::out;
    order.push_back(!leaves ? 2 : put->policy.action == xfrm::PolicyAction::block ? 0 : 1);
  }
  EXPECT_EQ(std::set<int>(order.begin(), order.end()), (std::set<int>{0, 1, 2}));
  EXPECT_TRUE(std::ranges::is_sorted(order));
}

TEST_F(Deleted, WhatWeDeletedOurselvesAndWhatIsNotOursIsNone) {
  world.remove({1});
  const auto before = standing();
  world.notices.clear();
  xfrm::PolicyId foreign;
  foreign.selector = {*base::Prefix::parse("10.1.0.0/16"), *base::Prefix::parse("10.2.0.0/16"), 0, {}, {}};
  world.carry_out(world.sad.on_policies_deleted({}, std::vector{foreign}));
  foreign.layer = xfrm::Layer::child;
  world.carry_out(world.sad.on_policies_deleted({}, std::vector{foreign}));
  EXPECT_EQ(standing(), before);
  EXPECT_EQ(world.log(), "");
}

}  // namespace
}  // namespace espgate::sad
