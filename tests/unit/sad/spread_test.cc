// SPDX-License-Identifier: Apache-2.0
// Who takes part in the spread over CPUs, in the order in which the ledger and the kernel are told: an SA that a device
// may hold is not in it before, at, or after any request. World looks after each one, in all tests; here are the moves.
#include <gtest/gtest.h>

#include "tests/unit/sad/world.h"

namespace espgate::sad {
namespace {

using Part = ike::RetireSa::Part;
using Wanted = base::OffloadWanted;

class SpreadOrder : public ::testing::Test {
 protected:
  SpreadOrder() {
    world.kernel.devices[kNic] = {};
    world.plan({plan_for("net")});
  }
  // A generation of "net" takes the place of the one before, as in a move of steering or the rekey of a peer.
  void move(std::uint64_t id, Wanted wanted, bool initiator) {
    auto next = generation(id, id - 1, wanted);
    if (initiator) {
      ASSERT_NE(installed(world.install(std::move(next))), nullptr);
    } else {
      ASSERT_NE(installed(world.add_inbound(std::move(next))), nullptr);
      ASSERT_NE(installed(world.switch_outbound({id})), nullptr);
    }
    world.retire({id - 1}, Part::outbound);
    world.retire({id - 1}, Part::all);
  }
  // SPIs of those that take part.
  [[nodiscard]] std::set<std::uint32_t> taking_part() const {
    std::set<std::uint32_t> out;
    for (const auto slot : world.spread) out.insert(world.ledger_sas.at(slot).spi.value);
    return out;
  }
  World world;
};

TEST_F(SpreadOrder, InAndOutWithEachMove) {
  const std::set<std::uint32_t> none;
  ASSERT_NE(installed(world.install(child(1, Wanted::no))), nullptr);
  EXPECT_EQ(taking_part(), std::set<std::uint32_t>{0x1001});
  for (std::uint64_t id = 2; id < 10; id += 2) {
    const bool initiator = id % 4 == 0;
    move(id, Wanted::automatic, initiator);
    EXPECT_EQ(taking_part(), none) << "promoted: " << id;
    move(id + 1, Wanted::no, initiator);
    EXPECT_EQ(taking_part(), std::set<std::uint32_t>{0x1001 + static_cast<std::uint32_t>(id)}) << "demoted: " << id + 1;
  }
}

TEST_F(SpreadOrder, WhatADeviceRefusesOrSilentlyLeavesIsIn) {
  using Kind = xfrm::DeviceAnswer::Kind;
  for (const auto kind : {Kind::refused, Kind::silent}) {
    world.kernel.devices[kNic].answer = [kind](const xfrm::SaSpec&) {
      return xfrm::DeviceAnswer{kind, kind == Kind::refused ? EINVAL : 0, "no"};
    };
    const std::uint64_t id = kind == Kind::refused ? 1 : 2;
    ASSERT_NE(installed(world.install(id == 1 ? child(1, Wanted::automatic) : generation(2, 1, Wanted::automatic))),
              nullptr);
    EXPECT_TRUE(taking_part().contains(0x1000 + static_cast<std::uint32_t>(id)));
  }
}

TEST_F(SpreadOrder, ARestartChangesNobodysPart) {
  ASSERT_NE(installed(world.install(child(1, Wanted::automatic))), nullptr);
  EXPECT_TRUE(taking_part().empty());
  world.reborn();
  EXPECT_TRUE(taking_part().empty());
}

}  // namespace
}  // namespace espgate::sad
