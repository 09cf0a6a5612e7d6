// SPDX-License-Identifier: Apache-2.0
// `esp_proposals = default`: the order that devices speak for.
#include "sad/suite_order.h"

#include <gmock/gmock.h>

#include <cerrno>

#include "tests/unit/sad/world.h"

namespace espgate::sad {
namespace {

using base::Direction;
using testing::_;
using testing::ElementsAre;
using testing::HasSubstr;
using xfrm::DeviceAnswer;
using xfrm::OffloadKind;

constexpr ProbeAnswer taken() { return {ProbeResult::taken, 0, {}, {}}; }
ProbeAnswer no(std::string words) { return {ProbeResult::refused, EINVAL, std::move(words), {}}; }

// A device that took these suites in the usual shape, without ESN alone, and refused the others.
DeviceRecord device(std::string name, const std::vector<std::string>& takes, OffloadKind mode = OffloadKind::crypto) {
  DeviceRecord out{std::move(name), {}, {}, {}, {}};
  for (const auto& row : probe_plan()) {
    if (row.encap || row.sa_mode != base::SaMode::tunnel || row.family != base::Family::ipv4) continue;
    const bool yes = row.mode == mode && std::ranges::find(takes, row.suite.name()) != takes.end();
    out.entries.push_back({row, yes ? taken() : no("Not this one"), Learned::probe, false, 1});
  }
  return out;
}

// The same that takes them with ESN, too.
DeviceRecord with_esn(DeviceRecord device) {
  for (auto& entry : device.entries) {
    auto same = entry.row;
    same.suite.esn = false;
    if (const auto* plain = device.find(same)) entry.answer = plain->answer;
  }
  return device;
}

std::vector<std::string> names(const std::vector<SuiteOffer>& offers) {
  std::vector<std::string> out;
  for (const auto& offer : offers) out.push_back(offer.suite.name());
  return out;
}
std::vector<std::string> texts(const std::vector<ike::Proposal>& proposals) {
  std::vector<std::string> out;
  for (const auto& proposal : proposals) out.push_back(proposal.text());
  return out;
}
std::vector<SuiteOffer> order(std::vector<DeviceRecord> devices, OfferShape shape = {}, std::uint32_t floor = 128) {
  std::vector<const DeviceRecord*> pointers;
  for (const auto& each : devices) pointers.push_back(&each);
  return order_suites(pointers, shape, floor);
}

TEST(SuiteOrder, WithoutADeviceItIsTheUsualOne) {
  const auto offers = order({});
  EXPECT_THAT(names(offers), ElementsAre("aes128gcm16-esn", "aes128gcm16", "aes256gcm16-esn", "aes256gcm16",
                                         "chacha20poly1305-esn", "chacha20poly1305", "aes128-sha256-esn",
                                         "aes128-sha256", "aes256-sha256-esn", "aes256-sha256"));
  EXPECT_EQ(proposals_of(offers), *ike::parse_proposals(ike::Protocol::esp, "default"));
}

TEST(SuiteOrder, WhatTheDeviceGetsWrongIsNotOfferedFirst) {
  auto nic = device("nic0", {"aes128gcm16", "aes256gcm16"});
  base::EspSuite strong;
  strong.key_bits = 256;
  nic.distrusted = {{strong, OffloadKind::crypto, Direction::in, "5 of 9 packets failed", 1}};
  const auto offers = order({nic});
  EXPECT_EQ(offers[0].suite.name(), "aes128gcm16");
  EXPECT_THAT(names(offers),
              ElementsAre("aes128gcm16", "aes128gcm16-esn", "aes256gcm16-esn", "aes256gcm16", _, _, _, _, _, _));
  EXPECT_EQ(offers[3].carrier, Carrier::software);
  EXPECT_EQ(offers[3].why,
            "nic0 gets aes256gcm16 wrong in crypto mode (in): 5 of 9 packets failed; in software until `espgate "
            "offload forgive dev nic0 suite aes256gcm16`");
}

TEST(SuiteOrder, WhatTheDeviceTakesComesFirstTheStrongestFirst) {
  const auto offers = order({with_esn(device("nic0", {"aes128gcm16", "aes256gcm16"}))});
  EXPECT_THAT(names(offers), ElementsAre("aes256gcm16-esn", "aes256gcm16", "aes128gcm16-esn", "aes128gcm16",
                                         "chacha20poly1305-esn", "chacha20poly1305", "aes128-sha256-esn",
                                         "aes128-sha256", "aes256-sha256-esn", "aes256-sha256"));
  EXPECT_EQ(offers[0].carrier, Carrier::hardware);
  EXPECT_EQ(offers[0].why, "nic0 takes it in crypto mode");
  EXPECT_EQ(offers[4].carrier, Carrier::software);
  EXPECT_EQ(offers[4].why, "nic0 refuses it (in, tried in a like SA): \"Not this one\" (EINVAL)");
  EXPECT_EQ(offers[5].why, "nic0 refuses it (in): \"Not this one\" (EINVAL)");
  EXPECT_THAT(texts(proposals_of(offers)),
              ElementsAre("aes256gcm16-esn-noesn", "aes128gcm16-esn-noesn", "chacha20poly1305-esn-noesn",
                          "aes128-sha256-esn-noesn", "aes256-sha256-esn-noesn"));
}

TEST(SuiteOrder, EsnIsLeftOutForOffload) {
  const auto offers = order({device("nic0", {"aes128gcm16", "aes256gcm16"})});
  EXPECT_EQ(offers[2].why, "nic0 refuses it (in): \"Not this one\" (EINVAL)");
  EXPECT_THAT(texts(proposals_of(offers)),
              ElementsAre("aes256gcm16", "aes128gcm16", "aes128gcm16-esn", "aes256gcm16-esn",
                          "chacha20poly1305-esn-noesn", "aes128-sha256-esn-noesn", "aes256-sha256-esn-noesn"))
      << "a peer that insists on ESN gets it, in software";
}

TEST(SuiteOrder, EsnIsNotLeftOutWhereThatIsForbidden) {
  OfferShape shape;
  shape.without_esn = WithoutEsn::forbidden;
  const auto offers = order({device("nic0", {"aes128gcm16"})}, shape);
  EXPECT_EQ(names(offers)[1], "aes128gcm16");
  EXPECT_EQ(offers[1].carrier, Carrier::hardware);
  EXPECT_EQ(offers[1].why, "nic0 takes it in crypto mode, but not before ESN: gateway.offload_without_esn = no");
  EXPECT_EQ(proposals_of(offers), *ike::parse_proposals(ike::Protocol::esp, "default"));
  EXPECT_THAT(texts(proposals_of(order({with_esn(device("nic0", {"aes256gcm16"}))}, shape))),
              ElementsAre("aes256gcm16-esn", "aes128gcm16-esn-noesn", "aes256gcm16", "chacha20poly1305-esn-noesn",
                          "aes128-sha256-esn-noesn", "aes256-sha256-esn-noesn"));
}

TEST(SuiteOrder, EsnIsNotLeftOutOfWhatIsTooFast) {
  OfferShape shape;
  shape.without_esn = WithoutEsn::too_fast;
  const auto offers = order({device("nic0", {"aes128gcm16"})}, shape);
  EXPECT_EQ(offers[1].why,
            "nic0 takes it in crypto mode, but not before ESN: the child has been so fast that 2^32 packets do not "
            "last 10 minutes");
  EXPECT_EQ(proposals_of(offers), *ike::parse_proposals(ike::Protocol::esp, "default"));
}

TEST(SuiteOrder, StrictOffloadOffersNothingThatWouldRunInSoftware) {
  OfferShape shape;
  shape.wanted = base::OffloadWanted::crypto;
  EXPECT_THAT(texts(proposals_of(order({device("nic0", {"aes128gcm16", "aes256gcm16"})}, shape))),
              ElementsAre("aes256gcm16", "aes128gcm16"));
  EXPECT_THAT(texts(proposals_of(order({device("nic0", {})}, shape))), Not(testing::IsEmpty()));
}

TEST(SuiteOrder, AWeakSuiteInHardwareComesBeforeAStrongOneInSoftwareButNotBelowTheFloor) {
  const auto cbc = device("nic0", {"aes128-sha256"});
  EXPECT_EQ(names(order({cbc})).front(), "aes128-sha256");
  const auto strong = order({cbc}, {}, 256);
  EXPECT_THAT(names(strong), ElementsAre("aes256gcm16-esn", "aes256gcm16", "chacha20poly1305-esn", "chacha20poly1305",
                                         "aes256-sha256-esn", "aes256-sha256"));
  EXPECT_THAT(texts(proposals_of(strong)),
              ElementsAre("aes256gcm16-chacha20poly1305-esn-noesn", "aes256-sha256-esn-noesn"));
}

TEST(SuiteOrder, OneDirectionIsNotEnough) {
  auto half = device("nic0", {"aes256gcm16"});
  for (auto& entry : half.entries) {
    if (entry.row.suite.name() == "aes256gcm16" && entry.row.direction == Direction::out) entry.answer = no("No room");
  }
  const auto offers = order({half});
  EXPECT_EQ(names(offers).front(), "aes128gcm16-esn");
  EXPECT_EQ(offers[3].suite.name(), "aes256gcm16");
  EXPECT_EQ(offers[3].why, "nic0 refuses it (out): \"No room\" (EINVAL)");
}

TEST(SuiteOrder, DevicesUnderABondAllHaveToTakeIt) {
  const auto offers = order({device("nic0", {"aes128gcm16", "aes256gcm16"}), device("nic1", {"aes128gcm16"})});
  EXPECT_EQ(names(offers).front(), "aes128gcm16");
  EXPECT_EQ(offers[0].why, "nic0 takes it in crypto mode; nic1 takes it in crypto mode");
  EXPECT_EQ(offers[3].suite.name(), "aes256gcm16");
  EXPECT_THAT(offers[3].why, HasSubstr("nic1 refuses it"));
}

TEST(SuiteOrder, GoesByTheModeThatIsWanted) {
  const auto crypto = device("nic0", {"aes256gcm16"});
  const auto packet = device("nic0", {"aes256gcm16"}, OffloadKind::packet);
  OfferShape shape;
  shape.wanted = base::OffloadWanted::packet;
  EXPECT_EQ(names(order({crypto}, shape)).front(), "aes128gcm16-esn");
  EXPECT_EQ(names(order({packet}, shape)).front(), "aes256gcm16");
  shape.wanted = base::OffloadWanted::no;
  EXPECT_EQ(names(order({crypto}, shape)).front(), "aes128gcm16-esn");
  EXPECT_EQ(order({crypto}, shape).front().why, "hw_offload = no");
}

TEST(SuiteOrder, AShapeIsJudgedByTheUsualSuiteInIt) {
  auto nic = with_esn(device("nic0", {"aes128gcm16", "aes256gcm16"}));
  OfferShape shape;
  shape.encap = true;
  EXPECT_EQ(order({nic}, shape).front().carrier, Carrier::unknown) << "nobody tried anything in UDP";
  for (const auto direction : {Direction::in, Direction::out}) {
    auto row = usual_row(OffloadKind::crypto, direction);
    row.encap = true;
    nic.entries.push_back({row, no("Encapsulated"), Learned::probe, false, 1});
  }
  const auto offers = order({nic}, shape);
  for (const auto& offer : offers) EXPECT_NE(offer.carrier, Carrier::hardware) << offer.suite.name();
  EXPECT_EQ(offers[1].why, "nic0 refuses it (in): \"Encapsulated\" (EINVAL)");
  for (const auto like : {0, 2, 3}) {
    EXPECT_EQ(offers[like].why, "nic0 refuses it (in, tried in a like SA): \"Encapsulated\" (EINVAL)");
  }
}

// A child's own SAs teach the table.
TEST(DeviceVerdicts, ComeFromInstallations) {
  std::vector<DeviceVerdict> verdicts;
  xfrm::ModelKernel kernel;
  kernel.devices[kNic].answer = [](const xfrm::SaSpec& spec) -> DeviceAnswer {
    if (spec.direction == Direction::out) return {DeviceAnswer::Kind::refused, EINVAL, "Not out"};
    return {};
  };
  Sad sad;
  pump(sad, kernel, {}, sad.on_install({}, child(1, base::OffloadWanted::automatic), {"nic0", kNic, 0}),
       [&](Output&& output) {
         if (auto* verdict = std::get_if<DeviceVerdict>(&output)) verdicts.push_back(std::move(*verdict));
       });
  ASSERT_EQ(verdicts.size(), 2U) << "software is no verdict on the device";
  EXPECT_EQ(verdicts[0].device, "nic0");
  EXPECT_EQ(verdicts[0].row, usual_row(OffloadKind::crypto, Direction::in));
  EXPECT_EQ(verdicts[0].answer, taken());
  EXPECT_EQ(verdicts[1].row, usual_row(OffloadKind::crypto, Direction::out));
  EXPECT_EQ(verdicts[1].answer, no("Not out"));
  EXPECT_TRUE(sad.held().empty());
}

TEST(Held, CountsWhatIsInHardware) {
  World world;
  world.kernel.devices[kNic] = {};
  world.install(child(1, base::OffloadWanted::automatic));
  const auto held = world.sad.held();
  ASSERT_TRUE(held.contains("nic0"));
  EXPECT_EQ(held.at("nic0").in, 1U);
  EXPECT_EQ(held.at("nic0").out, 1U);
  world.remove({1});
  EXPECT_TRUE(world.sad.held().empty());
}

}  // namespace
}  // namespace espgate::sad
