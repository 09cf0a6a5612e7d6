// SPDX-License-Identifier: Apache-2.0
// What the daemon says of its devices over vici is what `offload show` reads.
#include <gmock/gmock.h>

#include <cerrno>

#include "control/report/device_known.h"
#include "control/vici/commands.h"

namespace espgate::control {
namespace {

DeviceReport sample() {
  DeviceReport out;
  out.facts = {"nic0", 3, true, {"model", "7", "1.2", "6.12"}, true};
  out.record = {"nic0", out.facts.identity, {}, 33, {}};
  for (const auto& row : sad::probe_plan()) {
    const bool gcm = row.suite.cipher == base::EspCipher::aes_gcm_16;
    const sad::ProbeAnswer answer = gcm ? sad::ProbeAnswer{sad::ProbeResult::taken, 0, {}, {}}
                                        : sad::ProbeAnswer{sad::ProbeResult::refused, EINVAL, "Only GCM", {}};
    out.record.entries.push_back(
        {row, answer, gcm ? sad::Learned::install : sad::Learned::probe, row.suite.esn, 1'790'000'000});
  }
  out.record.distrusted = {{{}, xfrm::OffloadKind::crypto, base::Direction::in, "5 of 9 packets failed", 1'790'000'002},
                           {{}, xfrm::OffloadKind::packet, {}, "none came in", 1'790'000'001}};
  out.held = {1, 2};
  out.state = sad::ProbeState::done;
  out.state_text = "all rows of the plan are known";
  out.carries = {"bond0", "vlan9"};
  out.disagreement = "under bond0: they differ";
  out.floor = 128;
  const sad::DeviceRecord* one[] = {&out.record};
  out.offers = sad::order_suites(one, {}, out.floor);
  return out;
}

TEST(DeviceVici, ThereAndBack) {
  const auto report = sample();
  vici::Message whole;
  whole.open("devices").section("nic0", vici::device_message(report));
  const auto known = report::devices_known(whole);
  ASSERT_EQ(known.size(), 1U);
  const auto& one = known.front();
  auto expected = report.record;
  for (auto& entry : expected.entries) {  // who learned it first is not told of what came from the cache
    if (entry.cached) entry.learned = sad::Learned::probe;
  }
  EXPECT_EQ(one.record, expected);
  EXPECT_EQ(one.esp_hw_offload, true);
  EXPECT_TRUE(one.up);
  EXPECT_EQ(one.state, "done");
  EXPECT_EQ(one.state_text, report.state_text);
  EXPECT_EQ(one.carries, report.carries);
  EXPECT_EQ(one.disagreement, report.disagreement);
  EXPECT_EQ(one.floor, 128U);
  ASSERT_EQ(one.offers.size(), report.offers.size());
  EXPECT_EQ(one.offers[0].suite, report.offers[0].suite.name());
  EXPECT_THAT(one.offers[0].suite, testing::StartsWith("aes256gcm16"));
  EXPECT_EQ(one.offers[0].carrier, "hardware");
  const auto plain = std::ranges::find(one.offers, "chacha20poly1305", &report::OfferRow::suite);
  ASSERT_NE(plain, one.offers.end());
  EXPECT_EQ(plain->why, "nic0 refuses it (in): \"Only GCM\" (EINVAL)");
}

TEST(DeviceVici, MissingKeysLeaveThingsEmpty) {
  vici::Message whole;
  whole.open("devices").open("nic0").set("dev", "nic0");
  const auto known = report::devices_known(whole);
  ASSERT_EQ(known.size(), 1U);
  EXPECT_TRUE(known[0].record.entries.empty());
  EXPECT_FALSE(known[0].esp_hw_offload);
  EXPECT_TRUE(report::devices_known({}).empty());
}

}  // namespace
}  // namespace espgate::control
