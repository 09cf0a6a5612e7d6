// SPDX-License-Identifier: Apache-2.0
// INITIAL_CONTACT (RFC 7296 2.4): a peer that started afresh takes its dead IKE SAs with it, and no living one.
#include "tests/sim/pair.h"

namespace espgate::sim {
namespace {

class Contact : public Pair {
 protected:
  Contact() {
    for_a.own_id = for_b.peer_id = "a.example.org";
    for_a.peer_id = for_b.own_id = "b.example.org";
  }
};

TEST_F(Contact, APeerThatStartedAfreshTakesItsDeadSaWithIt) {
  establish();
  Host reborn(net, "a again", "192.0.2.9", 33);  // wherever it is: its identity decides
  reborn.load(config(for_a));
  const auto id = reborn.initiate("site", "", b);
  ASSERT_TRUE(net.run_until([&] { return reborn.result(id) != nullptr; }));
  ASSERT_TRUE(reborn.succeeded(id)) << reborn.result(id)->failure->text;
  net.run(seconds(1));
  ASSERT_EQ(b.list().size(), 1U);
  EXPECT_EQ(b.list().at(0).remote.address, reborn.address());
  EXPECT_EQ(b.sad.size(), 1U);
  expect_agreement(reborn, b);
  ASSERT_NE(b.last(ike::Event::Kind::ike_down), nullptr);
  EXPECT_EQ(b.last(ike::Event::Kind::ike_down)->failure->peer_notify, "INITIAL_CONTACT");
}

TEST_F(Contact, BothThatStartAtOnceLoseNothing) {
  load();
  const auto one = a.initiate("site", "", b);
  const auto other = b.initiate("site", "", a);
  ASSERT_TRUE(net.run_until([&] { return a.result(one) != nullptr && b.result(other) != nullptr; }));
  EXPECT_TRUE(a.succeeded(one));
  EXPECT_TRUE(b.succeeded(other));
  net.run(seconds(1));
  for (auto* host : {&a, &b}) {
    EXPECT_EQ(host->count(ike::Event::Kind::ike_down), 0U) << host->name();
    EXPECT_EQ(host->list().size(), 2U) << host->name();
    EXPECT_EQ(host->sad.size(), 2U) << host->name();
  }
  expect_agreement(a, b);
}

TEST_F(Contact, ASecondIkeSaOfALivingPeerDoesNotSayIt) {
  establish();
  const auto before = a.list().at(0).id;
  const auto id = b.initiate("site", "", a);  // b has one already: the new one stands beside it, or serves in its stead
  ASSERT_TRUE(net.run_until([&] { return b.result(id) != nullptr; }));
  EXPECT_TRUE(b.succeeded(id));
  net.run(seconds(1));
  EXPECT_EQ(a.count(ike::Event::Kind::ike_down), 0U);
  EXPECT_TRUE(std::ranges::any_of(a.list(), [&](const auto& ike) { return ike.id == before; }));
}

TEST_F(Contact, AnIkeSaThatIsBeingClosedIsNoContact) {
  establish();
  net.filter = [&](ike::Datagram& datagram) { return datagram.remote.address != b.address(); };
  a.terminate({{}, "site", {}, {}, {}, false});  // b does not hear of it
  net.run(seconds(1));
  net.filter = {};
  const auto id = a.initiate("site", "", b);
  ASSERT_TRUE(net.run_until([&] { return a.result(id) != nullptr; }));
  ASSERT_TRUE(a.succeeded(id)) << a.result(id)->failure->text;
  const auto* down = b.last(ike::Event::Kind::ike_down);
  ASSERT_NE(down, nullptr);
  EXPECT_EQ(down->failure->peer_notify, "INITIAL_CONTACT");
  net.run(seconds(60));
  EXPECT_EQ(b.list().size(), 1U);
  expect_agreement(a, b);
}

}  // namespace
}  // namespace espgate::sim
