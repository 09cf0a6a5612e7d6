// SPDX-License-Identifier: Apache-2.0
// What a child that must be offloaded may be offered with, by what the device says.
#include "sad/strict.h"

#include <gtest/gtest.h>

namespace espgate::sad {
namespace {

std::vector<ike::Proposal> esp(std::string_view text) { return *ike::parse_proposals(ike::Protocol::esp, text); }

struct Device {
  std::vector<ProbeRow> asked;
  std::function<ProbeAnswer(const ProbeRow&)> says;
  std::string distrusted{};  // a suite
  StrictOffer offer(const std::vector<ike::Proposal>& configured, const OfferShape& shape = {}) {
    return strict_offer(
        configured, shape, 64, "nic0",
        [this](const ProbeRow& in, const ProbeRow& out) {
          asked.push_back(in);
          asked.push_back(out);
          return std::vector{says(in), says(out)};
        },
        [this](const base::EspSuite& suite) { return suite.name() == distrusted ? distrusted + " is wrong" : ""; });
  }
};

ProbeAnswer only_gcm(const ProbeRow& row) {
  if (row.suite.aead()) return {ProbeResult::taken, 0, {}, {}};
  return {ProbeResult::refused, EINVAL, "Cannot offload authenticated xfrm states", {}};
}

TEST(Strict, WhatIsTakenInBothDirectionsStays) {
  Device device{{}, only_gcm};
  const auto offer = device.offer(esp("aes128gcm16-aes256gcm16-x25519"), {.mode = base::SaMode::transport});
  EXPECT_EQ(offer.refusal, "");
  ASSERT_EQ(offer.taken.size(), 2U);
  ASSERT_EQ(device.asked.size(), 4U);
  for (const auto& row : device.asked) {
    EXPECT_EQ(row.mode, xfrm::OffloadKind::crypto);
    EXPECT_EQ(row.sa_mode, base::SaMode::transport);
    EXPECT_EQ(row.replay_window, row.direction == base::Direction::in ? 64U : 0U);
  }
}

TEST(Strict, WhatTheDeviceGetsWrongIsNotTried) {
  Device device{{}, only_gcm, "aes128gcm16"};
  const auto offer = device.offer(esp("aes128gcm16-aes256gcm16"));
  ASSERT_EQ(offer.taken.size(), 1U);
  EXPECT_EQ(offer.taken.front().name(), "aes256gcm16");
  EXPECT_EQ(device.asked.size(), 2U);
  EXPECT_EQ(device.offer(esp("aes128gcm16")).refusal,
            "hw_offload = crypto, and nic0 takes nothing of what the child may use: aes128gcm16 is wrong");
}

TEST(Strict, ARefusalNamesEachSuiteWithTheDriversWords) {
  Device device{{}, only_gcm};
  const auto offer = device.offer(esp("aes256-sha256-sha512"));
  EXPECT_TRUE(offer.taken.empty());
  EXPECT_EQ(offer.refusal,
            "hw_offload = crypto, and nic0 takes nothing of what the child may use: aes256-sha256 refused (in): "
            "\"Cannot offload authenticated xfrm states\" (EINVAL); aes256-sha512 refused (in): \"Cannot offload "
            "authenticated xfrm states\" (EINVAL)");
}

TEST(Strict, OneThatIsTakenIsEnough) {
  Device device{{}, only_gcm};
  const auto both = [] {
    auto out = esp("aes256-sha256");
    for (auto& more : esp("aes128gcm16")) out.push_back(std::move(more));
    return out;
  }();
  const auto offer = device.offer(both);
  EXPECT_EQ(offer.refusal, "");
  ASSERT_EQ(offer.taken.size(), 1U);
  EXPECT_EQ(offer.taken[0].name(), "aes128gcm16");
}

TEST(Strict, SilentSoftwareIsARefusalAndSoIsAh) {
  Device silent{{}, [](const ProbeRow&) { return ProbeAnswer{ProbeResult::silent_software, 0, {}, {}}; }};
  EXPECT_NE(silent.offer(esp("aes128gcm16")).refusal.find("runs in software (in)"), std::string::npos);
  const auto ah = silent.offer(*ike::parse_proposals(ike::Protocol::ah, "sha256"));
  EXPECT_NE(ah.refusal.find("AH is not offloadable"), std::string::npos);
  EXPECT_EQ(silent.asked.size(), 2U) << "nobody is asked about AH";
}

std::vector<base::TrafficSelector> selectors(std::initializer_list<const char*> prefixes, std::uint8_t protocol = 0) {
  std::vector<base::TrafficSelector> out;
  for (const auto* text : prefixes) {
    out.push_back(base::TrafficSelector::of(*base::Prefix::parse(text)));
    out.back().protocol = protocol;
  }
  return out;
}

TEST(StrictObstacle, IsKnownBeforeAnythingIsSent) {
  const auto near = selectors({"10.1.0.0/16"}), far = selectors({"10.2.0.0/16"});
  EXPECT_EQ(strict_obstacle({}, near, far, base::Family::ipv4), "");
  EXPECT_EQ(strict_obstacle({}, near, far, base::Family::ipv6),
            "hw_offload = packet, and packet mode carries only the tunnel's own address family");
  EXPECT_NE(strict_obstacle({}, selectors({"10.1.0.0/16"}, 1), far, base::Family::ipv4), "");
  Handling marked;
  marked.mark_out = {1, 1};
  EXPECT_EQ(strict_obstacle(marked, near, far, base::Family::ipv4),
            "hw_offload = packet, and packet mode does not know marks");
}

TEST(StrictObstacle, WhatThePeerMayNarrowToIsLeftToIt) {
  const auto near = selectors({"10.1.0.0/16", "fd01::/64"}), far = selectors({"10.2.0.0/16", "fd02::/64"});
  EXPECT_EQ(strict_obstacle({}, near, far, base::Family::ipv4), "");
}

}  // namespace
}  // namespace espgate::sad
