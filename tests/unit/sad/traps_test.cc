// SPDX-License-Identifier: Apache-2.0
// Policies without an SA of their own: traps, shunts, and what an ACQUIRE of the kernel is about.
#include <gmock/gmock.h>

#include <cerrno>

#include "tests/unit/sad/world.h"

namespace espgate::sad {
namespace {

using base::OffloadWanted;
using testing::HasSubstr;
using xfrm::Layer;
using xfrm::PolicyAction;
using xfrm::PolicyDirection;

constexpr auto kOut = PolicyDirection::out;

ChildPlan trapped(std::string_view child = "net", std::string_view local = "10.1.0.0/16",
                  std::string_view remote = "10.2.0.0/16") {
  auto out = plan_for(child, local, remote);
  out.trap = true;
  out.local = address("192.0.2.1");
  out.remote = address("192.0.2.2");
  return out;
}

ChildPlan shunt(Treatment treatment, std::string_view local, std::string_view remote, std::string_view name = "lan") {
  auto out = plan_for(name, local, remote);
  out.treatment = treatment;
  out.trap = true;
  return out;
}

const xfrm::PolicySpec* met(const World& world, std::string_view from = "10.1.0.1", std::string_view to = "10.2.0.1",
                            PolicyDirection direction = kOut, xfrm::ModelKernel::Scope scope = {}) {
  return world.kernel.lookup(direction, address(from), address(to), 0, 0, 0, scope);
}

Layer layer(const World& world, std::string_view from = "10.1.0.1", std::string_view to = "10.2.0.1",
            PolicyDirection direction = kOut) {
  const auto* policy = met(world, from, to, direction);
  return policy == nullptr ? Layer::foreign : policy->id.layer;
}

xfrm::Selector packet(std::string_view from = "10.1.0.1", std::string_view to = "10.2.0.1") {
  return {base::Prefix::host(address(from)), base::Prefix::host(address(to)), 17, {40000, 0xffff}, {53, 0xffff}};
}

xfrm::Notification acquire(const World& world, std::uint32_t larval = 7) {
  xfrm::Notification out;
  out.kind = xfrm::Notification::Kind::acquire;
  out.policy = met(world)->id;
  out.packet = packet();
  out.larval = larval;
  return out;
}

TEST(Traps, StandFromLoadToUnloadAndBeneathALiveChild) {
  World world;
  world.plan({trapped()});
  ASSERT_EQ(layer(world), Layer::trap);
  const auto esp = met(world)->esp;
  ASSERT_TRUE(esp) << "the packet may not leave in the clear";
  EXPECT_EQ(esp->source, address("192.0.2.1"));
  EXPECT_EQ(esp->destination, address("192.0.2.2"));
  EXPECT_EQ(layer(world, "10.2.0.1", "10.1.0.1", PolicyDirection::in), Layer::floor);
  world.install(child(1, OffloadWanted::no));
  EXPECT_EQ(layer(world), Layer::child);
  EXPECT_EQ(world.policies(Layer::trap), 1U) << "it stays: nothing leaves in the clear at the change";
  EXPECT_NE(met(world)->esp->reqid, esp->reqid) << "nothing is ever sent by a trap";
  world.remove({1});
  EXPECT_EQ(layer(world), Layer::trap) << "back to the trap";
  world.plan({plan_for("net")});
  EXPECT_EQ(layer(world), Layer::floor);
  world.plan({});
  EXPECT_EQ(met(world), nullptr);
  EXPECT_TRUE(world.ledger_policies.empty());
}

TEST(Traps, AreNotTouchedByAPlanThatIsTheSame) {
  World world;
  world.plan({trapped()});
  const auto before = world.kernel.journal().size();
  world.plan({trapped()});
  EXPECT_EQ(world.kernel.journal().size(), before);
  auto elsewhere = trapped();
  elsewhere.remote = address("192.0.2.9");
  world.plan({elsewhere});
  EXPECT_EQ(world.kernel.journal().size(), before + 1) << "replaced in one step";
  EXPECT_EQ(met(world)->esp->destination, address("192.0.2.9"));
}

TEST(Traps, WithoutALocalAddressTheRouteTells) {
  World world;
  auto plan = trapped();
  plan.local.reset();
  world.plan({plan});
  ASSERT_EQ(layer(world), Layer::trap);
  EXPECT_TRUE(met(world)->esp->source.is_any());
}

TEST(Traps, EachHasItsOwnReqidSoThatNoneWaitsForAnother) {
  World world;
  world.plan({trapped("a", "10.1.1.0/24"), trapped("b", "10.1.2.0/24")});
  EXPECT_NE(met(world, "10.1.1.1")->esp->reqid, met(world, "10.1.2.1")->esp->reqid);
}

TEST(Traps, WhoCannotBeCalledHasNoneAndItIsSaidOnce) {
  World world;
  auto plan = trapped();
  plan.remote.reset();
  world.plan({plan});
  world.plan({plan});
  EXPECT_EQ(layer(world), Layer::floor);
  EXPECT_THAT(world.log(), HasSubstr("no packet can bring it up"));
  EXPECT_EQ(world.notices.size(), 2U) << world.log();  // and the one about routes
}

TEST(Traps, ComeAndGoBeyondThePlan) {
  World world;
  auto plan = trapped();
  plan.trap = false;
  world.plan({plan});
  EXPECT_EQ(layer(world), Layer::floor);
  world.carry_out(world.sad.on_trap({}, "site-a", "net", true));
  EXPECT_EQ(layer(world), Layer::trap);
  world.plan({plan});
  EXPECT_EQ(layer(world), Layer::trap) << "a reload does not end it";
  world.carry_out(world.sad.on_trap({}, "site-a", "net", false));
  EXPECT_EQ(layer(world), Layer::floor);
  world.carry_out(world.sad.on_trap({}, "site-a", "net", true));
  world.plan({});
  EXPECT_EQ(met(world), nullptr);
  world.plan({plan});
  EXPECT_EQ(layer(world), Layer::floor) << "gone with its child";
  world.carry_out(world.sad.on_trap({}, "site-a", "nobody", true));
  world.expect_consistent();
}

TEST(Traps, ThoseOfAFormerSelfAreTakenOverOrRemoved) {
  for (const bool ledger_lost : {false, true}) {
    World world;
    world.plan({trapped("net"), trapped("other", "10.7.0.0/16")});
    world.reborn(ledger_lost);
    EXPECT_EQ(layer(world), Layer::trap);
    world.plan({trapped("net")});
    EXPECT_EQ(layer(world), Layer::trap);
    EXPECT_EQ(met(world, "10.7.0.1"), nullptr);
    EXPECT_EQ(world.policies(Layer::trap), 1U);
    world.stop();
    EXPECT_EQ(met(world), nullptr);
    EXPECT_TRUE(world.ledger_policies.empty());
  }
}

TEST(Traps, ARefusedOneIsSaidAndTriedAgainWithTheNextPlan) {
  World world;
  world.kernel.fault = [](const xfrm::Request& request) -> std::optional<base::Error> {
    const auto* put = std::get_if<xfrm::PutPolicy>(&request);
    if (put == nullptr || put->policy.id.layer != Layer::trap) return std::nullopt;
    return base::Error{"put", ENOMEM, {}};
  };
  world.plan({trapped()});
  EXPECT_EQ(layer(world), Layer::floor);
  EXPECT_THAT(world.log(), HasSubstr("site-a/net: kernel refused a trap policy"));
  world.kernel.fault = nullptr;
  world.plan({trapped()});
  EXPECT_EQ(layer(world), Layer::trap);
}

TEST(Acquire, NamesTheChildAndThePacket) {
  World world;
  world.plan({trapped()});
  const auto wanted = world.sad.on_acquire(acquire(world));
  ASSERT_TRUE(wanted);
  EXPECT_EQ(wanted->conn, "site-a");
  EXPECT_EQ(wanted->child, "net");
  EXPECT_EQ(wanted->local.text(), "10.1.0.1/32[udp/40000]");
  EXPECT_EQ(wanted->remote.text(), "10.2.0.1/32[udp/53]");
  EXPECT_FALSE(wanted->live);
  auto foreign = acquire(world);
  foreign.policy.layer = Layer::foreign;
  EXPECT_FALSE(world.sad.on_acquire(foreign)) << "somebody else's policy";
  foreign.policy.layer = Layer::child;
  EXPECT_FALSE(world.sad.on_acquire(foreign));
}

TEST(Acquire, AtALiveChildNamesTheSaThatShouldBeThere) {
  World world;
  world.plan({trapped()});
  world.install(child(1, OffloadWanted::no));
  const auto wanted = world.sad.on_acquire(acquire(world));
  ASSERT_TRUE(wanted);
  ASSERT_TRUE(wanted->live);
  EXPECT_EQ(wanted->live->first, base::ChildId{1});
  EXPECT_NE(world.kernel.find(wanted->live->second), nullptr);
}

TEST(Acquire, TheLarvalSaGoesWithTheOutboundSaThatAnswersIt) {
  World world;
  world.plan({trapped()});
  ASSERT_TRUE(world.sad.on_acquire(acquire(world, 77)));
  std::vector<std::pair<base::Direction, std::uint32_t>> answered;
  world.kernel.fault = [&](const xfrm::Request& request) -> std::optional<base::Error> {
    if (const auto* add = std::get_if<xfrm::AddSa>(&request)) {
      answered.emplace_back(add->spec.direction, add->spec.acquire);
    }
    return std::nullopt;
  };
  world.install(child(1, OffloadWanted::no));
  ASSERT_EQ(answered.size(), 2U);
  for (const auto& [direction, larval] : answered) EXPECT_EQ(larval, direction == base::Direction::out ? 77U : 0U);
  answered.clear();
  world.install(generation(2, 1, OffloadWanted::no));
  for (const auto& [direction, larval] : answered) EXPECT_EQ(larval, 0U) << "answered already";
}

TEST(Shunts, PassesWhatAWiderTunnelOrItsFloorWouldTake) {
  World world;
  world.plan({plan_for("net", "10.1.0.0/16", "10.0.0.0/8"), shunt(Treatment::pass, "10.1.0.0/16", "10.1.0.0/16")});
  EXPECT_EQ(layer(world), Layer::floor);
  for (const auto direction : {kOut, PolicyDirection::in, PolicyDirection::forward}) {
    ASSERT_EQ(layer(world, "10.1.0.1", "10.1.0.2", direction), Layer::shunt);
    EXPECT_EQ(met(world, "10.1.0.1", "10.1.0.2", direction)->action, PolicyAction::allow);
    EXPECT_FALSE(met(world, "10.1.0.1", "10.1.0.2", direction)->esp);
  }
  world.install(child(1, OffloadWanted::no, "net", "10.1.0.0/16", "10.0.0.0/8"));
  EXPECT_EQ(layer(world), Layer::child);
  EXPECT_EQ(layer(world, "10.1.0.1", "10.1.0.2"), Layer::shunt);
  world.plan({plan_for("net", "10.1.0.0/16", "10.0.0.0/8")});
  EXPECT_EQ(layer(world, "10.1.0.1", "10.1.0.2"), Layer::child);
}

TEST(Shunts, DropWhatNoNarrowerTunnelCarriesAndOnlyFromTheLoadOn) {
  World world;
  world.plan({plan_for("net"), shunt(Treatment::drop, "10.1.0.0/16", "10.0.0.0/8")});
  world.install(child(1, OffloadWanted::no));
  EXPECT_EQ(layer(world), Layer::child);
  ASSERT_EQ(layer(world, "10.1.0.1", "10.3.0.1"), Layer::shunt);
  EXPECT_EQ(met(world, "10.1.0.1", "10.3.0.1")->action, PolicyAction::block);
  auto idle = shunt(Treatment::drop, "10.1.0.0/16", "10.0.0.0/8");
  idle.trap = false;
  world.plan({plan_for("net"), idle});
  EXPECT_EQ(met(world, "10.1.0.1", "10.3.0.1"), nullptr);
  world.stop();
  EXPECT_TRUE(world.ledger_policies.empty());
}

TEST(Shunts, LeaveOthersPoliciesAlone) {
  World world;
  xfrm::PolicySpec foreign;
  foreign.id = {kOut,
                {*base::Prefix::parse("10.1.0.0/16"), *base::Prefix::parse("10.1.0.0/16"), 0, {}, {}},
                Layer::foreign,
                {},
                0};
  foreign.priority = 1;
  std::vector<xfrm::Request> put;
  put.emplace_back(xfrm::PutPolicy{foreign});
  world.kernel.execute(put);
  world.plan({shunt(Treatment::pass, "10.1.0.0/16", "10.1.0.0/16")});
  world.stop();
  EXPECT_EQ(layer(world, "10.1.0.1", "10.1.0.2"), Layer::foreign);
  EXPECT_EQ(world.kernel.dump_policies()->size(), 1U);
}

TEST(Handling, MarksAndInterfacesAreOnPoliciesAndSas) {
  World world;
  auto plan = trapped();
  plan.handling.if_id_in = 5;
  plan.handling.if_id_out = 6;
  plan.handling.mark_out = {0x10, 0xf0};
  plan.handling.set_mark_in = {0x3, 0xff};
  plan.handling.copy_df = false;
  world.plan({plan});
  EXPECT_EQ(met(world), nullptr) << "traffic beside that interface is none of ours";
  ASSERT_NE(met(world, "10.1.0.1", "10.2.0.1", kOut, {0x1f, 6}), nullptr);
  EXPECT_EQ(met(world, "10.1.0.1", "10.2.0.1", kOut, {0x1f, 6})->id.layer, Layer::trap);
  EXPECT_EQ(met(world, "10.1.0.1", "10.2.0.1", kOut, {0x2f, 6}), nullptr);
  EXPECT_EQ(met(world, "10.2.0.1", "10.1.0.1", PolicyDirection::in, {0, 5})->id.layer, Layer::floor);
  std::vector<std::tuple<base::Direction, std::uint32_t, base::Mark, base::Mark, bool>> seen;
  world.kernel.fault = [&](const xfrm::Request& request) -> std::optional<base::Error> {
    if (const auto* add = std::get_if<xfrm::AddSa>(&request)) {
      const auto& spec = add->spec;
      seen.emplace_back(spec.direction, spec.if_id, spec.mark, spec.set_mark, spec.copied.df);
    }
    return std::nullopt;
  };
  using base::Direction;
  const std::tuple in(Direction::in, 5U, base::Mark{}, base::Mark{0x3, 0xff}, false);
  const std::tuple out(Direction::out, 6U, base::Mark{0x10, 0xf0}, base::Mark{}, false);
  world.install(child(1, OffloadWanted::no));
  EXPECT_THAT(seen, testing::UnorderedElementsAre(in, out));
  EXPECT_EQ(met(world, "10.1.0.1", "10.2.0.1", kOut, {0x1f, 6})->id.layer, Layer::child);
  seen.clear();
  world.add_inbound(generation(2, 1, OffloadWanted::no));
  world.switch_outbound({2});
  EXPECT_THAT(seen, testing::UnorderedElementsAre(in, out)) << "the peer's rekey keeps them";
  world.retire({1}, ike::RetireSa::Part::all);
  world.remove({2});
  EXPECT_EQ(world.kernel.sa_count(), 0U);
}

TEST(Handling, AnSaWithAMarkLeftByAFormerSelfIsFoundAndRemoved) {
  World world;
  auto plan = plan_for("net");
  plan.handling.mark_out = {0x10, 0xf0};
  world.plan({plan});
  world.install(child(1, OffloadWanted::no));
  world.reborn();
  EXPECT_EQ(world.kernel.sa_count(), 0U);
  EXPECT_EQ(world.released, 2U);
}

ike::InstallChild ah_child(OffloadWanted wanted) {
  auto out = child(1, wanted);
  out.child.suite = {base::EspCipher::none, 0, base::EspAuth::hmac_sha2_256_128, false};
  out.child.keys.cipher_in = base::Secret();
  out.child.keys.cipher_out = base::Secret();
  out.child.keys.auth_in = base::Secret(32);
  out.child.keys.auth_out = base::Secret(32);
  return out;
}

TEST(Ah, RunsInSoftwareAndSaysWhyOrIsRefused) {
  World world;
  world.plan({plan_for("net")});
  world.kernel.devices[kNic] = {};
  const auto answer = world.install(ah_child(OffloadWanted::automatic));
  ASSERT_NE(installed(answer), nullptr);
  EXPECT_EQ(installed(answer)->in.reason_code, "ah-in-software");
  EXPECT_EQ(installed(answer)->out.reason_code, "ah-in-software");
  EXPECT_THAT(installed(answer)->out.reason, HasSubstr("AH is not offloadable"));
  ASSERT_TRUE(met(world)->esp);
  EXPECT_TRUE(met(world)->esp->ah);
  EXPECT_TRUE(world.kernel.outbound_for(*met(world)->esp));
  for (const auto& [slot, sa] : world.ledger_sas) EXPECT_EQ(sa.proto, 51);
  world.remove({1});
  EXPECT_EQ(world.kernel.sa_count(), 0U);
  const auto strict = world.install(ah_child(OffloadWanted::crypto));
  ASSERT_NE(refused(strict), nullptr);
  EXPECT_EQ(refused(strict)->reason_code, "ah-in-software");
  EXPECT_EQ(world.kernel.sa_count(), 0U);
}

TEST(Handling, APriorityThatIsSaidKeepsTheOrderOfLayers) {
  World world;
  auto plan = trapped();
  plan.handling.priority = 500;
  world.plan({plan});
  EXPECT_EQ(met(world)->priority, 501U);
  EXPECT_EQ(layer(world), Layer::trap);
  world.install(child(1, OffloadWanted::no));
  EXPECT_EQ(layer(world), Layer::child);
  EXPECT_EQ(met(world)->priority, 500U);
  EXPECT_EQ(met(world, "10.2.0.1", "10.1.0.1", PolicyDirection::in)->priority, 500U);
  world.remove({1});
  EXPECT_EQ(met(world, "10.2.0.1", "10.1.0.1", PolicyDirection::in)->priority, 502U);
}

}  // namespace
}  // namespace espgate::sad
