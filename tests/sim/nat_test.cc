// SPDX-License-Identifier: Apache-2.0
// NAT detection, the move to port 4500 and ESP in UDP (RFC 7296 2.23, RFC 3948).
#include "ike/wire/message.h"
#include "tests/sim/pair.h"

namespace espgate::sim {
namespace {

TEST_F(Pair, WithoutANatNothingMoves) {
  establish();
  EXPECT_EQ(a.list().at(0).local.port, 500);
  EXPECT_FALSE(a.list().at(0).nat_local);
  EXPECT_FALSE(a.sad.begin()->second.encap);
}

TEST_F(Pair, TheInitiatorBehindANat) {
  net.put_behind_nat(a, "203.0.113.7");
  establish();
  expect_agreement(a, b);
  const auto mine = a.list().at(0), theirs = b.list().at(0);
  EXPECT_TRUE(mine.nat_local);
  EXPECT_FALSE(mine.nat_remote);
  EXPECT_FALSE(theirs.nat_local);
  EXPECT_TRUE(theirs.nat_remote);
  EXPECT_EQ(mine.local.text(), "192.0.2.1:4500");
  EXPECT_EQ(mine.remote.text(), "198.51.100.2:4500");
  EXPECT_EQ(theirs.local.port, 4500);
  EXPECT_EQ(theirs.remote.text(), "203.0.113.7:24500");
  EXPECT_TRUE(a.sad.begin()->second.encap);
  EXPECT_EQ(b.sad.begin()->second.remote.text(), "203.0.113.7:24500") << "ESP goes where IKE came from";
  EXPECT_FALSE(a.sent.at(0).second.natt);
  EXPECT_TRUE(a.sent.at(1).second.natt) << "IKE_AUTH goes to 4500";
  // Both ends can still start exchanges.
  const auto id = b.terminate({{}, "site", {}, {}, {}, false});
  ASSERT_TRUE(net.run_until([&] { return b.result(id) != nullptr; }, seconds(2)));
  expect_nothing_left();
}

TEST_F(Pair, APeerBehindANatThatMovesIsFollowed) {
  for_a.dpd_delay = seconds(10);
  net.put_behind_nat(a, "203.0.113.7");
  establish();
  net.put_behind_nat(a, "203.0.113.8");  // the NAT was given another address
  net.run(seconds(15));
  EXPECT_EQ(b.list().at(0).remote.address.text(), "203.0.113.8");
  EXPECT_EQ(a.list().at(0).state, "ESTABLISHED");
  ASSERT_EQ(b.count(ike::Event::Kind::peer_moved), 1U);
  EXPECT_EQ(b.last(ike::Event::Kind::peer_moved)->detail, "from 203.0.113.7:24500 to 203.0.113.8:24500");
  expect_settled();
  EXPECT_EQ(b.count(ike::Event::Kind::child_rekeyed), 1U) << "ESP goes to the new mapping by a new key";
  EXPECT_EQ(b.sad.begin()->second.remote.text(), "203.0.113.8:24500");
}

TEST_F(Pair, GoodEspFromElsewhereTellsOfANewMapping) {
  net.put_behind_nat(a, "203.0.113.7");
  establish();
  net.put_behind_nat(a, "203.0.113.8");
  b.command(ike::PeerMoved{b.sad.begin()->first, {*base::Address::parse("203.0.113.8"), 24500}});
  expect_settled();
  EXPECT_EQ(b.sad.begin()->second.remote.text(), "203.0.113.8:24500");
  EXPECT_EQ(b.count(ike::Event::Kind::peer_moved), 1U);
  // Said again it is no news.
  b.command(ike::PeerMoved{b.sad.begin()->first, {*base::Address::parse("203.0.113.8"), 24500}});
  EXPECT_EQ(b.count(ike::Event::Kind::peer_moved), 1U);
  EXPECT_EQ(b.sad.size(), 1U);
}

TEST_F(Pair, WhatIsUnderWayGoesToTheNewMappingAtOnce) {
  net.put_behind_nat(a, "203.0.113.7");
  establish();
  net.put_behind_nat(a, "203.0.113.8");
  const auto id = b.rekey({{}, "site", {}, {}, {}});  // to the old mapping, where it is lost
  net.run(milliseconds(200));
  ASSERT_EQ(b.result(id), nullptr);
  b.command(ike::PeerMoved{b.sad.begin()->first, {*base::Address::parse("203.0.113.8"), 24500}});
  net.run(milliseconds(500));
  EXPECT_TRUE(b.succeeded(id)) << "before the first retransmission is due";
  expect_settled();
}

TEST_F(Pair, WhoIsBehindANatDoesNotFollow) {
  net.put_behind_nat(a, "203.0.113.7");
  establish();
  const auto before = a.list().at(0).remote;
  a.command(ike::PeerMoved{a.sad.begin()->first, {*base::Address::parse("203.0.113.99"), 4500}});
  EXPECT_EQ(a.list().at(0).remote, before);
  EXPECT_EQ(a.count(ike::Event::Kind::peer_moved), 0U);
}

TEST_F(Pair, AMoveWhileAChildIsBeingInstalledIsFollowedAfterwards) {
  for_a.dpd_delay = seconds(3);
  net.put_behind_nat(a, "203.0.113.7");
  load();
  b.install_delay = seconds(1);
  a.initiate("site", "net", b);
  ASSERT_TRUE(net.run_until([&] { return b.installs == 1; }, seconds(2)));
  net.put_behind_nat(a, "203.0.113.8");
  expect_settled();
  EXPECT_EQ(b.sad.begin()->second.remote.text(), "203.0.113.8:24500");
}

TEST_F(Pair, WhoIsBehindANatKeepsItsMappingAlive) {
  net.put_behind_nat(a, "203.0.113.7");
  establish();
  net.run(seconds(70));
  ASSERT_EQ(a.keepalives.size(), 3U) << "one in 20 s";
  EXPECT_EQ(a.keepalives[0].second.remote.text(), "198.51.100.2:4500");
  EXPECT_EQ(a.keepalives[0].second.local.port, 4500);
  EXPECT_EQ(a.keepalives[1].first - a.keepalives[0].first, seconds(20));
  EXPECT_TRUE(b.keepalives.empty());
  a.rekey({{}, "site", {}, {}, {}});
  net.run(seconds(60));
  EXPECT_GE(a.keepalives.size(), 5U) << "also for the rekeyed IKE SA";
  EXPECT_LE(a.keepalives.size(), 6U);
  const auto id = a.terminate({{}, "site", {}, {}, {}, false});
  ASSERT_TRUE(net.run_until([&] { return a.result(id) != nullptr; }, seconds(2)));
  expect_nothing_left();
}

TEST_F(Pair, EncapsulationIsForcedByEitherSide) {
  for (auto* side : {&for_a, &for_b}) {
    for_a.encap = for_b.encap = false;
    side->encap = true;
    establish();
    expect_agreement(a, b);
    EXPECT_TRUE(a.sad.begin()->second.encap);
    EXPECT_TRUE(b.sad.begin()->second.encap);
    EXPECT_EQ(a.list().at(0).remote.port, 4500);
    const auto id = a.terminate({{}, "site", {}, {}, {}, false});
    ASSERT_TRUE(net.run_until([&] { return a.result(id) != nullptr; }));
  }
}

TEST_F(Pair, APeerWithoutNatDetectionStaysOnPort500) {
  load();
  net.put_behind_nat(a, "203.0.113.7");
  net.filter = [&](ike::Datagram& datagram) {
    auto message = ike::wire::parse_message(datagram.data);
    if (!message || message->header.exchange != ike::wire::ExchangeType::ike_sa_init) return true;
    if (!message->header.response) return true;
    std::erase_if(message->payloads,
                  [](const auto& payload) { return ike::wire::type_of(payload) == ike::wire::PayloadType::notify; });
    datagram.data = ike::wire::write_message(message->header, message->payloads);
    return true;
  };
  a.initiate("site", "net", b);
  net.run(seconds(1));
  EXPECT_EQ(a.sent.at(1).second.local.port, 500);
  EXPECT_FALSE(a.sent.at(1).second.natt);
}

}  // namespace
}  // namespace espgate::sim
