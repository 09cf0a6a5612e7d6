// SPDX-License-Identifier: Apache-2.0
// The daemon's probe and its table: what is tried, when, what is remembered, and when it keeps out of the way.
#include "sad/device_probe.h"

#include <gmock/gmock.h>

#include <cerrno>
#include <random>

#include "xfrm/model_kernel.h"

namespace espgate::sad {
namespace {

using namespace std::chrono_literals;
using base::Direction;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using xfrm::DeviceAnswer;
using xfrm::OffloadKind;

constexpr std::uint32_t kNic0 = 3, kNic1 = 4;
constexpr std::int64_t kWall = 1'790'000'000;

DeviceFacts facts(std::string name, std::uint32_t ifindex, std::string firmware = "1.0") {
  return {std::move(name), ifindex, true, {"model", "7", std::move(firmware), "6.12.0"}, true};
}

DeviceAnswer gcm_in_crypto_mode(const xfrm::SaSpec& spec) {
  if (spec.offload->kind == OffloadKind::packet) return {DeviceAnswer::Kind::refused, EINVAL, "No packet mode"};
  if (spec.suite.cipher != base::EspCipher::aes_gcm_16) return {DeviceAnswer::Kind::refused, EINVAL, "Only GCM"};
  return {};
}

// A daemon in little: the timer, the kernel, and a clock that runs to what is due.
struct Bench {
  DeviceTable table;
  DeviceProbe probe{table};
  xfrm::ModelKernel kernel;
  HeldByDevice held;
  base::Instant now{};
  std::vector<base::Instant> tried;
  std::vector<std::string> said;
  std::mt19937 dice{1};

