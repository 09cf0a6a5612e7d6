// SPDX-License-Identifier: Apache-2.0
// Who gets a device's slots: over a model kernel whose device has few, through Sad itself.
#include "sad/slots.h"

#include <gtest/gtest.h>

#include "world.h"

namespace espgate::sad {
namespace {

using base::ChildId;
using base::OffloadWanted;

// Children that come, carry, are rekeyed by the moves that Slots orders, and go.
struct Gateway {
  World world;
  Slots slots;
  base::Instant now{std::chrono::seconds(1)};
  std::map<std::uint64_t, std::uint64_t> octets;
  std::vector<std::string> said;
  std::uint64_t next = 1000;

  explicit Gateway(const steer::Config& config) : slots(config) {
    world.kernel.devices[kNic] = {};
    world.told = [this](const Output& output) {
      if (const auto* carried = std::get_if<Carried>(&output)) slots.carried(*carried);
      if (const auto* gone = std::get_if<Gone>(&output)) slots.gone(*gone);
    };
  }
  ike::ChildAnswer install(ike::InstallChild what, const std::string& device = "nic0") {
    InstallContext context{device, device.empty() ? 0 : kNic, 1000, {}};
    context.placement = slots.place(what.child, device);
    return world.install(std::move(what), context);
  }
  std::uint64_t up(std::uint64_t n, OffloadWanted wanted = OffloadWanted::automatic) {
    const auto net = "10." + std::to_string(n) + ".0.0/16";
    install(child(n, wanted, "net" + std::to_string(n), net));
    return n;
  }
  // The rekey of `old`: a new generation, and the old one goes.
  std::uint64_t rekey(std::uint64_t old, std::uint64_t n, OffloadWanted wanted = OffloadWanted::automatic) {
    const auto id = next++;
    auto what = generation(id, old, wanted, "10." + std::to_string(n) + ".0.0/16");
    what.child.child = "net" + std::to_string(n);
    install(std::move(what));
    world.retire({old}, ike::RetireSa::Part::outbound);
    world.retire({old}, ike::RetireSa::Part::all);
    return id;
  }
  void carry(std::uint64_t id, std::uint64_t more) { slots.count({id}, octets[id] += more); }
  std::vector<SlotMove> round() {
    now += std::chrono::seconds(10);
    auto moves = slots.round(now);
    for (const auto& move : moves) said.push_back(move.text);
    return moves;
  }
  // Whether its outbound SA is in hardware, by the kernel itself.
  bool hardware(std::uint64_t id) {
    for (const auto& [slot, record] : world.ledger_sas) {
      if (record.child == ChildId{id} && record.direction == base::Direction::out) {
        return record.actual == base::OffloadActual::crypto;
      }
    }
    ADD_FAILURE() << "no such child: " << id;
    return false;
  }
  std::string reason(std::uint64_t id) {
    for (const auto& [slot, record] : world.ledger_sas) {
      if (record.child == ChildId{id} && record.direction == base::Direction::out) return record.reason_code;
    }
    return "gone";
  }
};

steer::Config with_slots(std::uint32_t slots) {
  steer::Config out;
  out.slots = slots;
  out.rounds = 1;
  out.cooldown = 1;
  return out;
}

TEST(Slots, NewcomersTakeTheFreeSlotsAndLeaveTheHeadroom) {
  Gateway gateway(with_slots(4));
  for (const std::uint64_t n : {1, 2, 3}) gateway.up(n);
  EXPECT_TRUE(gateway.hardware(1));
  EXPECT_TRUE(gateway.hardware(2));
  EXPECT_FALSE(gateway.hardware(3));
  EXPECT_EQ(gateway.reason(3), "no-slot");
  const auto view = gateway.slots.view().at("nic0");
  EXPECT_EQ(view.known, 4U);
  EXPECT_EQ(view.reserve, 2U);
  EXPECT_EQ(view.hardware, 2U);
  EXPECT_EQ(view.software, 1U);
  EXPECT_NE(gateway.world.log().find("running in software: nic0 has 4 slots a direction, 2 of them are kept free"),
            std::string::npos);
}

TEST(Slots, TheHeavierChildGetsTheSlotByTwoRekeys) {
  Gateway gateway(with_slots(4));
  for (const std::uint64_t n : {1, 2, 3}) gateway.up(n);
  std::map<std::uint64_t, std::uint64_t> id{{1, 1}, {2, 2}, {3, 3}};
  for (int i = 0; i < 8 && !gateway.hardware(id[3]); ++i) {
    gateway.carry(id[1], 1'000'000);
    gateway.carry(id[2], 1'000);
    gateway.carry(id[3], 5'000'000);
    for (const auto& move : gateway.round()) {
      const auto n = static_cast<std::uint64_t>(move.name.back() - '0');
      ASSERT_EQ(move.child, ChildId{id[n]});
      id[n] = gateway.rekey(id[n], n);
      EXPECT_EQ(gateway.hardware(id[n]), move.to_hardware);
    }
  }
  EXPECT_TRUE(gateway.hardware(id[1]));
  EXPECT_FALSE(gateway.hardware(id[2]));
  EXPECT_TRUE(gateway.hardware(id[3]));
  ASSERT_EQ(gateway.said.size(), 2U);
  EXPECT_NE(gateway.said[0].find("net2: moving to software: it carries"), std::string::npos) << gateway.said[0];
  EXPECT_NE(gateway.said[1].find("net3: moving to hardware on nic0: a slot is free, and it carries"), std::string::npos)
      << gateway.said[1];
  const auto view = gateway.slots.view().at("nic0");
  EXPECT_EQ(view.promoted, 1U);
  EXPECT_EQ(view.demoted, 1U);
}

TEST(Slots, ARekeyKeepsTheChildWhereItIs) {
  Gateway gateway(with_slots(4));
  for (const std::uint64_t n : {1, 2, 3}) gateway.up(n);
  EXPECT_TRUE(gateway.hardware(gateway.rekey(1, 1)));
  EXPECT_FALSE(gateway.hardware(gateway.rekey(3, 3)));
  EXPECT_EQ(gateway.slots.view().at("nic0").hardware, 2U);
}

TEST(Slots, RoomIsLearnedFromARefusal) {
  steer::Config config;
  Gateway gateway(config);
  gateway.world.kernel.devices[kNic].slots = 10;  // SAs of both directions
  for (std::uint64_t n = 1; n <= 6; ++n) gateway.up(n);
  for (std::uint64_t n = 1; n <= 5; ++n) EXPECT_TRUE(gateway.hardware(n)) << n;
  EXPECT_FALSE(gateway.hardware(6));
  EXPECT_EQ(gateway.reason(6), "device-full");
  EXPECT_EQ(gateway.slots.view().at("nic0").known, 5U);
  gateway.up(7);
  EXPECT_EQ(gateway.reason(7), "no-slot");  // not even tried
  gateway.world.kernel.devices[kNic].slots = 100;
  gateway.slots.forgiven("nic0");
  gateway.up(8);
  EXPECT_TRUE(gateway.hardware(8));
}

TEST(Slots, AStrictChildIsNeverMoved) {
  Gateway gateway(with_slots(4));
  gateway.up(1, OffloadWanted::crypto);
  gateway.up(2);
  gateway.up(3);
  for (int i = 0; i < 10; ++i) {
    gateway.carry(3, 9'000'000);
    for (const auto& move : gateway.round()) {
      EXPECT_NE(move.child, ChildId{1});
      gateway.slots.failed(move.child);
    }
  }
  EXPECT_TRUE(gateway.hardware(1));
}

TEST(Slots, AMoveThatFailsIsNoMove) {
  Gateway gateway(with_slots(4));
  for (const std::uint64_t n : {1, 2}) gateway.up(n);
  gateway.slots.configure(with_slots(0));
  const auto moves = gateway.round();
  ASSERT_EQ(moves.size(), 1U);
  EXPECT_FALSE(moves[0].to_hardware);
  EXPECT_NE(moves[0].text.find("nic0 has 0 slots a direction"), std::string::npos);
  EXPECT_TRUE(gateway.round().empty() || gateway.slots.view().at("nic0").demoted == 0);
  gateway.slots.failed(moves[0].child);
  EXPECT_EQ(gateway.slots.view().at("nic0").demoted, 0U);
  EXPECT_EQ(gateway.slots.view().at("nic0").hardware, 2U);
}

TEST(Slots, AHeldChildIsInSoftwareUntilItIsLetGo) {
  Gateway gateway(with_slots(10));
  gateway.up(1);
  ASSERT_TRUE(gateway.slots.hold({1}, {false, Reason::suspected, "packets go one way"}));
  const auto id = gateway.rekey(1, 1);
  EXPECT_FALSE(gateway.hardware(id));
  EXPECT_EQ(gateway.reason(id), "suspected");
  for (int i = 0; i < 5; ++i) {
    gateway.carry(id, 1'000'000);
    EXPECT_TRUE(gateway.round().empty());
  }
  gateway.slots.let_go({id});
  bool promoted = false;
  for (int i = 0; i < 5 && !promoted; ++i) {
    gateway.carry(id, 1'000'000);
    for (const auto& move : gateway.round()) promoted = move.to_hardware;
  }
  EXPECT_TRUE(promoted);
  EXPECT_FALSE(gateway.slots.hold({77}, {}));
}

TEST(Slots, AChildThatIsLetGoIsBackWithItsNextRekey) {
  Gateway gateway(steer::Config{});
  gateway.up(1);
  ASSERT_TRUE(gateway.hardware(1));
  gateway.slots.hold({1}, {false, Reason::suspected, "packets go one way"});
  auto id = gateway.rekey(1, 1);
  EXPECT_FALSE(gateway.hardware(id));
  gateway.slots.let_go({id});
  id = gateway.rekey(id, 1);
  EXPECT_TRUE(gateway.hardware(id));
  EXPECT_TRUE(gateway.hardware(gateway.rekey(id, 1)));
  EXPECT_EQ(gateway.slots.view().at("nic0").hardware, 1U);
}

TEST(Slots, WhatTheDeviceRefusesIsTriedAgainByARekeyOnly) {
  Gateway gateway(with_slots(10));
  gateway.world.kernel.devices[kNic].answer = [](const xfrm::SaSpec&) {
    return xfrm::DeviceAnswer{xfrm::DeviceAnswer::Kind::refused, EINVAL, "no such suite"};
  };
  gateway.up(1);
  EXPECT_EQ(gateway.reason(1), "offload-refused");
  gateway.world.kernel.devices[kNic].answer = {};
  for (int i = 0; i < 5; ++i) {
    gateway.carry(1, 1'000'000);
    EXPECT_TRUE(gateway.round().empty());
  }
  EXPECT_TRUE(gateway.hardware(gateway.rekey(1, 1)));
}

TEST(Slots, WhoGoesGivesTheSlotBack) {
  Gateway gateway(with_slots(4));
  for (const std::uint64_t n : {1, 2}) gateway.up(n);
  gateway.world.remove({1});
  EXPECT_EQ(gateway.slots.view().at("nic0").hardware, 1U);
  gateway.up(3);
  EXPECT_TRUE(gateway.hardware(3));
}

TEST(Slots, WhoIsRefusedUnbornLeavesNothingBehind) {
  Gateway gateway(with_slots(4));
  gateway.up(1);
  gateway.world.stop();
  const auto answer = gateway.install(child(2, OffloadWanted::automatic, "net2", "10.2.0.0/16"));
  ASSERT_NE(refused(answer), nullptr);
  const auto view = gateway.slots.view().at("nic0");
  EXPECT_EQ(view.hardware + view.software, 0U);
  gateway.up(3, OffloadWanted::crypto);
  EXPECT_FALSE(gateway.slots.hold({3}, {}));
}

TEST(Slots, WithoutADeviceOrWithoutTheWishNothingIsSteered) {
  Gateway gateway(with_slots(4));
  gateway.up(1, OffloadWanted::no);
  gateway.install(child(2, OffloadWanted::automatic, "net2", "10.2.0.0/16"), "");
  EXPECT_EQ(gateway.reason(2), "no-device");
  EXPECT_TRUE(gateway.slots.view().empty());
  EXPECT_EQ(gateway.slots.due(), std::nullopt);
}

}  // namespace
}  // namespace espgate::sad
