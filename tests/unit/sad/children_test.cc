// SPDX-License-Identifier: Apache-2.0
// Every way an installation can go: what was wanted x what the device says x of which direction.
#include <gmock/gmock.h>

#include <cerrno>

#include "tests/unit/sad/world.h"

namespace espgate::sad {
namespace {

using base::Direction;
using base::OffloadActual;
using base::OffloadWanted;
using testing::HasSubstr;

constexpr const char* kWords = "Cannot offload authenticated xfrm states";

enum class Says { taken, silent, refused, full };
enum class Where { in, out, both };

struct Cell {
  OffloadWanted wanted;
  Says says;
  Where where;
};

std::string name_of(const testing::TestParamInfo<Cell>& info) {
  static const char* const says[] = {"Taken", "Silent", "Refused", "Full"};
  static const char* const where[] = {"In", "Out", "Both"};
  return std::string(to_string(info.param.wanted)) + says[static_cast<int>(info.param.says)] +
         where[static_cast<int>(info.param.where)];
}

TEST(Distrusted, StrictIsRefusedAndAutoIsInSoftware) {
  for (const auto wanted : {OffloadWanted::crypto, OffloadWanted::automatic}) {
    World world;
    world.kernel.devices[kNic] = {};
    world.plan({plan_for("net")});
    InstallContext context{"nic0", kNic, 1000, {false, Reason::distrusted, "nic0 gets it wrong"}};
    const auto answer = world.install(child(1, wanted), context);
    if (wanted == OffloadWanted::crypto) {
      ASSERT_NE(refused(answer), nullptr);
      EXPECT_EQ(refused(answer)->reason_code, "distrusted");
      EXPECT_EQ(refused(answer)->reason, "nic0 gets it wrong");
      EXPECT_EQ(world.sad.child_count(), 0U);
    } else {
      ASSERT_NE(installed(answer), nullptr);
      EXPECT_EQ(installed(answer)->out.actual, OffloadActual::none);
      EXPECT_EQ(installed(answer)->out.reason_code, "distrusted");
    }
    world.expect_consistent();
  }
}

class Installing : public testing::TestWithParam<Cell> {
 protected:
  void SetUp() override {
    const auto [wanted, says, where] = GetParam();
    auto& device = world.kernel.devices[kNic];
    device.answer = [=](const xfrm::SaSpec& spec) -> xfrm::DeviceAnswer {
      using Kind = xfrm::DeviceAnswer::Kind;
      const bool meant = where == Where::both || (where == Where::in) == (spec.direction == Direction::in);
      if (!meant || says == Says::taken) return {};
      if (says == Says::silent) return {Kind::silent, 0, {}};
      if (says == Says::full) return {Kind::refused, ENOSPC, "No space for SA in table!"};
      return {Kind::refused, EINVAL, kWords};
    };
    world.plan({plan_for("net")});
  }
  static Reason expected_reason(Says says) {
    switch (says) {
      case Says::silent:
        return Reason::silent_software;
      case Says::refused:
        return Reason::offload_refused;
      case Says::full:
        return Reason::device_full;
      case Says::taken:
        break;
    }
    return Reason::none;
  }
  [[nodiscard]] bool hits(Direction direction) const {
    const auto where = GetParam().where;
    return where == Where::both || (where == Where::in) == (direction == Direction::in);
  }
  void expect_half(const ike::OffloadState& state, Direction direction) const {
    const auto [wanted, says, where] = GetParam();
    if (wanted == OffloadWanted::no || says == Says::taken) {
      EXPECT_EQ(state.actual, wanted == OffloadWanted::no ? OffloadActual::none : OffloadActual::crypto);
      EXPECT_EQ(state.reason_code, "");
      EXPECT_EQ(state.device, wanted == OffloadWanted::no ? "" : "nic0");
      return;
    }
    EXPECT_EQ(state.actual, OffloadActual::none);
    EXPECT_EQ(state.reason_code, code(hits(direction) ? expected_reason(says) : Reason::other_direction));
    if (says == Says::refused) {
      EXPECT_THAT(state.reason, HasSubstr(kWords));
    }
  }
  World world;
};

TEST_P(Installing, EndsAsDesigned) {
  const auto [wanted, says, where] = GetParam();
  const auto answer = world.install(child(1, wanted));
  const bool strict_failure = wanted == OffloadWanted::crypto && says != Says::taken;
  if (strict_failure) {
    ASSERT_NE(refused(answer), nullptr);
    EXPECT_EQ(refused(answer)->reason_code, code(expected_reason(says)));
    EXPECT_EQ(world.kernel.sa_count(), 0U);
    EXPECT_EQ(world.sad.child_count(), 0U);
    EXPECT_EQ(world.policies(xfrm::Layer::child), 0U);
    EXPECT_EQ(world.policies(xfrm::Layer::floor), 3U);
    EXPECT_TRUE(world.ledger_sas.empty());
    if (says == Says::refused) {
      EXPECT_THAT(refused(answer)->reason, HasSubstr(kWords));
      EXPECT_THAT(world.log(), HasSubstr(kWords));
    }
    return;
  }
  const auto* up = installed(answer);
  ASSERT_NE(up, nullptr) << refused(answer)->reason;
  expect_half(up->in, Direction::in);
  expect_half(up->out, Direction::out);
  EXPECT_EQ(world.kernel.sa_count(), 2U);
  EXPECT_EQ(world.policies(xfrm::Layer::child), 3U);
  const auto* carried = world.kernel.lookup(xfrm::PolicyDirection::out, address("10.1.0.1"), address("10.2.0.1"));
  ASSERT_NE(carried, nullptr);
  EXPECT_TRUE(carried->esp);
}

TEST_P(Installing, LeavesNothingWhenRemoved) {
  world.install(child(1, GetParam().wanted));
  world.remove({1});
  EXPECT_EQ(world.kernel.sa_count(), 0U);
  EXPECT_EQ(world.policies(xfrm::Layer::child), 0U);
  EXPECT_TRUE(world.ledger_sas.empty());
  EXPECT_EQ(world.released, 2U);
  const auto* floor = world.kernel.lookup(xfrm::PolicyDirection::out, address("10.1.0.1"), address("10.2.0.1"));
  ASSERT_NE(floor, nullptr);
  EXPECT_EQ(floor->action, xfrm::PolicyAction::block);
}

// Whatever request fails, all is undone: one world for each request that an installation makes.
TEST_P(Installing, UndoesEverythingWhicheverRequestFails) {
  World undisturbed;
  undisturbed.kernel.devices = world.kernel.devices;
  undisturbed.plan({plan_for("net")});
  const auto before = undisturbed.kernel.journal().size();
  undisturbed.install(child(1, GetParam().wanted));
  const auto requests = undisturbed.kernel.journal().size() - before;
  for (std::size_t failing = 0; failing < requests; ++failing) {
    World broken;
    broken.kernel.devices = world.kernel.devices;
    broken.plan({plan_for("net")});
    std::size_t count = 0;
    broken.kernel.fault = [&](const xfrm::Request& request) -> std::optional<base::Error> {
      const bool put = std::holds_alternative<xfrm::PutPolicy>(request) || std::holds_alternative<xfrm::AddSa>(request);
      if (count++ != failing || !put) return std::nullopt;
      return base::Error{describe(request), ENOMEM, {}};
    };
    const auto answer = broken.install(child(1, GetParam().wanted));
    broken.kernel.fault = nullptr;
    if (refused(answer) != nullptr) {
      EXPECT_EQ(broken.kernel.sa_count(), 0U) << failing;
      EXPECT_EQ(broken.policies(xfrm::Layer::child), 0U) << failing;
      EXPECT_EQ(broken.sad.child_count(), 0U);
    } else {
      EXPECT_EQ(broken.kernel.sa_count(), 2U) << failing;
      EXPECT_EQ(broken.policies(xfrm::Layer::child), 3U) << failing;
    }
    broken.stop();
    EXPECT_EQ(broken.kernel.sa_count(), 0U);
    EXPECT_TRUE(broken.kernel.dump_policies()->empty());
  }
}

std::vector<Cell> cells() {
  std::vector<Cell> out;
  for (auto wanted : {OffloadWanted::no, OffloadWanted::automatic, OffloadWanted::crypto}) {
    for (auto says : {Says::taken, Says::silent, Says::refused, Says::full}) {
      for (auto where : {Where::in, Where::out, Where::both}) out.push_back({wanted, says, where});
    }
  }
  return out;
}
INSTANTIATE_TEST_SUITE_P(Cells, Installing, testing::ValuesIn(cells()), name_of);

TEST(Children, LogLineAStrangerUnderstands) {
  World world;
  world.kernel.devices[kNic].answer = [](const xfrm::SaSpec& spec) -> xfrm::DeviceAnswer {
    if (spec.suite.aead()) return {};
    return {xfrm::DeviceAnswer::Kind::refused, EINVAL, kWords};
  };
  world.plan({plan_for("net")});
  world.install(child(1, OffloadWanted::automatic));
  auto cbc = child(2, OffloadWanted::automatic);
  cbc.child.suite = {base::EspCipher::aes_cbc, 256, base::EspAuth::hmac_sha2_256_128, false};
  world.install(std::move(cbc));
  EXPECT_THAT(world.log(),
              HasSubstr("site-a/net out: wanted offload auto on nic0, running in software: driver refused crypto mode: "
                        "\"Cannot offload authenticated xfrm states\" (EINVAL) for aes256-sha256; aes128gcm16 is "
                        "offloadable here\n"));
}

TEST(Children, NoRouteMeansNoDevice) {
  World world;
  world.plan({plan_for("net")});
  const auto strict = world.install(child(1, OffloadWanted::crypto), {});
  EXPECT_EQ(refused(strict)->reason_code, "no-device");
  const auto automatic = world.install(child(2, OffloadWanted::automatic), {});
  EXPECT_EQ(installed(automatic)->in.reason_code, "no-device");
}

TEST(Children, PacketModeIsRefusedHonestly) {
  World world;
  EXPECT_EQ(refused(world.install(child(1, OffloadWanted::packet)))->reason_code, "offload-refused");
}

TEST(Children, DeviceFillsUpAndTheRestGoesSoftware) {
  World world;
  world.kernel.devices[kNic].slots = 3;
  EXPECT_EQ(installed(world.install(child(1, OffloadWanted::automatic)))->out.actual, OffloadActual::crypto);
  const auto second = world.install(child(2, OffloadWanted::automatic));
  EXPECT_EQ(installed(second)->out.reason_code, "device-full");
  EXPECT_EQ(installed(second)->in.reason_code, "other-direction");
  EXPECT_EQ(installed(second)->in.actual, OffloadActual::none);
}

TEST(Children, LedgerFullRefuses) {
  World world({.slots = 2, .policies = 100});
  EXPECT_NE(installed(world.install(child(1, OffloadWanted::no))), nullptr);
  EXPECT_EQ(refused(world.install(child(2, OffloadWanted::no)))->reason_code, "ledger-full");
  world.remove({1});
  EXPECT_NE(installed(world.install(child(3, OffloadWanted::no))), nullptr);
}

TEST(Children, GenerationsShareReqidAndPoliciesOfTheLastStay) {
  World world;
  world.plan({plan_for("net")});
  world.install(child(1, OffloadWanted::no));
  world.install(child(2, OffloadWanted::no));
  EXPECT_EQ(world.kernel.sa_count(), 4U);
  EXPECT_EQ(world.policies(xfrm::Layer::child), 3U);
  world.remove({2});
  const auto* out = world.kernel.lookup(xfrm::PolicyDirection::out, address("10.1.0.1"), address("10.2.0.1"));
  ASSERT_TRUE(out->esp);
  EXPECT_EQ(out->esp->reqid, world.kernel.find({address("192.0.2.2"), {0x2001}})->reqid);
  world.remove({1});
  EXPECT_EQ(world.policies(xfrm::Layer::child), 0U);
}

TEST(Children, SameSelectorsToAnotherPeerNewestCarriesThenTheFormerAgain) {
  World world;
  world.install(child(1, OffloadWanted::no));
  auto other = child(2, OffloadWanted::no, "backup");
  other.child.remote.address = address("192.0.2.9");
  world.install(std::move(other));
  const auto carrier = [&] {
    const auto* out = world.kernel.lookup(xfrm::PolicyDirection::out, address("10.1.0.1"), address("10.2.0.1"));
    return out->esp->destination;
  };
  EXPECT_EQ(carrier(), address("192.0.2.9"));
  world.remove({2});
  EXPECT_EQ(carrier(), address("192.0.2.2"));
}

// What the peer still sends by the former has to pass the inbound policy of the newer.
TEST(Children, OfOneNameShareAReqidThoughThePeerMovedInBetween) {
  World world;
  const auto moved = [](std::uint64_t id, const char* name) {
    auto out = child(id, OffloadWanted::no, name);
    out.child.remote.address = address("192.0.2.9");
    return out;
  };
  world.install(child(1, OffloadWanted::no));
  world.install(moved(2, "net"));
  const auto reqid = [&](const char* to, std::uint32_t spi) { return world.kernel.find({address(to), {spi}})->reqid; };
  EXPECT_EQ(reqid("192.0.2.9", 0x2002), reqid("192.0.2.2", 0x2001));
  EXPECT_EQ(world.kernel.lookup(xfrm::PolicyDirection::in, address("10.2.0.1"), address("10.1.0.1"))->esp->reqid,
            reqid("192.0.2.2", 0x2001));
  world.remove({1});
  world.remove({2});
  world.install(child(3, OffloadWanted::no));
  world.install(moved(4, "backup"));
  EXPECT_NE(reqid("192.0.2.9", 0x2004), reqid("192.0.2.2", 0x2003)) << "neither the name nor the ends are the same";
}

// The removal overtakes the results of the first step.
TEST(Children, RemovedWhileInstallingIsAnsweredOnceAndLeavesNothing) {
  for (auto wanted : {OffloadWanted::no, OffloadWanted::automatic, OffloadWanted::crypto}) {
    Sad sad;
    xfrm::ModelKernel kernel;
    kernel.devices[kNic] = {};
    std::vector<ike::ChildAnswer> answers;
    std::map<std::uint32_t, int> slots;
    const auto sink = [&](Output&& output) {
      if (auto* answer = std::get_if<ike::ChildAnswer>(&output)) answers.push_back(*answer);
      if (auto* assign = std::get_if<AssignSlot>(&output)) ++slots[assign->slot];
      if (auto* release = std::get_if<ReleaseSlot>(&output)) --slots[release->slot];
    };
    Outputs first = sad.on_install({}, child(1, wanted), {"nic0", kNic, 0});
    EXPECT_TRUE(sad.on_remove({}, {{1}, ike::Reason::install_timeout}).empty());
    EXPECT_TRUE(answers.empty());
    pump(sad, kernel, {}, std::move(first), sink);
    ASSERT_EQ(answers.size(), 1U);
    EXPECT_EQ(refused(answers.front())->reason_code, "cancelled");
    EXPECT_EQ(kernel.sa_count(), 0U);
    EXPECT_TRUE(kernel.dump_policies()->empty());
    EXPECT_EQ(slots, (std::map<std::uint32_t, int>{{0, 0}, {1, 0}}));
    EXPECT_EQ(sad.child_count(), 0U);
  }
}

TEST(Children, TransportHasNoForwardPolicyAndASelector) {
  World world;
  auto transport = child(1, OffloadWanted::no, "host", "192.0.2.1/32", "192.0.2.2/32");
  transport.child.mode = base::SaMode::transport;
  EXPECT_NE(installed(world.install(std::move(transport))), nullptr);
  EXPECT_EQ(world.policies(xfrm::Layer::child), 2U);
}

// Somebody else's SA has our destination and SPI, inbound or outbound: it must survive all that we try.
TEST(Children, SpiTakenByAnotherIsRefusedAndTheOtherStays) {
  for (auto wanted : {OffloadWanted::no, OffloadWanted::automatic, OffloadWanted::crypto}) {
    for (const auto& [destination, spi] : {std::pair{"192.0.2.1", 0x1001U}, std::pair{"192.0.2.2", 0x2001U}}) {
      Sad sad;
      xfrm::ModelKernel kernel;
      kernel.devices[kNic] = {};
      xfrm::SaSpec foreign;
      foreign.source = address("192.0.2.77");
      foreign.destination = address(destination);
      foreign.spi = {spi};
      foreign.cipher_key = base::Secret(20);
      std::vector<xfrm::Request> requests;
      requests.emplace_back(xfrm::AddSa{std::move(foreign)});
      ASSERT_TRUE(kernel.execute(requests)[0]);
      std::vector<ike::ChildAnswer> answers;
      pump(sad, kernel, {}, sad.on_install({}, child(1, wanted), {"nic0", kNic, 0}), [&](Output&& output) {
        if (auto* answer = std::get_if<ike::ChildAnswer>(&output)) answers.push_back(*answer);
      });
      ASSERT_EQ(answers.size(), 1U);
      ASSERT_NE(refused(answers[0]), nullptr);
      EXPECT_EQ(refused(answers[0])->reason_code, "spi-in-use");
      ASSERT_EQ(kernel.sa_count(), 1U);
      EXPECT_EQ(kernel.find({address(destination), {spi}})->source, address("192.0.2.77"));
    }
  }
}

}  // namespace
}  // namespace espgate::sad
