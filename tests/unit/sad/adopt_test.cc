// SPDX-License-Identifier: Apache-2.0
// After kill -9, with children that go on: what is whole is left as it is, to the last policy; the rest goes.
#include <gmock/gmock.h>

#include "tests/unit/sad/world.h"

namespace espgate::sad {
namespace {

using base::OffloadWanted;
using ike::Kept;
using xfrm::Layer;
using Was = ike::KeptChild::Was;

ike::KeptChild kept(ike::InstallChild what, Was was = Was::up) {
  ike::KeptChild out{was, false, std::move(what.child)};
  out.spec.keys.cipher_in.clear();
  if (was != Was::waiting && was != Was::switching) out.spec.keys.cipher_out.clear();
  return out;
}

template <class... Children>
std::vector<ike::KeptChild> all(Children... children) {
  std::vector<ike::KeptChild> out;
  (out.push_back(std::move(children)), ...);
  return out;
}

std::vector<std::string> since(const World& world, std::size_t before) {
  const auto& journal = world.kernel.journal();
  return {journal.begin() + static_cast<std::ptrdiff_t>(before), journal.end()};
}

TEST(Adopt, AWholeChildIsNotTouched) {
  for (const auto wanted : {OffloadWanted::no, OffloadWanted::automatic, OffloadWanted::packet}) {
    World world;
    world.kernel.devices[kNic] = {};
    world.kernel.devices[kNic].packet = true;
    world.plan({plan_for("net")});
    world.install(child(1, wanted), {"nic0", kNic, 1000, {}, PacketMode::takes});
    const auto before = world.kernel.journal().size();
    const auto ledger = world.ledger_sas;
    const auto slots = world.sad.slots();
    world.reborn(false, all(kept(child(1, wanted))), {plan_for("net")});
    world.plan({plan_for("net")});
    EXPECT_THAT(since(world, before), testing::IsEmpty());
    EXPECT_EQ(world.sad.slots(), slots);
    EXPECT_EQ(world.sad.kept().at({1}).state, Kept::State::up);
    const auto actual = world.ledger_sas.begin()->second.actual;
    EXPECT_EQ(actual != base::OffloadActual::none, wanted != OffloadWanted::no);
    EXPECT_EQ(world.sad.kept().at({1}).in.actual, actual);
    world.expect_consistent();
    EXPECT_EQ(world.sad.expected().size(), 2U);
    EXPECT_EQ(world.sad.held()["nic0"].out, wanted == OffloadWanted::no ? 0U : 1U);
    world.install(generation(2, 1, wanted), {"nic0", kNic, 1000, {}, PacketMode::takes});
    EXPECT_EQ(world.ledger_sas.rbegin()->second.reqid, ledger.begin()->second.reqid);
    world.remove({1});
    world.remove({2});
    EXPECT_EQ(world.kernel.sa_count(), 0U);
    EXPECT_EQ(world.policies(Layer::child), 0U);
    EXPECT_EQ(world.policies(Layer::floor), 3U);
  }
}

TEST(Adopt, WhatNobodyGoesOnWithGoes) {
  World world;
  world.plan({plan_for("net"), plan_for("other", "10.3.0.0/16", "10.4.0.0/16")});
  world.install(child(1, OffloadWanted::no));
  world.install(child(2, OffloadWanted::no, "other", "10.3.0.0/16", "10.4.0.0/16"));
  world.reborn(false, all(kept(child(1, OffloadWanted::no))), {plan_for("net")});
  EXPECT_EQ(world.kernel.sa_count(), 2U);
  EXPECT_EQ(world.released, 2U);
  world.plan({plan_for("net")});
  EXPECT_EQ(world.policies(Layer::child), 3U);
  EXPECT_EQ(world.policies(Layer::floor), 3U);
  world.expect_consistent();
}

TEST(Adopt, HalfOfAChildIsNoChild) {
  for (const auto direction : {base::Direction::in, base::Direction::out}) {
    World world;
    world.plan({plan_for("net")});
    world.install(child(1, OffloadWanted::no));
    const bool in = direction == base::Direction::in;
    std::vector<xfrm::Request> gone;
    gone.emplace_back(xfrm::DelSa{{address(in ? "192.0.2.1" : "192.0.2.2"), {in ? 0x1001U : 0x2001U}}});
    world.kernel.execute(gone);
    world.reborn(false, all(kept(child(1, OffloadWanted::no))), {plan_for("net")});
    EXPECT_EQ(world.sad.kept().at({1}).state, Kept::State::lost);
    EXPECT_EQ(world.kernel.sa_count(), 0U);
    EXPECT_TRUE(world.ledger_sas.empty());
    world.plan({plan_for("net")});
    EXPECT_EQ(world.policies(Layer::child), 0U);
    world.expect_consistent();
  }
}

TEST(Adopt, AGenerationThatWaitsIsSwitchedToLater) {
  for (const auto was : {Was::waiting, Was::switching}) {
    World world;
    world.kernel.devices[kNic] = {};
    world.plan({plan_for("net")});
    world.install(child(1, OffloadWanted::automatic));
    world.add_inbound(generation(2, 1, OffloadWanted::automatic));
    const auto before = world.kernel.journal().size();
    auto two = generation(2, 1, OffloadWanted::automatic);
    world.reborn(false, all(kept(child(1, OffloadWanted::automatic)), kept(std::move(two), was)), {plan_for("net")});
    world.plan({plan_for("net")});
    EXPECT_THAT(since(world, before), testing::IsEmpty());
    EXPECT_EQ(world.sad.kept().at({2}).state, Kept::State::waiting);
    ASSERT_EQ(world.sad.waiting().size(), 1U);
    const auto answer = world.switch_outbound({2});
    ASSERT_NE(installed(answer), nullptr);
    EXPECT_EQ(installed(answer)->out.actual, base::OffloadActual::crypto);
    world.retire({1}, ike::RetireSa::Part::outbound);
    world.retire({1}, ike::RetireSa::Part::all);
    EXPECT_EQ(world.kernel.sa_count(), 2U);
    EXPECT_EQ(world.policies(Layer::child), 3U);
  }
}

TEST(Adopt, AKeyThatMayHaveBeenUsedIsNotInstalledAgain) {
  World world;
  world.plan({plan_for("net")});
  world.install(child(1, OffloadWanted::no));
  world.add_inbound(generation(2, 1, OffloadWanted::no));
  world.switch_outbound({2});
  std::vector<xfrm::Request> gone;
  gone.emplace_back(xfrm::DelSa{{address("192.0.2.2"), {0x2002}}});  // by a link that went down, for one
  world.kernel.execute(gone);
  world.reborn(false, all(kept(child(1, OffloadWanted::no)), kept(generation(2, 1, OffloadWanted::no), Was::switching)),
               {plan_for("net")});
  EXPECT_EQ(world.sad.kept().at({2}).state, Kept::State::lost);
  EXPECT_EQ(world.sad.kept().at({1}).state, Kept::State::up);
  EXPECT_EQ(world.kernel.sa_count(), 2U);
}

TEST(Adopt, AnOldGenerationGoesOnGoing) {
  for (const auto was : {Was::retiring, Was::retired}) {
    World world;
    world.plan({plan_for("net")});
    world.install(child(1, OffloadWanted::no));
    world.install(generation(2, 1, OffloadWanted::no));
    world.reborn(false, all(kept(child(1, OffloadWanted::no), was), kept(generation(2, 1, OffloadWanted::no))),
                 {plan_for("net")});
    EXPECT_EQ(world.kernel.sa_count(), was == Was::retired ? 3U : 4U);
    if (was == Was::retiring) world.retire({1}, ike::RetireSa::Part::outbound);
    EXPECT_EQ(world.kernel.sa_count(), 3U);
    world.reborn(false, all(kept(child(1, OffloadWanted::no), was), kept(generation(2, 1, OffloadWanted::no))),
                 {plan_for("net")});
    EXPECT_EQ(world.sad.kept().at({1}).state, Kept::State::up);
    world.retire({1}, ike::RetireSa::Part::all);
    EXPECT_EQ(world.kernel.sa_count(), 2U);
    EXPECT_EQ(world.policies(Layer::child), 3U);
    world.expect_consistent();
  }
}

TEST(Adopt, AKernelThatForgetsIsBelieved) {
  World world;
  static_cast<xfrm::ModelKernel&>(world.kernel) = xfrm::ModelKernel();
  world.believed = true;
  world.reborn(true, all(kept(child(1, OffloadWanted::no)), kept(child(2, OffloadWanted::no, "b"), Was::installing)),
               {plan_for("net")});
  EXPECT_EQ(world.sad.kept().at({1}).state, Kept::State::up);
  EXPECT_EQ(world.sad.kept().at({2}).state, Kept::State::lost);
  EXPECT_EQ(world.policies(Layer::child), 3U);
}

}  // namespace
}  // namespace espgate::sad
