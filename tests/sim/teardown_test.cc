// SPDX-License-Identifier: Apache-2.0
// How things end: DELETE from either side and both, liveness, reload, shutdown.
#include "tests/sim/pair.h"

namespace espgate::sim {
namespace {

using ::espgate::ike::Event;
using ::espgate::ike::Reason;
using ::espgate::ike::Terminate;

Terminate whole() { return {{}, "site", {}, {}, {}, false}; }
Terminate child(const char* name) { return {{}, {}, name, {}, {}, false}; }

TEST_F(Pair, TheInitiatorDeletesTheIkeSa) {
  establish();
  const auto id = a.terminate(whole());
  EXPECT_EQ(a.list().at(0).state, "DELETING");
  ASSERT_TRUE(net.run_until([&] { return a.result(id) != nullptr; }));
  EXPECT_TRUE(a.succeeded(id));
  EXPECT_EQ(a.result(id)->matched, 1U);
  EXPECT_EQ(a.last(Event::Kind::ike_down)->failure->code, Reason::closed_by_operator);
  EXPECT_EQ(b.last(Event::Kind::ike_down)->failure->code, Reason::peer_deleted);
  EXPECT_EQ(b.count(Event::Kind::child_down), 1U);
  expect_nothing_left();
}

TEST_F(Pair, TheResponderDeletesTheIkeSa) {
  establish();
  const auto id = b.terminate(whole());
  ASSERT_TRUE(net.run_until([&] { return b.result(id) != nullptr; }));
  EXPECT_EQ(a.last(Event::Kind::ike_down)->failure->code, Reason::peer_deleted);
  expect_nothing_left();
}

TEST_F(Pair, BothDeleteTheIkeSaAtOnce) {
  establish();
  const auto one = a.terminate(whole());
  const auto two = b.terminate(whole());
  ASSERT_TRUE(net.run_until([&] { return a.result(one) != nullptr && b.result(two) != nullptr; }, seconds(2)));
  EXPECT_EQ(a.last(Event::Kind::ike_down)->failure->code, Reason::closed_by_operator);
  EXPECT_EQ(b.last(Event::Kind::ike_down)->failure->code, Reason::closed_by_operator);
  expect_nothing_left();
}

TEST_F(Pair, AChildIsDeletedFromEitherSideAndTheIkeSaStays) {
  for (auto* host : {&a, &b}) {
    SCOPED_TRACE(host->name());
    establish();
    const auto id = host->terminate(child("net"));
    ASSERT_TRUE(net.run_until([&] { return host->result(id) != nullptr; }));
    EXPECT_TRUE(host->succeeded(id));
    net.run(seconds(1));
    EXPECT_TRUE(a.sad.empty());
    EXPECT_TRUE(b.sad.empty());
    EXPECT_EQ(a.list().at(0).state, "ESTABLISHED");
    EXPECT_EQ(b.list().at(0).state, "ESTABLISHED");
  }
  establish();  // and it can come back
  EXPECT_EQ(a.list().size(), 1U);
  expect_agreement(a, b);
}

TEST_F(Pair, BothDeleteTheChildAtOnce) {
  establish();
  const auto one = a.terminate(child("net"));
  const auto two = b.terminate(child("net"));
  ASSERT_TRUE(net.run_until([&] { return a.result(one) != nullptr && b.result(two) != nullptr; }, seconds(2)));
  EXPECT_TRUE(a.sad.empty());
  EXPECT_TRUE(b.sad.empty());
  EXPECT_EQ(a.removed.size(), 1U);
  EXPECT_EQ(b.removed.size(), 1U);
  EXPECT_EQ(a.list().at(0).state, "ESTABLISHED");
}

TEST_F(Pair, OneOfTwoChildrenIsDeletedByItsId) {
  for_a.children.push_back({"lab", {"10.11.0.0/16", "10.12.0.0/16"}});
  for_b = mirrored(for_a);
  establish();
  const auto more = a.initiate("site", "lab", b);
  ASSERT_TRUE(net.run_until([&] { return a.succeeded(more); }));
  Terminate what;
  what.child_id = a.list().at(0).children.at(0).id;
  const auto id = a.terminate(what);
  ASSERT_TRUE(net.run_until([&] { return a.result(id) != nullptr; }));
  ASSERT_EQ(a.sad.size(), 1U);
  EXPECT_EQ(a.sad.begin()->second.child, "lab");
  expect_agreement(a, b);
}

TEST_F(Pair, ForceDoesNotWait) {
  establish();
  net.weather.loss = 100;
  auto what = whole();
  what.force = true;
  const auto id = a.terminate(what);
  EXPECT_TRUE(a.succeeded(id));
  EXPECT_TRUE(a.list().empty());
  EXPECT_TRUE(a.sad.empty());
}

TEST_F(Pair, ForceSaysDeleteAllTheSame) {
  establish();
  auto what = whole();
  what.force = true;
  a.terminate(what);
  net.run(seconds(1));
  EXPECT_TRUE(b.list().empty());
  expect_nothing_left();
}

TEST_F(Pair, ConnectingIsGivenUpByTheOperator) {
  load();
  net.weather.loss = 100;
  const auto up = a.initiate("site", "net", b);
  net.run(seconds(1));
  const auto down = a.terminate(whole());
  EXPECT_TRUE(a.succeeded(down));
  EXPECT_EQ(a.failed(up), Reason::closed_by_operator);
  expect_nothing_left();
}

TEST_F(Pair, LivenessFindsADeadPeer) {
  for_a.dpd_delay = seconds(30);
  establish();
  const auto quiet = a.sent.size();
  net.run(seconds(100));
  EXPECT_GE(a.sent.size(), quiet + 3) << "one question each 30 s";
  EXPECT_EQ(a.list().at(0).state, "ESTABLISHED");
  net.weather.loss = 100;
  net.run(seconds(31 + 170));
  EXPECT_TRUE(a.list().empty());
  EXPECT_TRUE(a.sad.empty());
  EXPECT_EQ(a.last(Event::Kind::ike_down)->failure->code, Reason::timeout);
  EXPECT_NE(a.last(Event::Kind::ike_down)->failure->text.find("did not answer"), std::string::npos);
}

TEST_F(Pair, AConnectionThatIsGoneFromTheConfigIsClosed) {
  establish();
  a.load(config(for_a));  // the same again: nothing happens
  net.run(seconds(1));
  EXPECT_EQ(a.sad.size(), 1U);
  a.load({});
  net.run(seconds(1));
  EXPECT_EQ(a.last(Event::Kind::ike_down)->failure->code, Reason::config_removed);
  expect_nothing_left();
}

TEST_F(Pair, NewNegotiationsFollowTheNewConfig) {
  establish();
  for_a.children.push_back({"lab", {"10.11.0.0/16", "10.12.0.0/16"}});
  for_b = mirrored(for_a);
  load();
  const auto id = a.initiate("site", "lab", b);
  ASSERT_TRUE(net.run_until([&] { return a.result(id) != nullptr; }));
  EXPECT_TRUE(a.succeeded(id));
  EXPECT_EQ(a.list().size(), 1U);
  expect_agreement(a, b);
}

TEST_F(Pair, ShutdownDeletesEverything) {
  establish();
  const auto id = a.shutdown();
  ASSERT_TRUE(net.run_until([&] { return a.result(id) != nullptr; }, seconds(2)));
  EXPECT_TRUE(a.sad.empty());
  EXPECT_TRUE(b.sad.empty());
  EXPECT_EQ(failure(a, a.initiate("site", "net", b)).code, Reason::shutdown);
  expect_nothing_left();
}

TEST_F(Pair, ShutdownDoesNotWaitForADeadPeer) {
  establish();
  net.weather.loss = 100;
  const auto id = a.shutdown();
  ASSERT_TRUE(net.run_until([&] { return a.result(id) != nullptr; }, seconds(4)));
  EXPECT_TRUE(a.list().empty());
}

TEST_F(Pair, ShutdownOfNothingIsDoneAtOnce) {
  const auto id = a.shutdown();
  EXPECT_TRUE(a.succeeded(id));
}

}  // namespace
}  // namespace espgate::sim
