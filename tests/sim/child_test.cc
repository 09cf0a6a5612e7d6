// SPDX-License-Identifier: Apache-2.0
// Selectors and further children: narrowing, CREATE_CHILD_SA in both roles, transport mode, what is refused.
#include "ike/wire/message.h"
#include "tests/sim/pair.h"

namespace espgate::sim {
namespace {

using ike::Event;

TEST_F(Pair, SelectorsAreNarrowedToWhatBothWant) {
  for_a.children = {{"net", {"10.1.0.0/16", "0.0.0.0/0"}}};
  for_b.children = {{"net", {"10.2.0.0/16", "10.0.0.0/8"}}};
  establish();
  expect_agreement(a, b);
  const auto& child = a.sad.begin()->second;
  EXPECT_EQ(child.local_ts.at(0).text(), "10.1.0.0/16");
  EXPECT_EQ(child.remote_ts.at(0).text(), "10.2.0.0/16");
}

TEST_F(Pair, DynamicSelectorsAreTheTunnelEnds) {
  for_a.children = {{"host", {"dynamic", "dynamic"}}};
  for_b.children = for_a.children;
  establish();
  EXPECT_EQ(a.sad.begin()->second.local_ts.at(0).text(), "192.0.2.1/32");
  EXPECT_EQ(a.sad.begin()->second.remote_ts.at(0).text(), "198.51.100.2/32");
  expect_agreement(a, b);
}

TEST_F(Pair, TheResponderTakesTheChildThatFitsBest) {
  for_a.children = {{"net", {"10.1.0.0/16", "10.2.0.0/16"}}};
  for_b.children = {{"wide", {"10.0.0.0/8", "10.0.0.0/8"}}, {"exact", {"10.2.0.0/16", "10.1.0.0/16"}}};
  establish();
  // Both take all of the request: the order of the config decides between equals.
  EXPECT_EQ(b.sad.begin()->second.child, "wide");
  EXPECT_EQ(b.sad.begin()->second.local_ts.at(0).text(), "10.2.0.0/16");
  for_b.children = {{"narrow", {"10.2.1.0/24", "10.1.0.0/16"}}, {"exact", {"10.2.0.0/16", "10.1.0.0/16"}}};
  b.load(config(for_b));
  a.load(config(for_a));
  const auto closing = a.terminate({{}, "site", {}, {}, {}, false});
  ASSERT_TRUE(net.run_until([&] { return a.result(closing) != nullptr; }));
  establish();
  EXPECT_EQ(b.sad.begin()->second.child, "exact");
}

TEST_F(Pair, TransportModeIsAgreed) {
  for_a.mode = for_b.mode = base::SaMode::transport;
  for_a.children = for_b.children = {{"host", {"dynamic", "dynamic"}}};
  establish();
  EXPECT_EQ(a.sad.begin()->second.mode, base::SaMode::transport);
  expect_agreement(a, b);
}

TEST_F(Pair, TransportModeThatThePeerDeclinesIsNoChild) {
  for_a.mode = base::SaMode::transport;
  for_a.children = for_b.children = {{"host", {"dynamic", "dynamic"}}};
  load();
  const auto id = a.initiate("site", "", b);
  EXPECT_EQ(failure(a, id).code, ike::Reason::no_proposal);
  expect_nothing_left();
}

class TwoChildren : public Pair {
 protected:
  TwoChildren() {
    for_a.children = {{"net", {"10.1.0.0/16", "10.2.0.0/16"}}, {"lab", {"10.11.0.0/16", "10.12.0.0/16"}}};
    for_b = mirrored(for_a);
  }
};

TEST_F(TwoChildren, TheInitiatorAddsOne) {
  establish();
  const auto id = a.initiate("site", "lab", b);
  ASSERT_TRUE(net.run_until([&] { return a.result(id) != nullptr; }));
  ASSERT_TRUE(a.succeeded(id)) << a.result(id)->failure->text;
  expect_agreement(a, b);
  EXPECT_EQ(a.sad.size(), 2U);
  EXPECT_EQ(a.list().size(), 1U) << "one IKE SA carries both";
}

TEST_F(TwoChildren, TheResponderAddsOne) {
  establish();
  const auto id = b.initiate("site", "lab", a);
  ASSERT_TRUE(net.run_until([&] { return b.result(id) != nullptr; }));
  ASSERT_TRUE(b.succeeded(id)) << b.result(id)->failure->text;
  net.run(seconds(1));
  expect_agreement(a, b);
  EXPECT_EQ(b.sad.size(), 2U);
  EXPECT_EQ(b.list().size(), 1U);
}

TEST_F(TwoChildren, BothAddOneAtOnce) {
  for_a.children.push_back({"third", {"10.21.0.0/16", "10.22.0.0/16"}});
  for_b = mirrored(for_a);
  establish();
  const auto one = a.initiate("site", "lab", b);
  const auto two = b.initiate("site", "third", a);
  ASSERT_TRUE(net.run_until([&] { return a.result(one) != nullptr && b.result(two) != nullptr; }));
  EXPECT_TRUE(a.succeeded(one));
  EXPECT_TRUE(b.succeeded(two));
  net.run(seconds(1));
  EXPECT_EQ(a.sad.size(), 3U);
  expect_agreement(a, b);
}

TEST_F(TwoChildren, BothAskedForBeforeTheFirstIsUp) {
  load();
  const auto one = a.initiate("site", "net", b);
  const auto two = a.initiate("site", "lab", b);
  ASSERT_TRUE(net.run_until([&] { return a.result(one) != nullptr && a.result(two) != nullptr; }));
  EXPECT_TRUE(a.succeeded(one));
  EXPECT_TRUE(a.succeeded(two));
  EXPECT_EQ(a.list().size(), 1U);
  expect_agreement(a, b);
}

TEST_F(TwoChildren, AChildThatThePeerRefusesLeavesTheOtherAlone) {
  for_b.children.pop_back();
  establish();
  const auto id = a.initiate("site", "lab", b);
  const auto why = failure(a, id);
  EXPECT_EQ(why.code, ike::Reason::ts_unacceptable);
  EXPECT_EQ(why.peer_notify, "TS_UNACCEPTABLE");
  EXPECT_EQ(why.step, "CREATE_CHILD_SA");
  net.run(seconds(1));
  EXPECT_EQ(a.sad.size(), 1U);
  EXPECT_EQ(a.list().at(0).state, "ESTABLISHED");
  EXPECT_EQ(b.last(Event::Kind::peer_refused)->failure->code, ike::Reason::ts_unacceptable);
  expect_agreement(a, b);
}

TEST_F(TwoChildren, InstallRefusedForTheSecondLeavesTheFirst) {
  establish();
  b.install = Install::refuse;
  const auto id = a.initiate("site", "lab", b);
  EXPECT_EQ(failure(a, id).peer_notify, "NO_PROPOSAL_CHOSEN");
  b.install = Install::accept;
  a.install = Install::refuse;
  const auto again = a.initiate("site", "lab", b);
  EXPECT_EQ(failure(a, again).code, ike::Reason::install_refused);
  net.run(seconds(5));
  EXPECT_EQ(a.sad.size(), 1U);
  EXPECT_EQ(b.sad.size(), 1U) << "the peer's half was deleted";
  EXPECT_EQ(a.list().at(0).state, "ESTABLISHED");
  expect_agreement(a, b);
}

TEST_F(TwoChildren, DeletedByTheResponderBeforeItsReplyArrives) {
  establish();
  int answers = 0;  // the first response of b is lost; a does not know the child when b's DELETE comes
  net.filter = [&](ike::Datagram& datagram) {
    const bool reply = datagram.local.address == b.address() && datagram.data[18] == 36;
    return !reply || answers++ != 0;
  };
  a.initiate("site", "lab", b);
  net.run(seconds(1));
  ASSERT_EQ(b.sad.size(), 2U);
  const auto id = b.terminate({{}, "site", "lab", {}, {}, false});
  net.run(seconds(2));
  EXPECT_EQ(b.result(id), nullptr) << "not deleted before the peer knew it";
  net.run(seconds(30));
  EXPECT_TRUE(b.succeeded(id));
  EXPECT_EQ(a.sad.size(), 1U);
  EXPECT_EQ(b.sad.size(), 1U);
  expect_agreement(a, b);
}

TEST_F(TwoChildren, RekeyedByTheResponderBeforeItsReplyArrives) {
  establish();
  int answers = 0;
  net.filter = [&](ike::Datagram& datagram) {
    const bool reply =
        datagram.local.address == b.address() && datagram.data[18] == 36 && (datagram.data[19] & 0x20) != 0;
    return !reply || answers++ != 0;
  };
  a.initiate("site", "lab", b);
  net.run(seconds(1));
  b.rekey({{}, "site", "lab", {}, {}});
  net.run(seconds(60));
  EXPECT_EQ(a.sad.size(), 2U);
  EXPECT_EQ(b.sad.size(), 2U);
  EXPECT_EQ(a.count(Event::Kind::child_down), 0U);
  expect_agreement(a, b);
}

}  // namespace
}  // namespace espgate::sim
