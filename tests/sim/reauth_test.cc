// SPDX-License-Identifier: Apache-2.0
// Reauthentication, make-before-break (RFC 7296 2.8.3).
#include "ike/wire/header.h"
#include "tests/sim/pair.h"

namespace espgate::sim {
namespace {

using ike::Event;

class Reauth : public Pair {
 protected:
  void SetUp() override {
    for_a.children.push_back({"more", {"10.3.0.0/16", "10.2.0.0/16"}});
    for_a.reauth = 600;
    for_b = mirrored(for_a);
    for_b.reauth = 0;
  }
  void both_children() {
    establish();
    const auto id = a.initiate("site", "more", b);
    ASSERT_TRUE(net.run_until([&] { return a.succeeded(id); }, seconds(5)));
    net.run(seconds(1));
  }
};

TEST_F(Reauth, ANewIkeSaWithAllChildrenTakesThePlaceOfTheOld) {
  both_children();
  const auto before = a.list().at(0);
  net.run(seconds(640));
  expect_settled(2);
  EXPECT_NE(a.list().at(0).spi_i, before.spi_i);
  EXPECT_EQ(a.count(Event::Kind::ike_up), 2U) << "authenticated anew";
  EXPECT_EQ(a.count(Event::Kind::ike_down), 1U);
  EXPECT_EQ(a.last(Event::Kind::ike_down)->failure->code, ike::Reason::rekeyed);
  net.run(seconds(600));
  EXPECT_EQ(a.count(Event::Kind::ike_up), 3U) << "and again";
}

TEST_F(Reauth, AtNoTimeIsAChildDown) {
  both_children();
  const auto end = net.now + seconds(700);
  while (net.now < end) {
    net.run(milliseconds(1));
    for (auto* host : {&a, &b}) {
      ASSERT_GE(host->outbound.size(), 2U) << host->name();
      ASSERT_GE(host->receiving.size(), 2U) << host->name();
    }
  }
}

TEST_F(Reauth, WhenThePeerDoesNotAnswerTheOldOneStaysAndItIsTriedAgain) {
  both_children();
  int refused = 0;
  net.filter = [&](ike::Datagram& datagram) {
    const auto header = ike::wire::parse_header(datagram.data);
    const bool init = header && header->exchange == ike::wire::ExchangeType::ike_sa_init;
    refused += init ? 1 : 0;
    return !init;
  };
  net.run(seconds(900));
  EXPECT_GT(refused, 0);
  EXPECT_EQ(a.count(Event::Kind::ike_failed), 1U);
  EXPECT_EQ(a.count(Event::Kind::child_down), 0U);
  net.filter = {};
  net.run(seconds(300));
  expect_settled(2);
  EXPECT_GE(a.count(Event::Kind::ike_up), 2U);
}

TEST_F(Reauth, ARekeyDoesNotPutItOff) {
  for_a.ike_time = {200, 2000, 0};
  both_children();
  net.run(seconds(500));
  EXPECT_GE(a.count(Event::Kind::ike_rekeyed), 2U);
  EXPECT_EQ(a.count(Event::Kind::ike_up), 1U);
  net.run(seconds(120));
  EXPECT_EQ(a.count(Event::Kind::ike_up), 2U);
  expect_settled(2);
}

TEST_F(Reauth, WhateverTheWeather) {
  both_children();
  net.weather = {.loss = 25, .duplicate = 10, .garble = 0, .delay = milliseconds(20), .jitter = milliseconds(100)};
  net.run(seconds(3000));
  net.weather = {};
  net.run(seconds(300));
  expect_settled(2);
  EXPECT_GE(a.count(Event::Kind::ike_up), 3U);
}

}  // namespace
}  // namespace espgate::sim
