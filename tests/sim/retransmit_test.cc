// SPDX-License-Identifier: Apache-2.0
// Message ids, retransmission and its schedule, half-open SAs.
#include <set>

#include "ike/wire/message.h"
#include "tests/sim/pair.h"

namespace espgate::sim {
namespace {

using ::espgate::ike::Event;
using ::espgate::ike::Reason;

// Seconds since the first one at which the host sent something.
std::vector<double> times(const Host& host) {
  std::vector<double> out;
  for (const auto& [at, datagram] : host.sent) {
    out.push_back(std::chrono::duration<double>(at - host.sent.front().first).count());
  }
  return out;
}

TEST_F(Pair, TheDefaultScheduleIsStrongSwans) {
  load();
  net.weather.loss = 100;
  const auto id = a.initiate("site", "net", b);
  ASSERT_TRUE(net.run_until([&] { return a.result(id) != nullptr; }));
  const auto sent = times(a);
  const std::vector<double> expected{0, 4, 11.2, 24.16, 47.488, 89.4784};
  ASSERT_EQ(sent.size(), expected.size());
  for (std::size_t i = 0; i < sent.size(); ++i) EXPECT_NEAR(sent[i], expected[i], 1e-6) << i;
  EXPECT_NEAR(std::chrono::duration<double>(net.now - Instant{}).count(), 165.06, 0.01);
  for (const auto& [at, datagram] : a.sent) EXPECT_EQ(datagram.data, a.sent[0].second.data) << "octet for octet";
  const auto& why = *a.result(id)->failure;
  EXPECT_EQ(why.code, Reason::timeout);
  EXPECT_EQ(why.step, "IKE_SA_INIT");
  EXPECT_NE(why.text.find("198.51.100.2:500 did not answer IKE_SA_INIT: sent 6 times in 165 s"), std::string::npos)
      << why.text;
  expect_nothing_left();
}

TEST_F(Pair, TheConfiguredScheduleIsKept) {
  auto own = config(for_a);
  own.retransmission = {seconds(1), 2.0, 4, seconds(3)};
  a.load(std::move(own));
  net.weather.loss = 100;
  const auto id = a.initiate("site", "net", b);
  ASSERT_TRUE(net.run_until([&] { return a.result(id) != nullptr; }));
  EXPECT_EQ(times(a), (std::vector<double>{0, 1, 3, 6, 9}));
  EXPECT_EQ(net.now - Instant{}, base::Duration(seconds(12)));
}

TEST_F(Pair, WhatWaitsGoesOutAtOnceWhenThePathIsUpAgain) {
  establish();
  net.weather.loss = 100;
  const auto id = a.rekey({{}, "site", "net", {}, {}});
  net.run(seconds(30));
  const auto before = a.sent.size();
  ASSERT_EQ(a.result(id), nullptr);
  net.weather.loss = 0;
  a.command(ike::PathUp{});
  EXPECT_EQ(a.sent.size(), before + 1);
  EXPECT_EQ(a.sent.back().second.data, a.sent[before - 1].second.data) << "the same octets";
  ASSERT_TRUE(net.run_until([&] { return a.result(id) != nullptr; }, seconds(1))) << "the next one was not due";
  EXPECT_TRUE(a.succeeded(id));
  b.command(ike::PathUp{});
  EXPECT_EQ(b.count(Event::Kind::ike_down), 0U);
}

TEST_F(Pair, ARepeatedRequestGetsTheSameOctetsBack) {
  establish();
  const auto id = a.terminate({{}, {}, "net", {}, {}, false});
  ASSERT_TRUE(net.run_until([&] { return a.result(id) != nullptr; }));
  const auto request = a.sent.back().second;
  const auto response = b.sent.back().second;
  const auto before = b.sent.size();
  const auto removed = b.removed.size();
  for (int i = 0; i < 3; ++i) b.datagram({request.remote, request.local, false, request.data});
  ASSERT_EQ(b.sent.size(), before + 3);
  for (std::size_t i = before; i < b.sent.size(); ++i) EXPECT_EQ(b.sent[i].second.data, response.data);
  EXPECT_EQ(b.removed.size(), removed);
}

TEST_F(Pair, ARepeatedIkeSaInitGetsTheSameOctetsAndNoSecondSa) {
  load();
  a.initiate("site", "net", b);
  const auto request = a.sent.back().second;
  net.run(milliseconds(15));
  ASSERT_EQ(b.sent.size(), 1U);
  b.datagram({request.remote, request.local, false, request.data});
  ASSERT_EQ(b.sent.size(), 2U);
  EXPECT_EQ(b.sent[0].second.data, b.sent[1].second.data);
  net.run(seconds(60));
  EXPECT_EQ(b.list().size(), 1U);
  EXPECT_EQ(b.count(Event::Kind::ike_failed), 0U) << "no half-open twin that timed out";
}

TEST_F(Pair, ADeleteWhoseAnswerIsLostIsAnsweredAgain) {
  establish();
  bool lost = false;
  net.filter = [&](ike::Datagram& datagram) {
    if (lost || datagram.local.address != b.address()) return true;
    lost = true;
    return false;
  };
  const auto id = a.terminate({{}, "site", {}, {}, {}, false});
  ASSERT_TRUE(net.run_until([&] { return a.result(id) != nullptr; }, seconds(10)));
  EXPECT_TRUE(lost);
  EXPECT_LT(net.now - Instant{}, base::Duration(seconds(10))) << "b answered, though its SA was gone";
  expect_nothing_left();
}

TEST_F(Pair, HalfOpenSasEnd) {
  load();
  net.filter = [&](ike::Datagram& datagram) { return datagram.local.address == a.address(); };
  a.initiate("site", "net", b);
  net.run(seconds(29));
  EXPECT_EQ(b.count(Event::Kind::ike_failed), 0U);
  net.run(seconds(2));
  EXPECT_EQ(b.count(Event::Kind::ike_failed), 1U);
  EXPECT_EQ(b.last(Event::Kind::ike_failed)->failure->code, Reason::timeout);
  expect_nothing_left();
}

TEST(HalfOpen, TheirNumberIsBounded) {
  Net net;
  ike::Engine::Options few;
  few.half_open_limit = 5;
  Host b(net, "b", "198.51.100.2", 1, few);
  b.load(config(mirrored(Side{})));
  std::vector<std::unique_ptr<Host>> crowd;
  for (int i = 1; i <= 8; ++i) {
    crowd.push_back(std::make_unique<Host>(net, "c", "192.0.2." + std::to_string(i), 100 + i));
    crowd.back()->load(config(Side{}));
  }
  net.filter = [&](ike::Datagram& datagram) { return datagram.local.address != b.address(); };
  for (auto& host : crowd) host->initiate("site", "net", b);
  net.run(seconds(1));
  EXPECT_EQ(b.sent.size(), 5U);
  ASSERT_NE(b.last(Event::Kind::dropped), nullptr);
  EXPECT_EQ(b.last(Event::Kind::dropped)->failure->code, Reason::half_open_limit);
  net.filter = {};
  net.run(seconds(35));  // the five come again by themselves; the others find room when it is there
  EXPECT_EQ(b.list().size(), 8U);
}

}  // namespace
}  // namespace espgate::sim
