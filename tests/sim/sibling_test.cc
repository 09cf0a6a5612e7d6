// SPDX-License-Identifier: Apache-2.0
// Children that are there twice, and SAs that one side forgot: what is sent on which (task/sibling.h, RFC 7296 2.4).
#include "ike/wire/header.h"
#include "tests/sim/pair.h"

namespace espgate::sim {
namespace {

using ike::wire::ExchangeType;

class Siblings : public Pair {
 protected:
  // Both sides call at the same time, b's call comes through after a's child is up.
  void call_from_both() {
    load();
    const auto until = net.now + seconds(1);
    net.filter = [this, until](ike::Datagram& datagram) {
      return !(datagram.local.address == b.address() && net.now < until &&
               is(datagram, ExchangeType::ike_sa_init, false));
    };
    a.initiate("site", "net", b);
    b.initiate("site", "net", a);
    ASSERT_TRUE(net.run_until([&] { return a.count(ike::Event::Kind::child_up) == 1; }, seconds(1)));
  }
  static bool is(const ike::Datagram& datagram, ExchangeType exchange, bool response) {
    const auto header = ike::wire::parse_header(datagram.data);
    return header && header->exchange == exchange && header->response == response;
  }
};

TEST_F(Siblings, TheSecondOneWaitsUntilThePeerHasIt) {
  call_from_both();
  int lost = 0;
  net.filter = [&](ike::Datagram& datagram) {
    return !(datagram.local.address == a.address() && is(datagram, ExchangeType::ike_auth, true) && ++lost <= 2);
  };
  ASSERT_TRUE(net.run_until([&] { return a.sad.size() == 2; }, seconds(20)));
  EXPECT_EQ(a.outbound.size(), 1U) << "b has not got the reply, a may not send on what it made";
  EXPECT_EQ(a.receiving.size(), 2U);
  ASSERT_TRUE(net.run_until([&] { return b.count(ike::Event::Kind::child_up) == 2; }, seconds(30)));
  ASSERT_TRUE(net.run_until([&] { return a.outbound.size() == 2; }, seconds(30))) << "b answers a's question";
}

TEST_F(Siblings, TheSecondOneSendsAtOnceWhenTheFirstIsGone) {
  call_from_both();
  net.filter = [&](ike::Datagram& datagram) {
    return !(datagram.local.address == a.address() && !is(datagram, ExchangeType::ike_sa_init, true));
  };
  ASSERT_TRUE(net.run_until([&] { return a.sad.size() == 2; }, seconds(20)));
  ASSERT_EQ(a.outbound.size(), 1U);
  const auto first = *a.outbound.begin();
  a.terminate({{}, {}, {}, {}, first, true});
  net.run(milliseconds(100));
  EXPECT_FALSE(a.sad.contains(first));
  EXPECT_EQ(a.outbound.size(), 1U);
}

TEST_F(Siblings, TwoPeersAtOneAddressAreNone) {
  for_a.own_id = "one.example.org";
  auto both = config(for_a);
  auto second = std::make_shared<ike::ConnConfig>(*both.conns.front());
  second->name = "second";
  second->local.id = identity("two.example.org");
  both.conns.push_back(std::move(second));
  a.load(std::move(both));
  b.load(config(for_b));
  for (const auto* conn : {"site", "second"}) {
    const auto id = a.initiate(conn, "net", b);
    ASSERT_TRUE(net.run_until([&] { return a.result(id) != nullptr; }));
    ASSERT_TRUE(a.succeeded(id)) << a.result(id)->failure->text;
  }
  EXPECT_EQ(b.sad.size(), 2U);
  EXPECT_EQ(b.outbound.size(), 2U) << "the second is another peer's, and waits for nothing";
}

TEST_F(Siblings, AChildOfAnIkeSaThatIsBeingClosedIsNotInstalled) {
  for_a.children.push_back({"more", {"10.3.0.0/16", "10.2.0.0/16"}});
  for_b = mirrored(for_a);
  establish();
  a.initiate("site", "more", b);
  a.terminate({{}, "site", {}, {}, {}, false});
  const auto before = a.installs;
  net.run(seconds(5));
  EXPECT_EQ(a.installs, before);
  expect_nothing_left();
}

TEST_F(Siblings, ClosingARekeyedChildBeginsWithTheNewest) {
  establish();
  a.install_delay = milliseconds(200);
  a.rekey({{}, "site", "net", {}, {}});
  ASSERT_TRUE(net.run_until([&] { return a.list().at(0).children.size() == 2; }, seconds(2)));
  a.terminate({{}, "site", "net", {}, {}, false});
  std::size_t switches = 0;
  net.run_until([&] { return (switches += b.switches) != 0; }, seconds(3));
  EXPECT_EQ(b.switches, 0U) << "b took the DELETE of the old one for the end of the rekey";
  net.run(seconds(20));
  EXPECT_TRUE(a.sad.empty());
  EXPECT_TRUE(b.sad.empty());
}

TEST_F(Siblings, WhatThePeerDeniesAndReplacedIsGivenUpEarly) {
  for_b.dpd_delay = seconds(10);
  call_from_both();
  ASSERT_TRUE(net.run_until([&] { return b.sad.size() == 2; }, seconds(20)));
  net.run(seconds(8));
  const auto ikes = a.list();
  ASSERT_EQ(ikes.size(), 2U);
  // a forgets one of the two without a word.
  net.filter = [&](ike::Datagram& datagram) { return datagram.local.address != a.address(); };
  a.terminate({{}, "site", {}, ikes[0].id, {}, true});
  net.filter = {};
  const auto asked = net.now;
  ASSERT_TRUE(net.run_until([&] { return b.list().size() == 1; }, seconds(120)));
  EXPECT_LT(net.now - asked, seconds(60)) << "thirteen transmissions take longer";
  EXPECT_EQ(b.list()[0].spi_i, ikes[1].spi_i);
  const auto* down = b.last(ike::Event::Kind::ike_down);
  ASSERT_NE(down, nullptr);
  EXPECT_NE(down->failure->text.find("does not know this IKE SA"), std::string::npos) << down->failure->text;
}

TEST_F(Siblings, WhatARekeyMadeAndThePeerClosedBeforeWeHeardOfItIsGivenUpEarly) {
  for_a.dpd_delay = seconds(10);
  establish();
  const auto before = b.list().at(0).id;
  // a does not get the reply; b closes what it made, without a word.
  net.filter = [&](ike::Datagram& datagram) { return datagram.local.address != b.address(); };
  a.rekey({{}, "site", {}, {}, {}});
  ASSERT_TRUE(net.run_until([&] { return b.list().back().id != before; }, seconds(5)));
  b.terminate({{}, "site", {}, b.list().back().id, {}, true});
  net.filter = {};
  ASSERT_TRUE(net.run_until([&] { return a.count(ike::Event::Kind::ike_rekeyed) == 1; }, seconds(20)));
  const auto heard = net.now;
  ASSERT_TRUE(net.run_until([&] { return a.list().empty(); }, seconds(120)));
  EXPECT_LT(net.now - heard, seconds(60)) << "thirteen transmissions take longer";
  expect_nothing_left();
}

}  // namespace
}  // namespace espgate::sim
