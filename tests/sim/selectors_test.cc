// SPDX-License-Identifier: Apache-2.0
// Traffic selectors (RFC 7296 2.9, 3.13.1): the packet that asks, several of them, ports, protocols, ICMP.
#include "tests/sim/pair.h"

namespace espgate::sim {
namespace {

using Upper = std::pair<std::uint8_t, std::pair<std::uint16_t, std::uint16_t>>;  // protocol, ports

ike::TsConfig with(const std::string& prefix, Upper upper) {
  auto out = ts(prefix);
  out.ts.protocol = upper.first;
  out.ts.first_port = upper.second.first;
  out.ts.last_port = upper.second.second;
  return out;
}

base::TrafficSelector host(const std::string& address, std::uint8_t protocol = 17, std::uint16_t port = 53) {
  return with(address + "/32", {protocol, {port, port}}).ts;
}

class Selectors : public Pair {
 protected:
  using List = std::vector<ike::TsConfig>;
  // The only child of each side: a's local and remote selectors, b's remote and local ones.
  void configure(List local_a, List remote_a, List remote_b, List local_b) {
    for_a.adjust = [=](ike::ConnConfig& conn) {
      conn.children.front().local_ts = local_a;
      conn.children.front().remote_ts = remote_a;
    };
    for_b.adjust = [=](ike::ConnConfig& conn) {
      conn.children.front().local_ts = local_b;
      conn.children.front().remote_ts = remote_b;
    };
  }
  void initiate_for(const base::TrafficSelector& local, const base::TrafficSelector& remote) {
    ike::Initiate command{{900}, "site", "net", {a.address(), 500}, {b.address(), 500}, {}};
    command.packet = ike::Initiate::Packet{local, remote};
    a.command(ike::Command(command));
    net.run(seconds(2));
  }
  std::string agreed(Host& at) {
    if (at.sad.size() != 1) return std::to_string(at.sad.size()) + " children";
    const auto& child = at.sad.begin()->second;
    return ike::text(child.local_ts) + " === " + ike::text(child.remote_ts);
  }
};

TEST_F(Selectors, ThePacketGoesFirstAndTheAnswerIsTheWholeOfIt) {
  load();
  initiate_for(host("10.1.0.7"), host("10.2.0.9"));
  EXPECT_EQ(agreed(a), "10.1.0.0/16 === 10.2.0.0/16") << "the packet's own selector is within the others";
  expect_agreement(a, b);
}

TEST_F(Selectors, AmongChildrenThatFitInPartTheOneForThePacketIsChosen) {
  for_a.children = {{"net", {"10.1.0.0/16", "10.2.0.0/16"}}};
  for_b.children = {{"low", {"10.2.0.0/24", "10.1.0.0/16"}}, {"high", {"10.2.9.0/24", "10.1.0.0/16"}}};
  load();
  initiate_for(host("10.1.0.7"), host("10.2.9.9"));
  ASSERT_EQ(b.sad.size(), 1U);
  EXPECT_EQ(b.sad.begin()->second.child, "high");
  EXPECT_EQ(agreed(a), "10.1.0.0/16 === 10.2.9.0/24");
  expect_agreement(a, b);
}

TEST_F(Selectors, APacketThatTheChildDoesNotCoverIsNotSaid) {
  load();
  initiate_for(host("172.16.0.1"), host("10.2.0.9"));
  EXPECT_EQ(agreed(a), "10.1.0.0/16 === 10.2.0.0/16");
  expect_agreement(a, b);
}

TEST_F(Selectors, ARekeyDoesNotSayThePacketAgain) {
  load();
  initiate_for(host("10.1.0.7"), host("10.2.0.9"));
  const auto before = a.sad.begin()->first;
  const auto id = a.rekey({{}, "site", "net", {}, {}});
  ASSERT_TRUE(net.run_until([&] { return a.result(id) != nullptr; }));
  net.run(seconds(30));
  EXPECT_NE(a.sad.begin()->first, before);
  EXPECT_EQ(agreed(a), "10.1.0.0/16 === 10.2.0.0/16");
  expect_settled();
}

TEST_F(Selectors, SeveralBothWaysAreNarrowedPairByPair) {
  configure({ts("10.1.0.0/16"), ts("10.3.0.0/16")}, {ts("10.2.0.0/16"), ts("10.4.0.0/16")},
            {ts("10.1.1.0/24"), ts("10.3.0.0/16"), ts("10.5.0.0/16")}, {ts("10.4.0.0/15")});
  establish();
  EXPECT_EQ(agreed(a), "10.1.1.0/24 10.3.0.0/16 === 10.4.0.0/16");
  expect_agreement(a, b);
}

TEST_F(Selectors, TheResponderIsTheWiderOne) {
  configure({ts("10.1.1.0/24")}, {ts("10.2.2.0/24")}, {ts("0.0.0.0/0")}, {ts("0.0.0.0/0")});
  establish();
  EXPECT_EQ(agreed(b), "10.2.2.0/24 === 10.1.1.0/24");
  expect_agreement(a, b);
}

TEST_F(Selectors, PortsAndProtocolsAreNarrowedToo) {
  configure({ts("10.1.0.0/16")}, {with("10.2.0.0/16", {6, {80, 443}})}, {with("10.1.0.0/16", {6, {0, 65535}})},
            {with("10.2.0.0/16", {0, {100, 8080}})});
  establish();
  EXPECT_EQ(agreed(a), "10.1.0.0/16[tcp] === 10.2.0.0/16[tcp/100-443]");
  expect_agreement(a, b);
}

TEST_F(Selectors, OtherProtocolsAreNothingInCommon) {
  configure({ts("10.1.0.0/16")}, {with("10.2.0.0/16", {6, {0, 65535}})}, {ts("10.1.0.0/16")},
            {with("10.2.0.0/16", {17, {0, 65535}})});
  load();
  const auto why = failure(a, a.initiate("site", "net", b));
  EXPECT_EQ(why.peer_notify, "TS_UNACCEPTABLE");
  expect_nothing_left();
}

TEST_F(Selectors, OpaquePortsAreRefused) {  // first 65535, last 0
  configure({with("10.1.0.0/16", {6, {65535, 0}})}, {ts("10.2.0.0/16")}, {ts("10.1.0.0/16")}, {ts("10.2.0.0/16")});
  load();
  EXPECT_EQ(failure(a, a.initiate("site", "net", b)).peer_notify, "TS_UNACCEPTABLE");
  expect_nothing_left();
}

TEST_F(Selectors, IcmpTypesAndCodesAreNarrowedAsNumbers) {  // type 8, any code; of type 8, code 0
  configure({with("10.1.0.0/16", {1, {0x0800, 0x08ff}})}, {with("10.2.0.0/16", {1, {0x0800, 0x08ff}})},
            {with("10.1.0.0/16", {1, {0x0800, 0x0800}})}, {with("10.2.0.0/16", {1, {0x0800, 0x0800}})});
  establish();
  EXPECT_EQ(agreed(a), "10.1.0.0/16[1/2048] === 10.2.0.0/16[1/2048]");
  expect_agreement(a, b);
}

TEST_F(Selectors, BothFamiliesInOneChild) {
  configure({ts("10.1.0.0/16"), ts("2001:db8:1::/48")}, {ts("10.2.0.0/16"), ts("2001:db8:2::/48")},
            {ts("2001:db8:1::/48"), ts("10.1.0.0/16")}, {ts("2001:db8:2::/48"), ts("10.2.0.0/16")});
  establish();
  EXPECT_EQ(a.sad.begin()->second.local_ts.size(), 2U);
  EXPECT_EQ(a.sad.begin()->second.remote_ts.size(), 2U);
}

TEST_F(Selectors, TheResponderMayWantTransportAndTheInitiatorTunnelAndNothingIsLeft) {
  for_b.mode = base::SaMode::transport;
  load();
  EXPECT_EQ(failure(a, a.initiate("site", "net", b)).peer_notify, "NO_PROPOSAL_CHOSEN");
  expect_nothing_left();
}

}  // namespace
}  // namespace espgate::sim
