// SPDX-License-Identifier: Apache-2.0
// Peers that answer late, twice, or with what they said long ago.
#include <gtest/gtest.h>

#include <map>

#include "tests/sim/pair.h"

namespace espgate::sim {
namespace {

using Kind = ike::Event::Kind;

class SlowPeer : public Pair {
 protected:
  void rekey_both() {
    for (const bool child : {true, false}) {
      const auto id = a.rekey({{}, "site", child ? "net" : "", {}, {}});
      ASSERT_TRUE(net.run_until([&] { return a.result(id) != nullptr; }, seconds(900)));
      EXPECT_TRUE(a.succeeded(id)) << a.result(id)->failure->text;
      net.run(seconds(120));
    }
  }
};

// Ten seconds each way: every request is said three times before its answer comes, and every answer comes as often.
TEST_F(SlowPeer, AnswersAfterTwentySeconds) {
  for_a.dpd_delay = for_b.dpd_delay = seconds(60);
  net.weather.delay = seconds(10);
  establish();
  net.run(seconds(120));
  rekey_both();
  EXPECT_EQ(a.count(Kind::ike_up), 1U);
  EXPECT_EQ(a.count(Kind::child_rekeyed), 1U);
  EXPECT_EQ(a.count(Kind::ike_rekeyed), 1U);
  for (auto* host : {&a, &b}) {
    EXPECT_EQ(host->count(Kind::ike_down), 0U) << host->name();
    EXPECT_EQ(host->count(Kind::child_down), 0U) << host->name();
    EXPECT_EQ(host->count(Kind::child_failed), 0U) << host->name();
  }
  net.weather.delay = milliseconds(10);
  expect_settled();
}

// Slower with each answer, until it is too slow: given up once, cleanly, and later answers revive nothing.
TEST_F(SlowPeer, AnswersWhenNobodyWaitsAnyMore) {
  establish();
  net.weather.delay = seconds(200);
  const auto id = a.rekey({{}, "site", "net", {}, {}});
  ASSERT_TRUE(net.run_until([&] { return a.result(id) != nullptr; }, seconds(900)));
  EXPECT_FALSE(a.succeeded(id));
  EXPECT_EQ(a.count(Kind::ike_down), 1U);
  net.run(seconds(900));
  EXPECT_EQ(a.count(Kind::ike_up), 1U);
  EXPECT_TRUE(a.sad.empty());
  EXPECT_TRUE(a.list().empty());
}

TEST_F(SlowPeer, SaysEverythingTwice) {
  net.weather.duplicate = 100;
  establish();
  rekey_both();
  EXPECT_EQ(a.count(Kind::child_rekeyed), 1U);
  EXPECT_EQ(a.count(Kind::ike_rekeyed), 1U);
  expect_settled();
}

// All that was ever on the wire comes once more, in order, after everything was rekeyed: requests beneath the window
// and answers that nobody waits for do nothing, and the old IKE_SA_INIT makes a half-open SA that ends by itself.
TEST_F(SlowPeer, RepeatsWhatWasSaidLongAgo) {
  establish();
  rekey_both();
  expect_settled();
  const auto before_a = a.events.size(), installs = b.installs + b.inbounds;
  const auto children = b.list()[0].children;
  for (auto* host : {&a, &b}) {
    auto& other = host == &a ? b : a;
    const auto sent = host->sent;
    for (const auto& [when, datagram] : sent) {
      other.datagram({datagram.remote, datagram.local, datagram.natt, datagram.data});
      net.run(milliseconds(50));
    }
  }
  net.run(seconds(60));
  EXPECT_EQ(b.installs + b.inbounds, installs) << "nothing is installed anew";
  ASSERT_EQ(b.list().size(), 1U);
  EXPECT_EQ(b.list()[0].children[0].spi_in, children[0].spi_in);
  EXPECT_EQ(b.listed().half_open, 0U);
  for (std::size_t i = before_a; i < a.events.size(); ++i) {
    EXPECT_EQ(a.events[i].kind, Kind::dropped) << "event " << i;
  }
  expect_settled();
}

// A request of the window that was answered is answered with the same octets; one before it not at all.
TEST_F(SlowPeer, AsksAgainForWhatIsBeneathTheWindow) {
  establish();
  std::vector<ike::Datagram> asked;
  for (int i = 0; i < 3; ++i) {
    const auto id = a.rekey({{}, "site", "net", {}, {}});
    const auto request = a.sent.back().second;
    asked.push_back({request.remote, request.local, request.natt, request.data});
    ASSERT_TRUE(net.run_until([&] { return a.result(id) != nullptr; }));
    net.run(seconds(30));
  }
  const auto sent = b.sent.size();
  for (const auto& datagram : asked) b.datagram(datagram);
  net.run(seconds(10));
  EXPECT_EQ(b.sent.size(), sent) << "deletes came after each of them";
  expect_settled();
}

}  // namespace
}  // namespace espgate::sim
