// SPDX-License-Identifier: Apache-2.0
// Packet mode: the chain packet, crypto, software; policies that a device holds, and what lies beneath them; changes of
// mode.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>

#include "tests/unit/sad/world.h"

namespace espgate::sad {
namespace {

using Part = ike::RetireSa::Part;
using Wanted = base::OffloadWanted;
using Actual = base::OffloadActual;
using xfrm::DeviceAnswer;
using xfrm::PolicyDirection;

const xfrm::SaId kOut1{address("192.0.2.2"), {0x2001}}, kOut2{address("192.0.2.2"), {0x2002}};

class PacketModeTest : public ::testing::Test {
 protected:
  PacketModeTest() {
    nic().packet = true;
    world.plan({plan_for("net")});
  }
  xfrm::ModelDevice& nic() { return world.kernel.devices[kNic]; }
  static InstallContext context(PacketMode known = PacketMode::takes) {
    InstallContext out{"nic0", kNic, 1000, {}};
    out.packet = known;
    return out;
  }
  const xfrm::PolicySpec* met(PolicyDirection direction = PolicyDirection::out) {
    const auto here = address("10.1.0.9");
    const auto there = address("10.2.0.9");
    return direction == PolicyDirection::out ? world.kernel.lookup(direction, here, there)
                                             : world.kernel.lookup(direction, there, here);
  }
  // The SA that a packet leaves on; nullopt: it does not.
  std::optional<xfrm::SaId> leaves_on() {
    const auto* policy = met();
    if (policy == nullptr || !policy->esp) return std::nullopt;
    return world.kernel.outbound_for(*policy->esp, policy->device);
  }
  static Actual actual(const ike::ChildAnswer& answer) {
    const auto* up = installed(answer);
    if (up == nullptr) return Actual::none;
    EXPECT_EQ(up->in.actual, up->out.actual);
    return up->out.actual;
  }
  std::ptrdiff_t line(std::string_view what) {
    const auto& journal = world.kernel.journal();
    const auto found = std::ranges::find_if(journal, [&](const auto& one) { return one.contains(what); });
    EXPECT_NE(found, journal.end()) << what;
    return found - journal.begin();
  }
  World world;
};

TEST_F(PacketModeTest, BothDirectionsAndTheirPoliciesGoToTheDevice) {
  const auto answer = world.install(child(1, Wanted::automatic), context());
  EXPECT_EQ(actual(answer), Actual::packet);
  EXPECT_EQ(met()->device, kNic);
  EXPECT_EQ(met(PolicyDirection::in)->device, kNic);
  EXPECT_EQ(met(PolicyDirection::forward)->device, 0U) << "no device takes a forward policy";
  EXPECT_EQ(leaves_on(), kOut1);
  EXPECT_EQ(world.policies(xfrm::Layer::guard), 2U);
  const auto* ike =
      world.kernel.lookup(PolicyDirection::out, address("192.0.2.1"), address("192.0.2.2"), 17, 4500, 4500);
  ASSERT_NE(ike, nullptr);
  EXPECT_EQ(ike->device, kNic) << "the device would take IKE for a packet of the child";
  EXPECT_FALSE(ike->esp);
  EXPECT_TRUE(world.log().contains("running in hardware (packet mode)"));
  world.remove({1});
  EXPECT_EQ(world.policies(xfrm::Layer::guard) + world.policies(xfrm::Layer::bypass), 0U);
  EXPECT_EQ(world.kernel.sa_count(), 0U);
  EXPECT_EQ(met()->action, xfrm::PolicyAction::block);
}

TEST_F(PacketModeTest, AnAnchorStandsFromBeforeItsSasUntilAfterThem) {
  std::vector<xfrm::SaSpec> added;
  world.kernel.fault = [&](const xfrm::Request& request) -> std::optional<base::Error> {
    if (const auto* add = std::get_if<xfrm::AddSa>(&request)) added.push_back(add->spec.clone());
    return std::nullopt;
  };
  world.install(child(1, Wanted::automatic), context());
  ASSERT_FALSE(added.empty());
  const auto anchor = added.front().id();
  EXPECT_FALSE(added.front().offload) << "in software, so that those to come do not hide what the device holds";
  EXPECT_EQ(added.front().reqid, met()->esp->reqid);
  EXPECT_NE(world.kernel.find(anchor), nullptr);
  world.kernel.flap(kNic);
  EXPECT_NE(world.kernel.find(anchor), nullptr);
  world.remove({1});
  EXPECT_EQ(world.kernel.sa_count(), 0U);
}

TEST_F(PacketModeTest, AFormerSelfsAnchorIsRemoved) {
  world.install(child(1, Wanted::automatic), context());
  EXPECT_EQ(world.kernel.sa_count(), 3U);
  world.reborn();
  EXPECT_EQ(world.kernel.sa_count(), 0U);
}

TEST_F(PacketModeTest, NoAnchorWithoutPacketMode) {
  nic().packet = false;
  world.install(child(1, Wanted::automatic), context());
  EXPECT_EQ(world.kernel.sa_count(), 2U);
}

TEST_F(PacketModeTest, TheBlockBeneathComesFirstAndGoesLast) {
  auto plan = plan_for("net");
  plan.when_down = WhenDown::pass;
  world.plan({plan});
  EXPECT_EQ(met(), nullptr);
  std::size_t looked = 0;
  world.kernel.fault = [&](const xfrm::Request& request) -> std::optional<base::Error> {
    if (const auto* put = std::get_if<xfrm::PutPolicy>(&request); put != nullptr && put->policy.device != 0) {
      EXPECT_EQ(world.policies(xfrm::Layer::guard), 2U);
      ++looked;
    }
    if (const auto* del = std::get_if<xfrm::DelPolicy>(&request);
        del != nullptr && del->id.layer == xfrm::Layer::guard) {
      EXPECT_EQ(world.policies(xfrm::Layer::child), 0U);
      ++looked;
    }
    return std::nullopt;
  };
  world.install(child(1, Wanted::packet), context());
  world.remove({1});
  EXPECT_GE(looked, 4U);
  EXPECT_EQ(met(), nullptr);
}

TEST_F(PacketModeTest, ALinkFlapLeavesTheBlockBeneath) {
  auto plan = plan_for("net");
  plan.when_down = WhenDown::pass;
  world.plan({plan});
  world.install(child(1, Wanted::automatic), context());
  world.kernel.flap(kNic);
  ASSERT_NE(met(), nullptr);
  EXPECT_EQ(met()->action, xfrm::PolicyAction::block);
  EXPECT_EQ(met(PolicyDirection::in)->action, xfrm::PolicyAction::block);
  for (const auto& id : world.sad.policy_ids()) world.carry_out(world.sad.on_policies_deleted({}, std::vector{id}));
  EXPECT_EQ(met()->device, kNic);
  EXPECT_FALSE(leaves_on()) << "its SAs are ike/'s to replace";
  // No look at the whole, as the ledger still names the SAs that are gone.
  auto next = generation(2, 1, Wanted::automatic);
  world.carry_out(world.sad.on_add_inbound({}, {next.id, std::move(next.child)}, context()));
  world.carry_out(world.sad.on_switch_outbound({}, {{902}, {2}}));
  EXPECT_EQ(leaves_on(), kOut2);
}

TEST_F(PacketModeTest, ADeviceWithoutItIsNotMissed) {
  nic().packet = false;
  const auto answer = world.install(child(1, Wanted::automatic), context(PacketMode::unknown));
  EXPECT_EQ(actual(answer), Actual::crypto);
  EXPECT_EQ(installed(answer)->in.reason, "");
  EXPECT_EQ(met()->device, 0U);
  EXPECT_EQ(world.policies(xfrm::Layer::guard), 0U);
}

TEST_F(PacketModeTest, KnownToRefuseItIsNotTried) {
  nic().packet = false;
  world.install(child(1, Wanted::automatic), context(PacketMode::refuses));
  const auto& journal = world.kernel.journal();
  EXPECT_TRUE(std::ranges::none_of(journal, [](const auto& one) { return one.starts_with("!"); }));
}

TEST_F(PacketModeTest, ARefusalOfADeviceThatHasItIsKept) {
  nic().answer = [](const xfrm::SaSpec& spec) -> DeviceAnswer {
    if (spec.offload->kind != xfrm::OffloadKind::packet || spec.direction == base::Direction::out) return {};
    return {DeviceAnswer::Kind::refused, EINVAL, "Unsupported replay window size"};
  };
  const auto answer = world.install(child(1, Wanted::automatic), context());
  EXPECT_EQ(actual(answer), Actual::crypto);
  EXPECT_TRUE(installed(answer)->out.reason.contains("driver refused packet mode: \"Unsupported replay window size\""))
      << installed(answer)->out.reason;
  EXPECT_TRUE(world.log().contains("running in hardware (crypto mode)"));
  EXPECT_EQ(leaves_on(), kOut1);
}

TEST_F(PacketModeTest, NeitherKindIsTaken) {
  nic().answer = [](const xfrm::SaSpec&) -> DeviceAnswer { return {DeviceAnswer::Kind::refused, EINVAL, "No."}; };
  EXPECT_EQ(actual(world.install(child(1, Wanted::automatic), context())), Actual::none);
  EXPECT_EQ(leaves_on(), kOut1);
  EXPECT_TRUE(world.log().contains("driver refused crypto mode"));
}

TEST_F(PacketModeTest, StrictIsRefusedAndNothingIsLeft) {
  nic().packet = false;
  const auto answer = world.install(child(1, Wanted::packet), context(PacketMode::refuses));
  ASSERT_NE(refused(answer), nullptr);
  EXPECT_TRUE(refused(answer)->reason.contains("Packet offload mode is not supported")) << refused(answer)->reason;
  EXPECT_EQ(world.kernel.sa_count(), 0U);
  EXPECT_EQ(world.policies(xfrm::Layer::child), 0U);
}

TEST_F(PacketModeTest, WhatNoDeviceCanCarryIsNotTried) {
  auto inside = child(1, Wanted::packet, "net", "2001:db8:1::/48", "2001:db8:2::/48");
  const auto strict = world.install(std::move(inside), context());
  ASSERT_NE(refused(strict), nullptr);
  EXPECT_TRUE(refused(strict)->reason.contains("own address family"));
  auto icmp = child(2, Wanted::automatic);
  for (auto* side : {&icmp.child.local_ts, &icmp.child.remote_ts}) side->front().protocol = 1;
  const auto automatic = world.install(std::move(icmp), context());
  EXPECT_EQ(actual(automatic), Actual::crypto);
  EXPECT_TRUE(installed(automatic)->in.reason.contains("packet mode was not tried"));
}

TEST_F(PacketModeTest, APolicyThatTheDeviceRefusesEndsThisAttemptAndIsRemembered) {
  nic().policy_answer = [](const xfrm::PolicySpec& policy) -> DeviceAnswer {
    if (policy.id.direction == PolicyDirection::in) return {};
    return {DeviceAnswer::Kind::refused, EINVAL, "Device failed to offload this policy"};
  };
  ASSERT_NE(refused(world.install(child(1, Wanted::automatic), context())), nullptr);
  EXPECT_EQ(world.kernel.sa_count(), 0U);
  const auto again = world.install(child(2, Wanted::automatic), context());
  EXPECT_EQ(actual(again), Actual::crypto);
  EXPECT_TRUE(installed(again)->in.reason.contains("Device failed to offload this policy"));
}

TEST_F(PacketModeTest, LimitsAreMadeAsDriversWantThem) {
  std::vector<xfrm::Limits> limits;
  nic().answer = [&](const xfrm::SaSpec& spec) -> DeviceAnswer {
    limits.push_back(spec.limits);
    return {};
  };
  auto what = child(1, Wanted::packet);
  what.child.limits.hard_bytes = 1000;
  world.install(std::move(what), context());
  ASSERT_FALSE(limits.empty());
  for (const auto& one : limits) {
    EXPECT_LT(one.soft_bytes, one.hard_bytes);
    EXPECT_GT(one.soft_bytes, 0U);
  }
  EXPECT_EQ(limits.back().soft_packets, kSequenceRekey) << "the stack sees no sequence numbers";
}

TEST_F(PacketModeTest, ToSoftwareAndBackByRekeys) {
  world.install(child(1, Wanted::automatic), context());
  auto software = context();
  software.placement.hardware = false;
  ASSERT_NE(installed(world.add_inbound(generation(2, 1, Wanted::automatic), software)), nullptr);
  EXPECT_EQ(leaves_on(), kOut1) << "until the switch";
  ASSERT_NE(installed(world.switch_outbound({2})), nullptr);
  EXPECT_EQ(leaves_on(), kOut2);
  EXPECT_EQ(met()->device, 0U);
  EXPECT_EQ(met(PolicyDirection::in)->device, 0U);
  world.retire({1}, Part::outbound);
  world.retire({1}, Part::all);
  EXPECT_EQ(world.policies(xfrm::Layer::guard), 0U);

  auto third = generation(3, 2, Wanted::automatic);
  ASSERT_NE(installed(world.add_inbound(std::move(third), context())), nullptr);
  EXPECT_EQ(leaves_on(), kOut2);
  ASSERT_NE(installed(world.switch_outbound({3})), nullptr);
  EXPECT_EQ(met()->device, kNic);
  EXPECT_EQ(leaves_on()->spi.value, 0x2003U);
  EXPECT_EQ(world.policies(xfrm::Layer::guard), 2U);
  world.retire({2}, Part::outbound);
  EXPECT_EQ(leaves_on()->spi.value, 0x2003U);
}

// Nobody else counts them, and with the SA they are gone.
TEST_F(PacketModeTest, WhatTheDriverCountedOutlivesTheSa) {
  std::vector<ReleaseSlot> released;
  world.told = [&](const Output& output) {
    if (const auto* one = std::get_if<ReleaseSlot>(&output)) released.push_back(*one);
  };
  world.install(child(1, Wanted::automatic), context());
  const auto slots = world.ledger_sas;
  for (const auto& [slot, sa] : slots) {
    world.kernel.carry({sa.dst, sa.spi}, sa.direction == base::Direction::in ? 5 : 6, 500);
  }
  world.retire({1}, Part::outbound);
  ASSERT_EQ(released.size(), 1U);
  EXPECT_EQ(released[0].driver_packets, 6U);
  EXPECT_EQ(released[0].driver_bytes, 500U);
  world.retire({1}, Part::all);
  ASSERT_EQ(released.size(), 2U);
  EXPECT_EQ(released[1].driver_packets, 5U);
  EXPECT_EQ(world.kernel.sa_count(), 0U);

  nic().packet = false;
  world.install(child(2, Wanted::automatic), context());
  world.remove({2});
  ASSERT_EQ(released.size(), 4U);
  EXPECT_EQ(released[3].driver_packets, 0U) << "in crypto mode the packets are counted where they pass";
}

TEST_F(PacketModeTest, LeavingItTheSaAndThePolicyGoInOneStep) {
  world.install(child(1, Wanted::automatic), context());
  auto software = context();
  software.placement.hardware = false;
  world.install(generation(2, 1, Wanted::automatic), software);
  const auto added = line("add out SA " + kOut2.spi.text());
  const auto& journal = world.kernel.journal();
  const auto put = std::ranges::find_if(journal.begin() + added, journal.end(),
                                        [](const auto& one) { return one.contains("put out policy 10.1"); });
  ASSERT_NE(put, journal.end());
  EXPECT_LE(put - journal.begin() - added, 5) << "with the SA, not after it was read back";
  EXPECT_EQ(leaves_on(), kOut2);
}

}  // namespace
}  // namespace espgate::sad
