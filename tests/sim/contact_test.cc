// SPDX-License-Identifier: Apache-2.0
// INITIAL_CONTACT (RFC 7296 2.4): a peer that started afresh takes its dead IKE SAs with it, and no living one.
#include <gmock/gmock.h>

#include <optional>

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

// The peer gave up a set-up whose last request was still on its way, began another, and has moved since: what b makes
// of the first nobody will ever answer for.
TEST_F(Contact, AnIkeSaWhosePeerSpeaksOnANewerOneOnlyIsGivenUpEarly) {
  for_b.dpd_delay = seconds(30);
  load();
  std::optional<ike::Datagram> held_back;
  net.filter = [&](ike::Datagram& datagram) {
    const bool auth = datagram.remote.address == b.address() && datagram.data.at(18) == 35;
    if (auth && !held_back) {
      held_back = datagram;
      std::swap(held_back->local, held_back->remote);
    }
    return !auth;
  };
  a.initiate("site", "", b);
  ASSERT_TRUE(net.run_until([&] { return held_back.has_value(); }));
  a.terminate({{}, "site", {}, {}, {}, false});
  net.filter = {};
  const auto id = a.initiate("site", "", b);
  net.run(milliseconds(15));  // b has the IKE_SA_INIT request
  b.datagram(*held_back);
  const auto lost = b.list().at(0).id;
  // The old one's answers are lost, and so is what b asks on it.
  const auto of_old = base::Bytes(held_back->data.begin(), held_back->data.begin() + 8);
  net.filter = [of_old](ike::Datagram& datagram) {
    return !std::equal(of_old.begin(), of_old.end(), datagram.data.begin());
  };
  ASSERT_TRUE(net.run_until([&] { return a.result(id) != nullptr; }));
  ASSERT_TRUE(a.succeeded(id));
  net.run(seconds(1));
  ASSERT_EQ(b.list().size(), 2U);  // it may live: b asks
  net.run(seconds(50));            // three retransmissions later; all of them take 165 s
  ASSERT_EQ(b.list().size(), 1U);
  EXPECT_NE(b.list().at(0).id, lost);
  const auto* down = b.last(ike::Event::Kind::ike_down);
  ASSERT_NE(down, nullptr);
  EXPECT_THAT(down->failure->text, ::testing::HasSubstr("it speaks on a newer IKE SA"));
  expect_agreement(a, b);
}

}  // namespace
}  // namespace espgate::sim
