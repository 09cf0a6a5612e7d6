// SPDX-License-Identifier: Apache-2.0
// After kill -9: a new Sad over what the old one left.
#include <gmock/gmock.h>

#include <algorithm>

#include "tests/unit/sad/world.h"

namespace espgate::sad {
namespace {

using base::OffloadWanted;
using xfrm::Layer;
using xfrm::PolicyDirection;

void add_foreign(World& world) {
  xfrm::SaSpec sa;
  sa.source = address("198.51.100.1");
  sa.destination = address("198.51.100.2");
  sa.spi = {0x4711};
  sa.reqid = 5;
  sa.cipher_key = base::Secret(20);
  xfrm::PolicySpec policy;
  policy.id.selector = {*base::Prefix::parse("10.77.0.0/16"), *base::Prefix::parse("10.78.0.0/16"), 0, {}, {}};
  std::vector<xfrm::Request> requests;
  requests.emplace_back(xfrm::AddSa{std::move(sa)});
  requests.emplace_back(xfrm::PutPolicy{policy});
  world.kernel.execute(requests);
}

bool blocked(const World& world) {
  const auto* policy = world.kernel.lookup(PolicyDirection::out, address("10.1.0.1"), address("10.2.0.1"));
  return policy != nullptr && policy->action == xfrm::PolicyAction::block;
}

TEST(Restore, OldSasGoFloorStaysOthersAreLeftAlone) {
  for (const bool ledger_lost : {false, true}) {
    World world;
    add_foreign(world);
    world.plan({plan_for("net")});
    world.install(child(1, OffloadWanted::no));
    ASSERT_EQ(world.kernel.sa_count(), 3U);
    world.reborn(ledger_lost);
    EXPECT_EQ(world.kernel.sa_count(), 1U);
    EXPECT_TRUE(world.ledger_sas.empty());
    EXPECT_EQ(world.released, ledger_lost ? 0U : 2U);  // folded by the ledger that is there
    const auto requests = world.kernel.journal().size();
    world.plan({plan_for("net")});
    // The floor was adopted: nothing is put, the child's policies go.
    EXPECT_EQ(world.kernel.journal().size(), requests + 3);
    EXPECT_TRUE(blocked(world));
    EXPECT_EQ(world.policies(Layer::child), 0U);
    EXPECT_EQ(world.policies(Layer::foreign), 1U);
    world.expect_consistent();
    world.install(child(2, OffloadWanted::no));
    world.stop();
    EXPECT_EQ(world.kernel.sa_count(), 1U);
    EXPECT_EQ(world.kernel.dump_policies()->size(), 1U);
  }
}

TEST(Restore, FloorOfAGoneChildGoesAfterTheNewOneStands) {
  World world;
  world.plan({plan_for("old", "10.5.0.0/16", "10.6.0.0/16")});
  world.reborn();
  const auto before = world.kernel.journal().size();
  world.plan({plan_for("net")});
  const auto& journal = world.kernel.journal();
  ASSERT_EQ(journal.size(), before + 6);
  EXPECT_THAT(journal[before + 2], testing::StartsWith("put"));
  EXPECT_THAT(journal[before + 3], testing::StartsWith("delete"));
  EXPECT_TRUE(blocked(world));
  EXPECT_EQ(world.policies(Layer::floor), 3U);
  world.expect_consistent();
}

TEST(Restore, LedgerEntriesWithoutAnythingInTheKernelAreCleared) {
  World world;
  world.plan({plan_for("net")});
  world.install(child(1, OffloadWanted::no));
  static_cast<xfrm::ModelKernel&>(
      world.kernel) = {};  // a reboot with pins that survived, or somebody's `ip xfrm state flush`
  world.reborn();
  EXPECT_TRUE(world.ledger_sas.empty());
  EXPECT_TRUE(world.ledger_policies.empty());
  world.plan({plan_for("net")});
  world.expect_consistent();
  EXPECT_TRUE(blocked(world));
}

TEST(Restore, AnSaThatTookOurSpiMeanwhileIsNotOurs) {
  World world;
  world.install(child(1, OffloadWanted::no));
  const auto* ours = world.kernel.find({address("192.0.2.1"), {0x1001}});
  ASSERT_NE(ours, nullptr);
  std::vector<xfrm::Request> requests;
  requests.emplace_back(xfrm::DelSa{ours->id});
  xfrm::SaSpec foreign;
  foreign.source = address("192.0.2.2");
  foreign.destination = address("192.0.2.1");
  foreign.spi = {0x1001};
  foreign.reqid = 9;
  foreign.cipher_key = base::Secret(20);
  requests.emplace_back(xfrm::AddSa{std::move(foreign)});
  world.kernel.execute(requests);
  world.reborn();
  ASSERT_EQ(world.kernel.sa_count(), 1U);
  EXPECT_EQ(world.kernel.dump_sas()->front().reqid, 9U);
}

TEST(Restore, ATrialThatOutlivedUsGoes) {
  World world;
  xfrm::SaSpec trial;
  trial.direction = base::Direction::out;
  trial.source = address("192.0.2.1");
  trial.destination = address("192.0.2.2");
  trial.spi = {0x2001};
  trial.reqid = kReqidBase + 1;
  trial.cipher_key = base::Secret(20);
  std::vector<xfrm::Request> requests;
  requests.emplace_back(xfrm::AddSa{std::move(trial)});
  world.kernel.execute(requests);
  world.reborn();
  EXPECT_EQ(world.kernel.sa_count(), 0U);
}

TEST(Restore, KilledAfterAnyRequestOfAnInstallationLeavesNoOrphan) {
  for (auto wanted : {OffloadWanted::no, OffloadWanted::automatic}) {
    for (std::size_t alive = 0; alive < 12; ++alive) {
      World world;
      world.kernel.devices[kNic] = {};
      world.plan({plan_for("net")});
      // Death: from some request on, nothing more reaches kernel or ledger.
      std::size_t count = 0;
      bool dead = false;
      xfrm::ModelKernel& kernel = world.kernel;
      kernel.fault = [&](const xfrm::Request& request) -> std::optional<base::Error> {
        dead |= count++ >= alive;
        if (!dead) return std::nullopt;
        return base::Error{describe(request), ENOMEM, {}};
      };
      auto sas = world.ledger_sas;
      auto policies = world.ledger_policies;
      pump(world.sad, kernel, {}, world.sad.on_install({}, child(1, wanted), {"nic0", kNic, 0}), [&](Output&& output) {
        if (dead) return;
        if (auto* assign = std::get_if<AssignSlot>(&output)) sas[assign->slot] = assign->sa;
        if (auto* write = std::get_if<WritePolicy>(&output)) policies[write->index] = write->policy;
      });
      kernel.fault = nullptr;
      world.ledger_sas = sas;
      world.ledger_policies = policies;
      world.reborn();
      EXPECT_EQ(kernel.sa_count(), 0U) << alive;
      world.plan({plan_for("net")});
      EXPECT_EQ(world.policies(Layer::child), 0U) << alive;
      EXPECT_EQ(world.policies(Layer::floor), 3U) << alive;
      world.expect_consistent();
    }
  }
}

}  // namespace
}  // namespace espgate::sad
