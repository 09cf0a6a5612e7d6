// SPDX-License-Identifier: Apache-2.0
// Rekeying a child (RFC 7296 1.3.3, 2.8): both roles, with and without PFS, what is refused, and when each SA goes.
#include "tests/sim/pair.h"

namespace espgate::sim {
namespace {

using ::espgate::ike::Event;
using ::espgate::ike::Reason;

class Rekeying : public Pair {
 protected:
  ike::RequestId rekey(Host& host) { return host.rekey({{}, "site", "net", {}, {}}); }
  void rekey_and_wait(Host& host) {
    const auto id = rekey(host);
    ASSERT_TRUE(net.run_until([&] { return host.result(id) != nullptr; }));
    ASSERT_TRUE(host.succeeded(id)) << host.result(id)->failure->text;
    EXPECT_EQ(host.result(id)->matched, 1U);
  }
};

TEST_F(Rekeying, ByTheInitiator) {
  establish();
  const auto before = a.sad.begin()->second.spi_in;
  rekey_and_wait(a);
  expect_settled();
  EXPECT_NE(a.sad.begin()->second.spi_in, before);
  EXPECT_EQ(b.inbounds, 1U);
  EXPECT_EQ(b.switches, 1U);
  for (auto* host : {&a, &b}) {
    EXPECT_EQ(host->count(Event::Kind::child_up), 1U) << host->name();
    EXPECT_EQ(host->count(Event::Kind::child_rekeyed), 1U) << host->name();
    EXPECT_EQ(host->count(Event::Kind::child_down), 0U) << host->name();
  }
}

TEST_F(Rekeying, ByTheResponderAndAgain) {
  establish();
  for (int i = 0; i < 3; ++i) {
    rekey_and_wait(b);
    expect_settled();
  }
  EXPECT_EQ(a.count(Event::Kind::child_rekeyed), 3U);
}

TEST_F(Rekeying, OutboundWaitsForThePeersDelete) {
  establish();
  bool deletes = false;  // nothing but CREATE_CHILD_SA gets through
  net.filter = [&](ike::Datagram& datagram) { return deletes || datagram.data[18] != 37; };
  rekey_and_wait(a);
  EXPECT_EQ(a.outbound.size(), 2U) << "the initiator sends on the new one at once";
  EXPECT_EQ(b.receiving.size(), 2U);
  EXPECT_EQ(b.outbound.size(), 1U) << "the responder not before the peer's DELETE";
  net.run(seconds(70));
  EXPECT_EQ(b.outbound.size(), 1U) << "who knows whether the peer has our reply";
  EXPECT_EQ(a.receiving.size(), 2U) << "the old one stays until its DELETE is answered";
  deletes = true;
  net.run(seconds(20));
  expect_settled();
}

// A packet may have chosen it just before the new one came.
TEST_F(Rekeying, TheOldOutboundSaLingersAMoment) {
  establish();
  rekey(a);
  ASSERT_TRUE(net.run_until([&] { return b.switches == 1; }));
  EXPECT_EQ(b.outbound.size(), 2U);
  net.run(std::chrono::milliseconds(200));
  EXPECT_EQ(b.outbound.size(), 2U);
  net.run(std::chrono::milliseconds(100));
  EXPECT_EQ(b.outbound.size(), 1U);
  EXPECT_EQ(a.outbound.size(), 1U);
  EXPECT_EQ(b.receiving.size(), 2U) << "what is under way to it may still arrive";
  expect_settled();
}

TEST_F(Rekeying, OutboundSwitchesFiveSecondsAfterThePeerHasOurReply) {
  for_a.children.push_back({"lab", {"10.11.0.0/16", "10.12.0.0/16"}});
  for_b = mirrored(for_a);
  establish();
  net.filter = [&](ike::Datagram& datagram) { return datagram.data[18] != 37; };
  rekey(a);
  a.initiate("site", "lab", b);  // asked for before the DELETE, and so a sign that the reply came through
  net.run(seconds(4));
  EXPECT_EQ(b.outbound.size(), 2U);
  net.run(seconds(2));
  EXPECT_EQ(b.outbound.size(), 3U);
  net.filter = nullptr;
  expect_settled(2);
}

TEST_F(Rekeying, FirstPacketSwitchesOutbound) {
  establish();
  net.filter = [&](ike::Datagram& datagram) { return datagram.data[18] != 37; };
  rekey_and_wait(a);
  ike::ChildView fresh;
  const auto ikes = b.list();
  for (const auto& child : ikes[0].children) {
    if (child.state == "INSTALLED") fresh = child;
  }
  b.command(ike::InboundUsed{fresh.id});
  EXPECT_EQ(b.switches, 1U);
  net.filter = nullptr;
  expect_settled();
  EXPECT_EQ(b.switches, 1U);
}

TEST_F(Rekeying, ThePeersDeleteIsAnsweredWhenOutboundHasSwitched) {
  establish();
  rekey_and_wait(a);
  const auto answers = b.sent.size();
  b.install_delay = milliseconds(500);
  net.run(milliseconds(300));
  EXPECT_EQ(b.sent.size(), answers) << "held";
  net.run(milliseconds(400));
  EXPECT_EQ(b.sent.size(), answers + 1);
  expect_settled();
}

TEST_F(Rekeying, OldInboundLingersForPacketsUnderWay) {
  establish();
  rekey_and_wait(a);
  net.run(seconds(2));
  for (auto* host : {&a, &b}) {
    EXPECT_EQ(host->receiving.size(), 2U) << host->name();
    EXPECT_EQ(host->outbound.size(), 1U) << host->name();
  }
  expect_settled();
}

class WithPfs : public Rekeying {
 protected:
  WithPfs() { for_a.esp = for_b.esp = "aes128gcm16-x25519"; }
};

TEST_F(WithPfs, BothRoles) {
  establish();
  rekey_and_wait(a);
  expect_settled();
  rekey_and_wait(b);
  expect_settled();
  EXPECT_EQ(a.list()[0].children[0].group, "CURVE_25519");
}

TEST_F(WithPfs, AnotherGroupIsAskedFor) {
  for_a.esp = "aes128gcm16-x25519-ecp256";
  for_b.esp = "aes128gcm16-ecp256";
  establish();
  rekey_and_wait(a);
  expect_settled();
  EXPECT_EQ(a.list()[0].children[0].group, "ECP_256");
  EXPECT_EQ(b.count(Event::Kind::peer_refused), 0U) << "asking for another group is no failure";
}

TEST_F(WithPfs, NoGroupInCommonLeavesTheOldChild) {
  for_b.esp = "aes128gcm16";
  establish();
  const auto why = failure(a, rekey(a));
  EXPECT_EQ(why.peer_notify, "NO_PROPOSAL_CHOSEN");
  net.run(seconds(5));
  EXPECT_EQ(a.sad.size(), 1U);
  EXPECT_EQ(a.count(Event::Kind::rekey_failed), 1U);
  expect_agreement(a, b);
}

TEST_F(WithPfs, AFurtherChildHasItToo) {
  for_a.children.push_back({"lab", {"10.11.0.0/16", "10.12.0.0/16"}});
  for_b.children.push_back({"lab", {"10.12.0.0/16", "10.11.0.0/16"}});
  establish();
  const auto id = a.initiate("site", "lab", b);
  ASSERT_TRUE(net.run_until([&] { return a.result(id) != nullptr; }));
  ASSERT_TRUE(a.succeeded(id));
  expect_settled(2);
}

TEST_F(Rekeying, RefusedByThePeersKernelIsTriedAgain) {
  establish();
  b.install = Install::refuse;
  EXPECT_EQ(failure(a, rekey(a)).peer_notify, "NO_PROPOSAL_CHOSEN");
  EXPECT_EQ(a.sad.size(), 1U);
  b.install = Install::accept;
  net.run(seconds(30));
  expect_settled();
  EXPECT_EQ(a.count(Event::Kind::child_rekeyed), 1U);
}

TEST_F(Rekeying, RefusedByOurKernelIsTakenBackAndTriedAgain) {
  establish();
  a.install = Install::refuse;
  EXPECT_EQ(failure(a, rekey(a)).code, Reason::install_refused);
  net.run(seconds(1));
  EXPECT_EQ(b.sad.size(), 1U) << "the peer was told";
  a.install = Install::accept;
  net.run(seconds(30));
  expect_settled();
  EXPECT_EQ(b.count(Event::Kind::child_down), 0U);
}

TEST_F(Rekeying, OutboundRefusedAtTheLastMomentMakesAnother) {
  establish();
  b.refuse_switch = true;
  rekey_and_wait(a);
  net.run(milliseconds(200));
  b.refuse_switch = false;
  expect_settled();
  EXPECT_EQ(a.inbounds, 1U) << "b started it";
}

TEST_F(Rekeying, AChildThatThePeerDoesNotKnowIsMadeAfresh) {
  establish();
  // b forgets its child without a word: its DELETE is eaten, and answered as if by a.
  b.terminate({{}, "site", "net", {}, {}, true});
  net.filter = [&](ike::Datagram& datagram) {
    return datagram.local.address != b.address() || datagram.data[18] != 37;
  };
  b.terminate({{}, "site", "net", {}, {}, true});
  net.run(seconds(1));
  net.filter = nullptr;
  net.run(seconds(60));
  expect_agreement(a, b);
}

TEST_F(Rekeying, ByTime) {
  for_a.child_time = {60, 70, 10};
  establish();
  net.run(seconds(600));
  EXPECT_GE(a.count(Event::Kind::child_rekeyed), 9U);
  EXPECT_LE(a.count(Event::Kind::child_rekeyed), 12U);
  EXPECT_EQ(a.count(Event::Kind::child_down), 0U);
  EXPECT_LE(a.sad.size(), 2U);
  expect_agreement(a, b);
}

TEST_F(Rekeying, BothByTime) {
  for_a.child_time = for_b.child_time = {60, 70, 5};
  for_a.ike_time = for_b.ike_time = {200, 220, 20};
  establish();
  net.run(seconds(3600));
  EXPECT_GE(a.count(Event::Kind::child_rekeyed), 55U);
  EXPECT_GE(a.count(Event::Kind::ike_rekeyed), 16U);
  for (auto* host : {&a, &b}) {
    EXPECT_EQ(host->count(Event::Kind::child_down), 0U) << host->name();
    EXPECT_EQ(host->count(Event::Kind::ike_down), 0U) << host->name();
    EXPECT_LE(host->sad.size(), 2U);
  }
}

TEST_F(Rekeying, TheHardLimitEndsAChildThatCannotBeRekeyed) {
  for_a.child_time = {30, 60, 0};
  establish();
  b.install = Install::refuse;
  net.run(seconds(90));
  EXPECT_EQ(a.count(Event::Kind::child_down), 1U);
  EXPECT_EQ(a.last(Event::Kind::child_down)->failure->code, Reason::expired);
  EXPECT_TRUE(b.sad.empty());
}

TEST_F(Rekeying, TheKernelsSoftLimitStartsOneAndTheHardOneEndsIt) {
  establish();
  a.command(ike::Expired{a.sad.begin()->first, false});
  a.command(ike::Expired{a.sad.begin()->first, false});
  expect_settled();
  EXPECT_EQ(a.count(Event::Kind::child_rekeyed), 1U);
  a.command(ike::Expired{a.sad.begin()->first, true});
  net.run(seconds(10));
  EXPECT_TRUE(a.sad.empty());
  EXPECT_TRUE(b.sad.empty());
}

}  // namespace
}  // namespace espgate::sim
