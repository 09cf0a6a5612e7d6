// SPDX-License-Identifier: Apache-2.0
// What covered traffic meets while its child is not up.
#include <gmock/gmock.h>

#include <cerrno>

#include "tests/unit/sad/world.h"

namespace espgate::sad {
namespace {

using base::OffloadWanted;
using testing::HasSubstr;
using xfrm::Layer;
using xfrm::PolicyAction;
using xfrm::PolicyDirection;

// "clear", "block" or "esp".
std::string fate(const World& world, PolicyDirection direction, std::string_view from, std::string_view to,
                 std::uint8_t protocol = 0, std::uint16_t source_port = 0) {
  const auto* policy = world.kernel.lookup(direction, address(from), address(to), protocol, source_port);
  if (policy == nullptr || (policy->action == PolicyAction::allow && !policy->esp)) return "clear";
  return policy->esp ? "esp" : "block";
}

TEST(Floor, BlocksFromLoadToUnload) {
  World world;
  world.plan({plan_for("net")});
  EXPECT_EQ(fate(world, PolicyDirection::out, "10.1.0.1", "10.2.0.1"), "block");
  EXPECT_EQ(fate(world, PolicyDirection::in, "10.2.0.1", "10.1.0.1"), "block");
  EXPECT_EQ(fate(world, PolicyDirection::forward, "10.2.0.1", "10.1.0.1"), "block");
  EXPECT_EQ(fate(world, PolicyDirection::forward, "10.1.0.1", "10.2.0.1"), "clear");  // on its way to `out`
  EXPECT_EQ(fate(world, PolicyDirection::out, "10.1.0.1", "10.3.0.1"), "clear");
  world.install(child(1, OffloadWanted::no));
  EXPECT_EQ(fate(world, PolicyDirection::out, "10.1.0.1", "10.2.0.1"), "esp");
  EXPECT_EQ(world.policies(Layer::floor), 3U);
  world.remove({1});
  EXPECT_EQ(fate(world, PolicyDirection::out, "10.1.0.1", "10.2.0.1"), "block");
  world.plan({});
  EXPECT_EQ(fate(world, PolicyDirection::out, "10.1.0.1", "10.2.0.1"), "clear");
  EXPECT_TRUE(world.ledger_policies.empty());
}

TEST(Floor, PassMeansNoFloor) {
  World world;
  auto plan = plan_for("net");
  plan.when_down = WhenDown::pass;
  world.plan({plan});
  EXPECT_EQ(fate(world, PolicyDirection::out, "10.1.0.1", "10.2.0.1"), "clear");
}

TEST(Floor, EverythingOnlyWhenSaid) {
  World world;
  auto plan = plan_for("net", "10.1.0.0/16", "0.0.0.0/0");
  world.plan({plan});
  EXPECT_EQ(fate(world, PolicyDirection::out, "10.1.0.1", "8.8.8.8"), "clear");
  EXPECT_THAT(world.log(), HasSubstr("when_down = block"));
  plan.when_down_said = true;
  world.plan({plan});
  EXPECT_EQ(fate(world, PolicyDirection::out, "10.1.0.1", "8.8.8.8"), "block");
}

TEST(Floor, NeighbourDiscoveryPasses) {
  World world;
  world.plan({plan_for("net", "2001:db8:1::/64", "2001:db8:2::/64")});
  for (const auto direction : {PolicyDirection::out, PolicyDirection::in}) {
    const bool out = direction == PolicyDirection::out;
    const auto* from = out ? "2001:db8:1::1" : "2001:db8:2::1";
    const auto* to = out ? "2001:db8:2::1" : "2001:db8:1::1";
    EXPECT_EQ(fate(world, direction, from, to, 58, 135), "clear");
    EXPECT_EQ(fate(world, direction, from, to, 58, 136), "clear");
    EXPECT_EQ(fate(world, direction, from, to, 58, 128), "block");
    EXPECT_EQ(fate(world, direction, from, to, 17), "block");
  }
  world.install(child(1, OffloadWanted::no, "net", "2001:db8:1::/64", "2001:db8:2::/64"));
  EXPECT_EQ(fate(world, PolicyDirection::out, "2001:db8:1::1", "2001:db8:2::1", 58, 135), "clear");
  EXPECT_EQ(fate(world, PolicyDirection::out, "2001:db8:1::1", "2001:db8:2::1", 58, 128), "esp");
  world.remove({1});
  EXPECT_EQ(world.policies(Layer::bypass), 4U);
  world.plan({});
  EXPECT_EQ(world.policies(Layer::bypass), 0U);
}

TEST(Floor, IPv4AloneNeedsNoBypass) {
  World world;
  world.plan({plan_for("net")});
  EXPECT_EQ(world.policies(Layer::bypass), 0U);
}

TEST(Floor, UnchangedIsUntouched) {
  World world;
  world.plan({plan_for("net"), plan_for("other", "10.5.0.0/16", "10.6.0.0/16")});
  const auto requests = world.kernel.journal().size();
  world.plan({plan_for("other", "10.5.0.0/16", "10.6.0.0/16"), plan_for("net")});
  EXPECT_EQ(world.kernel.journal().size(), requests);
  world.plan({plan_for("net")});
  EXPECT_EQ(world.kernel.journal().size(), requests + 3);
  EXPECT_EQ(fate(world, PolicyDirection::out, "10.1.0.1", "10.2.0.1"), "block");
}

TEST(Floor, NewOneIsThereBeforeTheOldOneGoes) {
  World world;
  world.plan({plan_for("net", "10.1.0.0/16", "10.2.0.0/16")});
  const auto before = world.kernel.journal().size();
  world.plan({plan_for("net", "10.1.0.0/16", "10.0.0.0/8")});
  const auto& journal = world.kernel.journal();
  ASSERT_EQ(journal.size(), before + 6);
  EXPECT_THAT(journal[before], HasSubstr("put"));
  EXPECT_THAT(journal[before + 2], HasSubstr("put"));
  EXPECT_THAT(journal[before + 3], HasSubstr("delete"));
}

TEST(Floor, TwoChildrenWithTheSameSelectors) {
  World world;
  world.plan({plan_for("net"), plan_for("twin")});
  EXPECT_EQ(world.policies(Layer::floor), 3U);
  world.plan({plan_for("twin")});
  EXPECT_EQ(fate(world, PolicyDirection::out, "10.1.0.1", "10.2.0.1"), "block");
  world.plan({});
  EXPECT_EQ(world.policies(Layer::floor), 0U);
}

TEST(Floor, NarrowChildThatIsDownIsNotCarriedByAWideOne) {
  World world;
  world.plan({plan_for("wide", "10.1.0.0/16", "10.0.0.0/8"), plan_for("narrow", "10.1.0.0/16", "10.2.0.0/16")});
  world.install(child(1, OffloadWanted::no, "wide", "10.1.0.0/16", "10.0.0.0/8"));
  EXPECT_EQ(fate(world, PolicyDirection::out, "10.1.0.1", "10.9.0.1"), "esp");
  EXPECT_EQ(fate(world, PolicyDirection::out, "10.1.0.1", "10.2.0.1"), "block");
}

TEST(Floor, RefusedByTheKernelIsSaidAndTriedAgain) {
  World world;
  world.kernel.fault = [](const xfrm::Request& request) -> std::optional<base::Error> {
    if (!std::holds_alternative<xfrm::PutPolicy>(request)) return std::nullopt;
    return base::Error{describe(request), ENOMEM, {}};
  };
  world.plan({plan_for("net")});
  EXPECT_THAT(world.log(), HasSubstr("in the clear"));
  EXPECT_TRUE(world.sad.floor_refused());
  world.kernel.fault = nullptr;
  world.expect_consistent();
  world.plan({plan_for("net")});
  EXPECT_FALSE(world.sad.floor_refused());
  EXPECT_EQ(fate(world, PolicyDirection::out, "10.1.0.1", "10.2.0.1"), "block");
}

// A ledger without room costs the record, never the policy.
TEST(Floor, BlocksThoughTheLedgerIsFull) {
  World world(Options{64, 2});
  world.plan({plan_for("net"), plan_for("far", "10.1.0.0/16", "10.3.0.0/16")});
  EXPECT_EQ(world.ledger_policies.size(), 2U);
  for (const auto* there : {"10.2.0.1", "10.3.0.1"}) {
    EXPECT_EQ(fate(world, PolicyDirection::out, "10.1.0.1", there), "block") << there;
    EXPECT_EQ(fate(world, PolicyDirection::in, there, "10.1.0.1"), "block") << there;
    EXPECT_EQ(fate(world, PolicyDirection::forward, there, "10.1.0.1"), "block") << there;
  }
  const auto log = world.log();
  EXPECT_THAT(log, HasSubstr("no room in the ledger for its block policies"));
  EXPECT_EQ(log.find("no room in the ledger"), log.rfind("no room in the ledger")) << "said once";
  EXPECT_NE(refused(world.install(child(1, OffloadWanted::no))), nullptr) << "a child needs its record";
  EXPECT_EQ(fate(world, PolicyDirection::out, "10.1.0.1", "10.2.0.1"), "block");
  // With room again they are recorded, and go as all others do.
  world.plan({plan_for("far", "10.1.0.0/16", "10.3.0.0/16")});
  world.carry_out(world.sad.on_policies_deleted({}, std::nullopt));
  EXPECT_EQ(world.ledger_policies.size(), 2U);
  EXPECT_EQ(fate(world, PolicyDirection::out, "10.1.0.1", "10.2.0.1"), "clear");
  world.plan({});
  EXPECT_EQ(world.policies(Layer::floor), 0U);
  EXPECT_TRUE(world.ledger_policies.empty());
}

TEST(Floor, StopLeavesNothingOfOursAndAllOfOthers) {
  World world;
  xfrm::PolicySpec foreign;
  foreign.id.selector = {*base::Prefix::parse("10.1.0.0/16"), *base::Prefix::parse("10.2.0.0/16"), 0, {}, {}};
  std::vector<xfrm::Request> requests;
  requests.emplace_back(xfrm::PutPolicy{foreign});
  ASSERT_TRUE(world.kernel.execute(requests)[0]);
  world.plan({plan_for("net"), plan_for("six", "2001:db8:1::/64", "2001:db8:2::/64")});
  world.install(child(1, OffloadWanted::no));
  world.stop();
  EXPECT_EQ(world.kernel.sa_count(), 0U);
  ASSERT_EQ(world.kernel.dump_policies()->size(), 1U);
  EXPECT_EQ(world.kernel.dump_policies()->front(), foreign);
  EXPECT_TRUE(world.ledger_policies.empty());
  EXPECT_TRUE(world.ledger_sas.empty());
  Outputs late = world.sad.on_install({}, child(2, OffloadWanted::no), {});
  world.carry_out(std::move(late));
  EXPECT_EQ(refused(world.answers.back())->reason_code, "stopping");
}

}  // namespace
}  // namespace espgate::sad
