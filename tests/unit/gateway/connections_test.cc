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
