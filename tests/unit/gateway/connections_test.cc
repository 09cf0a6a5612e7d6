// SPDX-License-Identifier: Apache-2.0
#include "gateway/connections.h"

#include <gtest/gtest.h>

namespace espgate::gateway {
namespace {

using std::chrono::seconds;
using Kind = ike::Event::Kind;

base::Instant at(int second) { return base::Instant{} + seconds(1000 + second); }

ike::Config config(ike::StartAction action) {
  auto conn = std::make_shared<ike::ConnConfig>();
  conn->name = "a";
  ike::ChildConfig child;
  child.name = "net";
  child.start_action = action;
  conn->children.push_back(child);
  ike::Config out;
  out.conns.push_back(conn);
  return out;
}

ike::Event event(Kind kind, std::uint64_t id, std::optional<ike::Reason> reason = {}) {
  ike::Event out;
  out.kind = kind;
  out.conn = "a";
  out.child = "net";
  out.child_id = {id};
  if (reason) out.failure = ike::Failure{*reason, "IKE_AUTH", "why", ""};
  return out;
}

const Connections::Key kNet{"a", "net"};

TEST(Connections, StartedChildrenAreDueAtOnceOthersNever) {
  Connections started;
  started.load(at(0), config(ike::StartAction::start));
  EXPECT_EQ(started.take_due(at(0)), std::vector{kNet});
  EXPECT_TRUE(started.take_due(at(1)).empty());
  Connections idle;
  idle.load(at(0), config(ike::StartAction::none));
  EXPECT_FALSE(idle.next_due());
}

TEST(Connections, FailuresAreRetriedWithBackoffAndRemembered) {
  Connections conns;
  conns.load(at(0), config(ike::StartAction::start));
  conns.take_due(at(0));
  conns.on_event(at(1), event(Kind::ike_failed, 0, ike::Reason::auth_failed));
  const auto& status = conns.children().at(kNet);
  EXPECT_EQ(status.state, ChildStatus::State::down);
  EXPECT_EQ(status.last_error->failure.code, ike::Reason::auth_failed);
  EXPECT_EQ(status.next_try_at, at(6));
  conns.take_due(at(6));
  conns.on_event(at(7), event(Kind::ike_failed, 0, ike::Reason::timeout));
  EXPECT_EQ(conns.children().at(kNet).next_try_at, at(17));
  EXPECT_EQ(retry_delay(50), base::Duration(seconds(60)));
}

TEST(Connections, APeerThatFailedToConnectIsRememberedAndChangesNothingElse) {
  Connections conns;
  conns.load(at(0), config(ike::StartAction::none));
  conns.on_event(at(1), event(Kind::ike_failed, 0, ike::Reason::auth_failed));
  const auto& status = conns.children().at(kNet);
  EXPECT_EQ(status.state, ChildStatus::State::down);
  ASSERT_TRUE(status.last_error);
  EXPECT_EQ(status.last_error->failure.code, ike::Reason::auth_failed);
  EXPECT_FALSE(status.next_try_at);
  conns.on_event(at(2), event(Kind::child_up, 1));
  conns.on_event(at(3), event(Kind::ike_failed, 0, ike::Reason::timeout));
  EXPECT_EQ(status.state, ChildStatus::State::up);
  EXPECT_EQ(status.last_error->failure.code, ike::Reason::auth_failed);
}

TEST(Connections, UpWhileAnyGenerationLivesAndOperatorsDownStays) {
  Connections conns;
  conns.load(at(0), config(ike::StartAction::start));
  conns.take_due(at(0));
  conns.on_event(at(1), event(Kind::child_up, 1));
  conns.on_event(at(2), event(Kind::child_up, 2));
  conns.on_event(at(3), event(Kind::child_down, 1, ike::Reason::peer_deleted));
  EXPECT_EQ(conns.children().at(kNet).state, ChildStatus::State::up);
  conns.operator_down("a", "");
  conns.on_event(at(4), event(Kind::child_down, 2, ike::Reason::timeout));
  EXPECT_EQ(conns.children().at(kNet).state, ChildStatus::State::down);
  EXPECT_FALSE(conns.next_due());
}

TEST(Connections, ClosedOrSilentPeersAreCalledAgainWhereSaidAndElseNot) {
  for (const auto& [reason, other] : {std::pair{ike::Reason::peer_deleted, ike::Reason::timeout},
                                      std::pair{ike::Reason::timeout, ike::Reason::peer_deleted}}) {
    Connections conns;
    auto loaded = config(ike::StartAction::none);
    auto conn = std::make_shared<ike::ConnConfig>(*loaded.conns[0]);
    auto& action = reason == ike::Reason::timeout ? conn->children[0].dpd_action : conn->children[0].close_action;
    action = ike::StartAction::start;
    loaded.conns[0] = conn;
    conns.load(at(0), loaded);
    conns.on_event(at(1), event(Kind::child_up, 1));
    conns.on_event(at(2), event(Kind::child_down, 1, other));
    EXPECT_FALSE(conns.next_due());
    conns.on_event(at(3), event(Kind::child_up, 2));
    conns.on_event(at(4), event(Kind::child_down, 2, reason));
    EXPECT_EQ(conns.next_due(), at(4));
    EXPECT_EQ(conns.take_due(at(4)), std::vector{kNet});
    conns.on_event(at(5), event(Kind::ike_failed, 0, ike::Reason::timeout));
    EXPECT_EQ(conns.next_due(), at(10)) << "what failed then is tried again";
    conns.on_event(at(6), event(Kind::child_up, 3));
    conns.operator_down("a", "net");
    conns.on_event(at(7), event(Kind::child_down, 3, reason));
    EXPECT_FALSE(conns.next_due()) << "the operator's word counts more";
    conns.operator_up("a", "net");
    conns.on_event(at(8), event(Kind::child_up, 4));
    conns.on_event(at(9), event(Kind::child_down, 4, reason));
    EXPECT_EQ(conns.next_due(), at(9)) << "until it is another";
  }
}

ike::Config with(ike::StartAction start, ike::StartAction close, ike::StartAction dpd) {
  auto out = config(start);
  auto conn = std::make_shared<ike::ConnConfig>(*out.conns[0]);
  conn->children[0].close_action = close;
  conn->children[0].dpd_action = dpd;
  out.conns[0] = conn;
  return out;
}

const ike::Initiate::Packet kPacket{base::TrafficSelector::of(*base::Prefix::parse("10.1.0.1/32")),
                                    base::TrafficSelector::of(*base::Prefix::parse("10.2.0.1/32"))};

TEST(Connections, APacketBringsATrappedChildUpOnceHoweverManyCome) {
  Connections conns;
  conns.load(at(0), config(ike::StartAction::trap));
  const auto& status = conns.children().at(kNet);
  EXPECT_EQ(to_string(status), "trapped");
  EXPECT_FALSE(conns.next_due()) << "nobody wants it yet";
  for (int i = 0; i < 3; ++i) EXPECT_EQ(conns.on_acquire(at(1), kNet, kPacket), i == 0);
  EXPECT_EQ(conns.take_due(at(1)), std::vector{kNet});
  ASSERT_TRUE(status.packet);
  EXPECT_EQ(status.packet->remote, kPacket.remote);
  EXPECT_EQ(to_string(status), "connecting");
  conns.on_acquire(at(2), kNet, kPacket);
  EXPECT_TRUE(conns.take_due(at(2)).empty());
  conns.on_event(at(3), event(Kind::child_up, 1));
  conns.on_acquire(at(4), kNet, kPacket);
  EXPECT_FALSE(conns.next_due()) << "it is up";
  EXPECT_FALSE(status.packet) << "a retry of later days does not say it";
  conns.operator_down("a", "net");
  conns.on_event(at(5), event(Kind::child_down, 1, ike::Reason::closed_by_operator));
  EXPECT_EQ(to_string(status), "trapped");
  EXPECT_FALSE(conns.next_due());
  conns.on_acquire(at(6), kNet, kPacket);
  EXPECT_EQ(conns.take_due(at(6)), std::vector{kNet}) << "`down` returns to the trap, no further";
  conns.on_acquire(at(6), {"a", "nobody"}, kPacket);
}

TEST(Connections, AfterAFailureThePacketWaitsAsAnyRetryAndNothingIsTriedWithoutOne) {
  Connections conns;
  conns.load(at(0), config(ike::StartAction::trap));
  conns.on_acquire(at(0), kNet, kPacket);
  conns.take_due(at(0));
  conns.on_event(at(1), event(Kind::ike_failed, 0, ike::Reason::timeout));
  EXPECT_EQ(to_string(conns.children().at(kNet)), "trapped");
  EXPECT_FALSE(conns.next_due());
  conns.on_acquire(at(2), kNet, kPacket);
  EXPECT_EQ(conns.next_due(), at(6));
  conns.take_due(at(6));
  conns.on_event(at(7), event(Kind::ike_failed, 0, ike::Reason::timeout));
  conns.on_acquire(at(60), kNet, kPacket);
  EXPECT_EQ(conns.next_due(), at(60)) << "long enough ago";
}

TEST(Connections, TrapAndStartDoesBoth) {
  Connections conns;
  conns.load(at(0), config(ike::StartAction::trap_start));
  EXPECT_EQ(conns.take_due(at(0)), std::vector{kNet});
  conns.on_event(at(1), event(Kind::ike_failed, 0, ike::Reason::timeout));
  EXPECT_EQ(to_string(conns.children().at(kNet)), "trapped");
  EXPECT_EQ(conns.next_due(), at(6));
}

TEST(Connections, ClosedOrSilentPeersAreTrappedWhereSaid) {
  using enum ike::StartAction;
  for (const bool silent : {false, true}) {
    Connections conns;
    conns.load(at(0), with(none, silent ? none : trap, silent ? trap : none));
    conns.on_event(at(1), event(Kind::child_up, 1));
    EXPECT_TRUE(conns.take_trap_changes().empty());
    conns.on_event(at(2), event(Kind::child_down, 1, silent ? ike::Reason::timeout : ike::Reason::peer_deleted));
    EXPECT_EQ(conns.take_trap_changes(), (std::vector{std::pair{kNet, true}}));
    EXPECT_EQ(to_string(conns.children().at(kNet)), "trapped");
    EXPECT_FALSE(conns.next_due());
    conns.load(at(3), with(none, silent ? none : trap, silent ? trap : none));
    EXPECT_EQ(to_string(conns.children().at(kNet)), "trapped") << "a reload does not end it";
    EXPECT_TRUE(conns.operator_trap(kNet, false));
    EXPECT_EQ(conns.take_trap_changes(), (std::vector{std::pair{kNet, false}}));
    EXPECT_EQ(to_string(conns.children().at(kNet)), "down");
  }
  Connections configured;
  configured.load(at(0), config(trap));
  EXPECT_FALSE(configured.operator_trap(kNet, false)) << "the configuration says so";
}

TEST(Connections, AChildThatLostItsSasIsRekeyedOnce) {
  Connections conns;
  conns.load(at(0), config(ike::StartAction::trap));
  EXPECT_FALSE(conns.heal(kNet, {1})) << "not there";
  conns.on_event(at(1), event(Kind::child_up, 1));
  EXPECT_TRUE(conns.heal(kNet, {1}));
  EXPECT_FALSE(conns.heal(kNet, {1})) << "under way";
  conns.on_event(at(2), event(Kind::rekey_failed, 1, ike::Reason::busy));
  EXPECT_TRUE(conns.heal(kNet, {1}));
  auto rekeyed = event(Kind::child_rekeyed, 2);
  rekeyed.former_child = {1};
  conns.on_event(at(3), rekeyed);
  EXPECT_FALSE(conns.heal(kNet, {1}));
  EXPECT_TRUE(conns.heal(kNet, {2}));
}

TEST(Connections, ReloadKeepsWhatIsKnown) {
  Connections conns;
  conns.load(at(0), config(ike::StartAction::none));
  conns.on_event(at(1), event(Kind::child_up, 1));
  conns.load(at(2), config(ike::StartAction::start));
  EXPECT_EQ(conns.children().at(kNet).state, ChildStatus::State::up);
  EXPECT_FALSE(conns.next_due());
}

}  // namespace
}  // namespace espgate::gateway
