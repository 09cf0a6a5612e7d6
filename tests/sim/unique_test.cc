// SPDX-License-Identifier: Apache-2.0
// unique = no, never, replace, keep: what becomes of a second IKE SA between the same identities.
#include "tests/sim/pair.h"

namespace espgate::sim {
namespace {

using Kind = ike::Event::Kind;

// b is the one whose policy is tried; a comes twice, the second time from `elsewhere`, as somebody who starts afresh or
// as one that knows of the first (a itself).
class UniqueTest : public Pair {
 protected:
  UniqueTest() {
    for_a.own_id = for_b.peer_id = "a.example.org";
    for_a.peer_id = for_b.own_id = "b.example.org";
  }
  void establish_with(ike::Unique at_a, ike::Unique at_b) {
    for_a.unique = at_a;
    for_b.unique = at_b;
    establish();
  }
  // The same peer once more; unique = never keeps it from saying INITIAL_CONTACT.
  ike::RequestId come_again(Host& host, ike::Unique unique) {
    auto side = for_a;
    side.unique = unique;
    host.load(config(side));
    const auto id = host.initiate("site", "", b);
    net.run_until([&] { return host.result(id) != nullptr; });
    net.run(seconds(1));
    return id;
  }
  Host again{net, "a again", "192.0.2.9", 33};
};

TEST_F(UniqueTest, NoLetsAllStandButHeedsInitialContact) {
  establish_with(ike::Unique::no, ike::Unique::no);
  EXPECT_TRUE(again.succeeded(come_again(again, ike::Unique::never)));
  EXPECT_EQ(b.list().size(), 2U) << "nobody said that the first is gone";
  Host third(net, "a for the third time", "192.0.2.10", 34);
  EXPECT_TRUE(third.succeeded(come_again(third, ike::Unique::no)));
  ASSERT_EQ(b.list().size(), 1U);
  EXPECT_EQ(b.last(Kind::ike_down)->failure->peer_notify, "INITIAL_CONTACT");
}

TEST_F(UniqueTest, NeverDoesNotHeedInitialContactNorSaysIt) {
  establish_with(ike::Unique::never, ike::Unique::never);
  EXPECT_TRUE(again.succeeded(come_again(again, ike::Unique::no)));
  EXPECT_EQ(b.list().size(), 2U);
  EXPECT_EQ(b.count(Kind::ike_down), 0U);
}

TEST_F(UniqueTest, ReplaceClosesTheOlderOneWithADelete) {
  establish_with(ike::Unique::never, ike::Unique::replace);
  EXPECT_TRUE(again.succeeded(come_again(again, ike::Unique::never)));
  ASSERT_EQ(b.list().size(), 1U);
  EXPECT_EQ(b.list().at(0).remote.address, again.address());
  EXPECT_EQ(b.last(Kind::ike_down)->failure->code, ike::Reason::not_unique);
  EXPECT_TRUE(a.list().empty()) << "its old one was deleted, not forgotten";
  EXPECT_TRUE(a.sad.empty());
  expect_agreement(again, b);
}

TEST_F(UniqueTest, ReplaceWaitsIfItLooksLikeAReauthentication) {
  establish_with(ike::Unique::never, ike::Unique::replace);
  auto twice = config(for_a);  // the same peer by another connection: an IKE SA beside the first
  auto second = std::make_shared<ike::ConnConfig>(*twice.conns[0]);
  second->name = "second";
  twice.conns.push_back(second);
  a.load(std::move(twice));
  const auto id = a.initiate("second", "", b);
  ASSERT_TRUE(net.run_until([&] { return a.result(id) != nullptr; }));
  EXPECT_TRUE(a.succeeded(id));
  EXPECT_EQ(b.list().size(), 2U) << "the peer moves its children itself";
  net.run(seconds(11));
  ASSERT_EQ(a.list().size(), 1U);
  EXPECT_EQ(a.list().at(0).conn, "second");
  EXPECT_EQ(b.list().size(), 1U);
  expect_agreement(a, b);
}

TEST_F(UniqueTest, KeepRefusesTheNewOne) {
  establish_with(ike::Unique::never, ike::Unique::keep);
  const auto id = come_again(again, ike::Unique::never);
  EXPECT_EQ(again.failed(id), ike::Reason::auth_failed);
  ASSERT_EQ(b.list().size(), 1U);
  EXPECT_EQ(b.list().at(0).remote.address, a.address());
  EXPECT_EQ(b.sad.size(), 1U);
  EXPECT_EQ(b.last(Kind::ike_failed)->failure->code, ike::Reason::not_unique);
  expect_agreement(a, b);
}

TEST_F(UniqueTest, KeepTakesWhoSaysThatTheOldOneIsGone) {
  establish_with(ike::Unique::no, ike::Unique::keep);
  EXPECT_TRUE(again.succeeded(come_again(again, ike::Unique::no)));
  ASSERT_EQ(b.list().size(), 1U);
  EXPECT_EQ(b.list().at(0).remote.address, again.address());
}

TEST_F(UniqueTest, OtherIdentitiesAreOtherPeers) {
  for_b.peer_id = "";
  establish_with(ike::Unique::never, ike::Unique::keep);
  for_a.own_id = "c.example.org";
  EXPECT_TRUE(again.succeeded(come_again(again, ike::Unique::never)));
  EXPECT_EQ(b.list().size(), 2U);
}

}  // namespace
}  // namespace espgate::sim
