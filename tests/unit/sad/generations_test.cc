// SPDX-License-Identifier: Apache-2.0
// Two generations of a child at once: inbound first, outbound on call, policies without a gap, slots and counts.
#include <gtest/gtest.h>

#include <cerrno>

#include "tests/unit/sad/world.h"

namespace espgate::sad {
namespace {

using Part = ike::RetireSa::Part;
using Wanted = base::OffloadWanted;

const xfrm::SaId kIn2{address("192.0.2.1"), {0x1002}}, kOut2{address("192.0.2.2"), {0x2002}};
const xfrm::SaId kIn1{address("192.0.2.1"), {0x1001}}, kOut1{address("192.0.2.2"), {0x2001}};

class Generations : public ::testing::Test {
 protected:
  Generations() {
    world.kernel.devices[kNic] = {};
    world.plan({plan_for("net")});
  }
  // The out policy that a packet of the child meets.
  const xfrm::PolicySpec* met() {
    return world.kernel.lookup(xfrm::PolicyDirection::out, address("10.1.0.9"), address("10.2.0.9"));
  }
  std::size_t del_policies() {
    std::size_t out = 0;
    for (const auto& line : world.kernel.journal()) out += line.contains("delete") && line.contains("policy") ? 1 : 0;
    return out;
  }
  World world;
};

class BothWays : public Generations, public ::testing::WithParamInterface<Wanted> {};

TEST_P(BothWays, AWholeRekeyAsTheResponder) {
  ASSERT_NE(installed(world.install(child(1, GetParam()))), nullptr);
  const auto reqid = met()->esp->reqid;
  const auto standing = world.policies(xfrm::Layer::child);

  ASSERT_NE(installed(world.add_inbound(generation(2, 1, GetParam()))), nullptr);
  EXPECT_NE(world.kernel.find(kIn2), nullptr);
  EXPECT_EQ(world.kernel.find(kOut2), nullptr) << "the trial is gone, the real one waits";
  EXPECT_EQ(world.kernel.find(kIn2)->reqid, reqid) << "one reqid for all generations";
  EXPECT_EQ(world.sad.waiting().size(), 1U);
  EXPECT_EQ(world.sad.owner_of(kIn2), base::ChildId{2});

  ASSERT_NE(installed(world.switch_outbound({2})), nullptr);
  ASSERT_NE(world.kernel.find(kOut2), nullptr);
  EXPECT_EQ(world.kernel.find(kOut2)->offload.has_value(), GetParam() != Wanted::no);
  EXPECT_NE(world.kernel.find(kOut1), nullptr);
  EXPECT_TRUE(world.sad.waiting().empty());

  world.retire({1}, Part::outbound);
  EXPECT_EQ(world.kernel.find(kOut1), nullptr);
  EXPECT_NE(world.kernel.find(kIn1), nullptr) << "what is under way is still received";
  EXPECT_EQ(world.released, 1U);
  world.retire({1}, Part::all);
  EXPECT_EQ(world.kernel.find(kIn1), nullptr);
  EXPECT_EQ(world.released, 2U);
  EXPECT_EQ(world.policies(xfrm::Layer::child), standing);
  EXPECT_EQ(del_policies(), 0U) << "no moment without a policy";
  EXPECT_EQ(world.kernel.sa_count(), 2U);

  world.remove({2});
  EXPECT_EQ(world.kernel.sa_count(), 0U);
  EXPECT_EQ(world.policies(xfrm::Layer::child), 0U);
  EXPECT_EQ(met()->action, xfrm::PolicyAction::block);
}

TEST_P(BothWays, AWholeRekeyAsTheInitiator) {
  ASSERT_NE(installed(world.install(child(1, GetParam()))), nullptr);
  ASSERT_NE(installed(world.install(generation(2, 1, GetParam()))), nullptr);
  EXPECT_EQ(world.kernel.sa_count(), 4U);
  world.retire({1}, Part::outbound);
  world.retire({1}, Part::all);
  EXPECT_EQ(world.kernel.sa_count(), 2U);
  EXPECT_EQ(del_policies(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Wishes, BothWays, ::testing::Values(Wanted::no, Wanted::automatic, Wanted::crypto),
                         [](const auto& wanted) { return std::string(base::to_string(wanted.param)); });

TEST_F(Generations, OtherSelectorsKeepTheReqidSoThatBothAreTaken) {
  world.install(child(1, Wanted::no));
  const auto reqid = met()->esp->reqid;
  world.add_inbound(generation(2, 1, Wanted::no, "10.0.0.0/8"));
  const auto* in = world.kernel.lookup(xfrm::PolicyDirection::in, address("10.2.0.9"), address("10.3.0.9"));
  ASSERT_NE(in, nullptr);
  EXPECT_EQ(in->esp->reqid, reqid);
  EXPECT_EQ(world.kernel.lookup(xfrm::PolicyDirection::out, address("10.3.0.9"), address("10.2.0.9")), nullptr)
      << "nothing leaves by the new selectors before the switch";
  world.switch_outbound({2});
  EXPECT_NE(world.kernel.lookup(xfrm::PolicyDirection::out, address("10.3.0.9"), address("10.2.0.9")), nullptr);
  world.retire({1}, Part::all);
  world.remove({2});
  EXPECT_EQ(world.kernel.sa_count(), 0U);
}

TEST_F(Generations, ATrialThatIsRefusedIsSoftwareForAutoAndNoForStrict) {
  world.install(child(1, Wanted::automatic));
  world.kernel.devices[kNic].slots = 2;
  const auto answer = world.add_inbound(generation(2, 1, Wanted::automatic));
  ASSERT_NE(installed(answer), nullptr);
  EXPECT_EQ(installed(answer)->in.reason_code, "device-full");
  ASSERT_NE(installed(world.switch_outbound({2})), nullptr);
  EXPECT_FALSE(world.kernel.find(kOut2)->offload);
  world.retire({1}, Part::all);
  world.kernel.devices[kNic].slots = 0;
  ASSERT_NE(refused(world.add_inbound(generation(3, 2, Wanted::crypto))), nullptr);
  EXPECT_EQ(world.kernel.sa_count(), 2U) << "nothing is left of it";
}

TEST_F(Generations, RefusedAtTheSwitchIsSoftwareForAuto) {
  world.install(child(1, Wanted::automatic));
  world.add_inbound(generation(2, 1, Wanted::automatic));
  world.kernel.devices[kNic].slots = 3;
  const auto answer = world.switch_outbound({2});
  ASSERT_NE(installed(answer), nullptr);
  EXPECT_EQ(installed(answer)->out.reason_code, "device-full");
  EXPECT_EQ(installed(answer)->in.actual, base::OffloadActual::crypto) << "its replay window must not open";
  EXPECT_FALSE(world.kernel.find(kOut2)->offload);
}

TEST_F(Generations, RefusedAtTheSwitchIsNoForStrict) {
  world.install(child(1, Wanted::crypto));
  world.add_inbound(generation(2, 1, Wanted::crypto));
  world.kernel.devices[kNic].slots = 3;
  const auto answer = world.switch_outbound({2});
  ASSERT_NE(refused(answer), nullptr);
  EXPECT_EQ(refused(answer)->reason_code, "device-full");
  EXPECT_EQ(world.kernel.find(kOut2), nullptr);
  EXPECT_NE(world.kernel.find(kIn2), nullptr) << "the peer sends on it";
  ASSERT_NE(refused(world.switch_outbound({2})), nullptr) << "its outbound key is not tried twice";
  world.remove({2});
  world.remove({1});
  EXPECT_EQ(world.kernel.sa_count(), 0U);
}

TEST_F(Generations, RemovedWhileItWaits) {
  world.install(child(1, Wanted::crypto));
  world.add_inbound(generation(2, 1, Wanted::crypto));
  world.remove({2});
  EXPECT_EQ(world.kernel.sa_count(), 2U);
  EXPECT_EQ(world.policies(xfrm::Layer::child), 3U) << "the old generation holds them";
  ASSERT_NE(refused(world.switch_outbound({2})), nullptr);
  world.remove({1});
  EXPECT_EQ(world.kernel.sa_count(), 0U);
}

TEST_F(Generations, ManyRekeysUseUpNoSlots) {
  World small({.slots = 4, .policies = 64});
  small.plan({plan_for("net")});
  ASSERT_NE(installed(small.install(child(1, Wanted::no))), nullptr);
  for (std::uint64_t id = 2; id < 200; ++id) {
    ASSERT_NE(installed(small.add_inbound(generation(id, id - 1, Wanted::no))), nullptr) << id;
    ASSERT_NE(installed(small.switch_outbound({id})), nullptr);
    small.retire({id - 1}, Part::outbound);
    small.retire({id - 1}, Part::all);
  }
  EXPECT_EQ(small.kernel.sa_count(), 2U);
  EXPECT_EQ(small.ledger_sas.size(), 2U);
}

TEST_F(Generations, ARestartInTheMiddleClearsBoth) {
  world.install(child(1, Wanted::automatic));
  world.add_inbound(generation(2, 1, Wanted::automatic));
  world.reborn();
  EXPECT_EQ(world.kernel.sa_count(), 0U);
  EXPECT_TRUE(world.ledger_sas.empty());
}

TEST_F(Generations, LimitsGoToTheKernel) {
  auto what = child(1, Wanted::no);
  what.child.limits = {1000, 2000, 30, 40};
  std::vector<xfrm::Limits> seen;
  world.kernel.fault = [&](const xfrm::Request& request) -> std::optional<base::Error> {
    if (const auto* add = std::get_if<xfrm::AddSa>(&request)) seen.push_back(add->spec.limits);
    return std::nullopt;
  };
  world.install(std::move(what));
  ASSERT_EQ(seen.size(), 2U);
  for (const auto& limits : seen) {
    EXPECT_EQ(limits.soft_bytes, 1000U);
    EXPECT_EQ(limits.hard_bytes, 2000U);
    EXPECT_EQ(limits.soft_packets, 30U);
    EXPECT_EQ(limits.hard_packets, 40U);
  }
}

}  // namespace
}  // namespace espgate::sad
