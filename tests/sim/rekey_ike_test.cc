// SPDX-License-Identifier: Apache-2.0
// Rekeying the IKE SA (RFC 7296 1.3.2, 2.18): children move, whoever waits goes along.
#include "tests/sim/pair.h"

namespace espgate::sim {
namespace {

using ::espgate::ike::Event;

class RekeyingIke : public Pair {
 protected:
  ike::RequestId rekey(Host& host) { return host.rekey({{}, "site", {}, {}, {}}); }
  void rekey_and_wait(Host& host) {
    const auto id = rekey(host);
    ASSERT_TRUE(net.run_until([&] { return host.result(id) != nullptr; }));
    ASSERT_TRUE(host.succeeded(id)) << host.result(id)->failure->text;
  }
};

TEST_F(RekeyingIke, TheChildrenMove) {
  establish();
  const auto before = a.list()[0];
  const auto spi = a.sad.begin()->second.spi_in;
  rekey_and_wait(a);
  expect_settled();
  const auto after = a.list()[0];
  EXPECT_NE(after.spi_i, before.spi_i);
  EXPECT_NE(after.id, before.id);
  EXPECT_EQ(a.sad.begin()->second.spi_in, spi) << "the child is the same";
  for (auto* host : {&a, &b}) {
    EXPECT_EQ(host->count(Event::Kind::ike_rekeyed), 1U) << host->name();
    EXPECT_EQ(host->count(Event::Kind::ike_down), 0U) << host->name();
    EXPECT_EQ(host->count(Event::Kind::child_down), 0U) << host->name();
  }
  rekey_and_wait(b);
  expect_settled();
  // Children can be rekeyed on it by both sides, and it can be closed.
  for (auto* host : {&a, &b}) {
    const auto id = host->rekey({{}, "site", "net", {}, {}});
    ASSERT_TRUE(net.run_until([&] { return host->result(id) != nullptr; }));
    EXPECT_TRUE(host->succeeded(id));
    expect_settled();
  }
  const auto closing = b.terminate({{}, "site", {}, {}, {}, false});
  ASSERT_TRUE(net.run_until([&] { return b.result(closing) != nullptr; }));
  expect_nothing_left();
}

TEST_F(RekeyingIke, WithAnotherGroup) {
  for_a.ike = "aes128gcm16-prfsha256-x25519-ecp256";
  for_b.ike = "aes128gcm16-prfsha256-x25519-ecp256";
  establish();
  for_b.ike = "aes128gcm16-prfsha256-ecp256";
  b.load(config(for_b));
  rekey_and_wait(a);
  expect_settled();
  EXPECT_EQ(a.list()[0].dh_group, "ECP_256");
}

TEST_F(RekeyingIke, BothAtOnce) {
  establish();
  const auto one = rekey(a);
  const auto two = rekey(b);
  ASSERT_TRUE(net.run_until([&] { return a.result(one) != nullptr && b.result(two) != nullptr; }));
  EXPECT_TRUE(a.succeeded(one));
  EXPECT_TRUE(b.succeeded(two));
  expect_settled();
  EXPECT_EQ(a.count(Event::Kind::ike_rekeyed), 1U);
  EXPECT_EQ(b.count(Event::Kind::ike_rekeyed), 1U);
}

TEST_F(RekeyingIke, MeetsAChildsRekey) {
  establish();
  rekey(a);
  b.rekey({{}, "site", "net", {}, {}});
  net.run(seconds(60));
  expect_settled();
  EXPECT_GE(a.count(Event::Kind::rekey_failed) + b.count(Event::Kind::rekey_failed), 1U) << "TEMPORARY_FAILURE";
  EXPECT_EQ(a.count(Event::Kind::ike_rekeyed), 1U) << "tried again";
  EXPECT_EQ(a.count(Event::Kind::child_rekeyed), 1U) << "tried again";
}

TEST_F(RekeyingIke, MeetsADeleteOfTheSa) {
  establish();
  rekey(a);
  const auto id = b.terminate({{}, "site", {}, {}, {}, false});
  ASSERT_TRUE(net.run_until([&] { return b.result(id) != nullptr; }));
  expect_nothing_left();
}

TEST_F(RekeyingIke, ClosedWhileItIsRekeyed) {
  establish();
  rekey(a);
  const auto id = a.terminate({{}, "site", {}, {}, {}, false});
  ASSERT_TRUE(net.run_until([&] { return a.result(id) != nullptr; }));
  EXPECT_TRUE(a.succeeded(id));
  expect_nothing_left();
}

TEST_F(RekeyingIke, ClosedWhileBothRekey) {
  for (int i = 0; i < 8; ++i) {
    SCOPED_TRACE(i);
    establish();
    rekey(a);
    rekey(b);
    net.run(milliseconds(5 * (i % 4)));
    auto& host = i < 4 ? a : b;
    const auto id = host.terminate({{}, "site", {}, {}, {}, false});
    ASSERT_TRUE(net.run_until([&] { return host.result(id) != nullptr; }));
    expect_nothing_left();
  }
}

TEST_F(RekeyingIke, ShutdownWhileItIsRekeyed) {
  establish();
  rekey(a);
  const auto id = a.shutdown();
  ASSERT_TRUE(net.run_until([&] { return a.result(id) != nullptr; }));
  expect_nothing_left();
}

TEST_F(RekeyingIke, ByTimeAndOverTime) {
  for_a.ike_time = {100, 110, 0};
  establish();
  net.run(seconds(1000));
  EXPECT_GE(a.count(Event::Kind::ike_rekeyed), 9U);
  EXPECT_EQ(a.count(Event::Kind::ike_down), 0U);
  net.filter = [&](ike::Datagram& datagram) { return datagram.data[18] != 36; };
  net.run(seconds(150));
  EXPECT_EQ(a.last(Event::Kind::ike_down)->failure->code, ike::Reason::expired);
}

}  // namespace
}  // namespace espgate::sim