  void there(std::vector<DeviceFacts> devices) {
    table.follow(std::move(devices));
    probe.follow(now);
  }
  ProbeAnswer ask(const DeviceProbe::Step& step) {
    ProbeMeans means;
    means.random = [this](std::span<std::uint8_t> to) {
      for (auto& octet : to) octet = static_cast<std::uint8_t>(dice());
    };
    return sad::probe(kernel, step.ifindex, {&step.row, 1}, means).answers.front();
  }
  // One look at the clock; false: nothing was tried.
  bool tick() {
    const auto step = probe.next(now, held);
    if (step) {
      tried.push_back(now);
      probe.answered(now, *step, ask(*step), held[step->device], kWall);
    }
    for (auto& notice : probe.take_notices()) said.push_back(std::move(notice.text));
    EXPECT_EQ(kernel.sa_count(), 0U);
    return step.has_value();
  }
  void run(base::Duration time) {
    const auto end = now + time;
    while (probe.due() && *probe.due() <= end) {
      now = std::max(now, *probe.due());
      tick();
    }
    now = end;
  }
};

TEST(DeviceProbe, TriesTheWholePlanAtItsPaceAndSaysWhatItFound) {
  Bench bench;
  bench.kernel.devices[kNic0].answer = gcm_in_crypto_mode;
  bench.probe.begin(bench.now);
  bench.there({facts("nic0", kNic0)});
  bench.run(4999ms);
  EXPECT_THAT(bench.tried, IsEmpty()) << "not at once after the start";
  EXPECT_EQ(bench.probe.state("nic0"), ProbeState::waiting);
  bench.run(60s);
  EXPECT_EQ(bench.tried.size(), probe_plan().size());
  for (std::size_t i = 1; i < bench.tried.size(); ++i) EXPECT_GE(bench.tried[i] - bench.tried[i - 1], 100ms);
  EXPECT_EQ(bench.probe.state("nic0"), ProbeState::done);
  EXPECT_FALSE(bench.probe.due()) << "nothing is left to wake for";
  ASSERT_EQ(bench.said.size(), 2U);
  EXPECT_THAT(bench.said[1], HasSubstr("nic0: tried 112 SAs: it takes aes128gcm16, aes256gcm16 in crypto mode and "
                                       "nothing in packet mode"));
  const auto* known = bench.table.find("nic0");
  ASSERT_NE(known, nullptr);
  EXPECT_EQ(known->entries.size(), probe_plan().size());
  EXPECT_EQ(known->entries.front().at, kWall);
  EXPECT_TRUE(bench.table.take_changed());
  EXPECT_FALSE(bench.table.take_changed());
}

TEST(DeviceProbe, IsInBetweenFromTheFirstSaToTheLast) {
  Bench bench;
  bench.kernel.devices[kNic0] = {};
  bench.probe.begin(bench.now);
  bench.there({facts("nic0", kNic0)});
  EXPECT_FALSE(bench.probe.in_between());
  bench.run(6s);
  EXPECT_TRUE(bench.probe.in_between());
  bench.run(30s);
  EXPECT_FALSE(bench.probe.in_between());
}

TEST(DeviceProbe, ADeviceWithoutTheFeatureIsLeftAlone) {
  Bench bench;
  auto plain = facts("veth0", kNic0);
  plain.esp_hw_offload.reset();
  bench.probe.begin(bench.now);
  bench.there({plain});
  bench.run(1min);
  EXPECT_THAT(bench.tried, IsEmpty());
  EXPECT_EQ(bench.probe.state("veth0"), ProbeState::unsuited);
  EXPECT_THAT(bench.probe.text("veth0"), HasSubstr("does not have the feature"));
}

TEST(DeviceProbe, TriesNothingThatIsNotAllowed) {
  Bench bench;
  bench.kernel.devices[kNic0] = {};
  bench.probe.allow(false);
  bench.probe.begin(bench.now);
  bench.there({facts("nic0", kNic0)});
  bench.run(1min);
  EXPECT_THAT(bench.tried, IsEmpty());
  EXPECT_THAT(bench.probe.text("nic0"), HasSubstr("probe = no"));
  bench.probe.allow(true);  // a reload
  bench.probe.follow(bench.now);
  bench.run(1min);
  EXPECT_EQ(bench.tried.size(), probe_plan().size());
}

TEST(DeviceProbe, ASilentDeviceIsPrunedAfterTwo) {
  Bench bench;
  bench.kernel.devices[kNic0].answer = [](const xfrm::SaSpec& spec) -> DeviceAnswer {
    if (spec.offload->kind == OffloadKind::packet) return {DeviceAnswer::Kind::refused, EINVAL, {}};
    return {DeviceAnswer::Kind::silent, 0, {}};
  };
  bench.probe.begin(bench.now);
  bench.there({facts("nic0", kNic0)});
  bench.run(1min);
  EXPECT_EQ(bench.tried.size(), 2U);
  EXPECT_EQ(bench.probe.state("nic0"), ProbeState::pruned);
  EXPECT_THAT(bench.said.back(), HasSubstr("nic0: no ESP offload"));
}

TEST(DeviceProbe, GivesWayToChildrenThatComeUp) {
  Bench bench;
  bench.kernel.devices[kNic0] = {};
  bench.probe.begin(bench.now);
  bench.there({facts("nic0", kNic0)});
  bench.run(5s);
  const auto before = bench.tried.size();
  EXPECT_GT(before, 0U);
  for (int i = 0; i < 50; ++i) {  // a busy gateway: something each 900 ms
    bench.probe.disturbed(bench.now);
    bench.run(900ms);
  }
  EXPECT_EQ(bench.tried.size(), before);
  bench.run(1min);
  EXPECT_EQ(bench.tried.size(), probe_plan().size());
}

TEST(DeviceProbe, AFullTableEndsItUntilThereIsRoom) {
  Bench bench;
  bench.kernel.devices[kNic0].answer = [](const xfrm::SaSpec&) -> DeviceAnswer {
    return {DeviceAnswer::Kind::refused, ENOSPC, "No space for SA"};
  };
  bench.held["nic0"] = {33, 33};
  bench.probe.begin(bench.now);
  bench.there({facts("nic0", kNic0)});
  bench.run(5min);
  EXPECT_EQ(bench.probe.state("nic0"), ProbeState::full);
  EXPECT_EQ(bench.tried.size(), 2U) << "one a direction";
  EXPECT_EQ(bench.table.find("nic0")->slots_in, 33U);
  EXPECT_THAT(bench.table.find("nic0")->entries, IsEmpty()) << "a full table says nothing of the suite";
  ASSERT_EQ(bench.said.size(), 2U) << "said once";
  EXPECT_THAT(bench.said[1], HasSubstr("\"No space for SA\" (ENOSPC)"));
  EXPECT_THAT(bench.probe.text("nic0"), HasSubstr("free places"));
  bench.kernel.devices[kNic0] = {};
  bench.held["nic0"] = {31, 31};
  bench.run(1min);
  EXPECT_EQ(bench.tried.size(), 2U) << "headroom stays free";
  bench.held["nic0"] = {30, 30};
  bench.run(2min);
  EXPECT_EQ(bench.probe.state("nic0"), ProbeState::done);
}

TEST(DeviceProbe, AnErrorThatTellsNothingIsNotRemembered) {
  Bench bench;
  bench.kernel.fault = [](const xfrm::Request& request) -> std::optional<base::Error> {
    if (!std::holds_alternative<xfrm::AddSa>(request)) return std::nullopt;
    return base::Error{"add SA", EPERM, {}};
  };
  bench.probe.begin(bench.now);
  bench.there({facts("nic0", kNic0)});
  bench.run(1min);
  EXPECT_EQ(bench.probe.state("nic0"), ProbeState::failed);
  EXPECT_LE(bench.tried.size(), 3U);
  EXPECT_THAT(bench.table.find("nic0")->entries, IsEmpty());
  bench.kernel.fault = nullptr;
  bench.kernel.devices[kNic0] = {};
  bench.run(1min);
  EXPECT_EQ(bench.probe.state("nic0"), ProbeState::done);
}

TEST(DeviceProbe, WhatIsKnownIsNotAskedAgain) {
  Bench bench;
  bench.kernel.devices[kNic0] = bench.kernel.devices[kNic1] = {};
  DeviceRecord cached{"nic0", facts("nic0", kNic0).identity, {}, {}, {}};
  for (const auto& row : probe_plan()) cached.entries.push_back({row, {ProbeResult::taken, 0, {}, {}}, {}, false, 1});
  bench.table.adopt({cached});
  bench.probe.begin(bench.now);
  bench.there({facts("nic0", kNic0), facts("nic1", kNic1)});
  bench.run(1min);
  EXPECT_EQ(bench.tried.size(), probe_plan().size()) << "nic1 alone";
  EXPECT_EQ(bench.probe.state("nic0"), ProbeState::done);
  EXPECT_TRUE(bench.table.find("nic0")->entries.front().cached);
  EXPECT_EQ(bench.table.forgive("nic0", "aes256gcm16"), 32U);
  bench.probe.follow(bench.now);
  const auto before = bench.tried.size();
  bench.run(1min);
  EXPECT_EQ(bench.tried.size(), before + 32);
  EXPECT_FALSE(bench.table.find("nic0")
                   ->find({base::EspSuite{base::EspCipher::aes_gcm_16, 256}, OffloadKind::crypto, Direction::in,
                           base::SaMode::tunnel, base::Family::ipv4, false, 128})
                   ->cached);
}

TEST(DeviceTable, AnotherFirmwareIsAnotherDevice) {
  DeviceTable table;
  table.follow({facts("nic0", kNic0)});
  const auto row = probe_plan().front();
  EXPECT_TRUE(table.learn("nic0", row, {ProbeResult::taken, 0, {}, {}}, Learned::install, kWall));
  EXPECT_THAT(table.follow({facts("nic0", kNic0)}), IsEmpty());
  EXPECT_EQ(table.find("nic0")->entries.size(), 1U);
  EXPECT_THAT(table.follow({facts("nic0", kNic0, "1.1")}),
              ElementsAre(HasSubstr("nic0 is not what it was (firmware 1.0, now 1.1)")));
  EXPECT_THAT(table.find("nic0")->entries, IsEmpty());
}

TEST(DeviceTable, RemembersADeviceThatIsAwayAndBelievesNothingOfIt) {
  DeviceTable table;
  table.follow({facts("nic0", kNic0)});
  const auto row = probe_plan().front();
  table.learn("nic0", row, {ProbeResult::taken, 0, {}, {}}, Learned::probe, kWall);
  table.follow({});
  EXPECT_EQ(table.find("nic0"), nullptr);
  EXPECT_FALSE(table.learn("nic0", row, {}, Learned::probe, kWall));
  EXPECT_EQ(table.records().size(), 1U);
  table.follow({facts("nic0", 99)});
  EXPECT_EQ(table.find("nic0")->entries.size(), 1U) << "another index is the same device";
}

TEST(DeviceTable, ADeviceThatHoldsMoreHasMoreRoom) {
  DeviceTable table;
  table.follow({facts("nic0", kNic0)});
  table.met_limit("nic0", Direction::in, {5, 5});
  table.met_limit("nic0", Direction::out, {5, 5});
  table.holds("nic0", {5, 6});
  EXPECT_EQ(table.find("nic0")->slots_in, 5U);
  EXPECT_FALSE(table.find("nic0")->slots_out);
}

TEST(DeviceTable, DistrustLastsUntilForgivenOrAnotherFirmware) {
  DeviceTable table;
  const Distrust wrong{{}, xfrm::OffloadKind::crypto, Direction::in, "5 of 9 packets failed", kWall};
  EXPECT_FALSE(table.distrust("nic0", wrong));
  table.follow({facts("nic0", kNic0)});
  table.learn("nic0", usual_row(xfrm::OffloadKind::crypto, Direction::in), {ProbeResult::taken, 0, {}, {}},
              Learned::probe, kWall);
  (void)table.take_changed();
  EXPECT_TRUE(table.distrust("nic0", wrong));
  EXPECT_FALSE(table.distrust("nic0", wrong)) << "known";
  EXPECT_TRUE(table.take_changed());
  base::EspSuite esn, strong;
  esn.esn = true;
  strong.key_bits = 256;
  const auto distrusts = [&](const base::EspSuite& suite, xfrm::OffloadKind mode) {
    return table.find("nic0")->distrust(suite, mode) != nullptr;
  };
  EXPECT_TRUE(distrusts(esn, xfrm::OffloadKind::crypto));
  EXPECT_FALSE(distrusts(strong, xfrm::OffloadKind::crypto));
  EXPECT_FALSE(distrusts(esn, xfrm::OffloadKind::packet));
  EXPECT_EQ(table.forgive("nic0", "aes256gcm16"), 0U);
  EXPECT_TRUE(distrusts({}, xfrm::OffloadKind::crypto));
  EXPECT_EQ(table.forgive("nic0", "aes128gcm16"), 2U);
  EXPECT_FALSE(distrusts({}, xfrm::OffloadKind::crypto));
  // Over a restart, and no further than the device is what it was.
  table.distrust("nic0", wrong);
  DeviceTable later;
  later.adopt(table.records());
  later.follow({facts("nic0", kNic0)});
  EXPECT_EQ(later.find("nic0")->distrusted.size(), 1U);
  EXPECT_THAT(later.follow({facts("nic0", kNic0, "1.1")}), ElementsAre(HasSubstr("firmware 1.0, now 1.1")));
  EXPECT_TRUE(later.find("nic0")->distrusted.empty());
}

TEST(DeviceTable, ForgettingAllForgetsItsRoomToo) {
  DeviceTable table;
  table.follow({facts("nic0", kNic0)});
  table.learn("nic0", probe_plan().front(), {ProbeResult::refused, EINVAL, "no", {}}, Learned::probe, kWall);
  table.met_limit("nic0", Direction::out, {5, 7});
  EXPECT_EQ(table.find("nic0")->slots_out, 7U);
  EXPECT_EQ(table.forgive("nic0", {}), 1U);
  EXPECT_FALSE(table.find("nic0")->slots_out);
  EXPECT_EQ(table.forgive("nic9", {}), std::nullopt);
}

}  // namespace
}  // namespace espgate::sad
