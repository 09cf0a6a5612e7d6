// SPDX-License-Identifier: Apache-2.0
// Classes of holes that IKE daemons once had and that the other files here do not have by name: EAP where none belongs,
// REKEY_SA for what it cannot rekey, key exchange data of absurd lengths, deletes that repeat themselves, text that
// would break a line. See docs/security.md for the whole list.
#include <algorithm>

#include "tests/sim/scripted_peer.h"

namespace espgate::sim {
namespace {

namespace wire = ::espgate::ike::wire;
using wire::ExchangeType;
using wire::NotifyType;
using wire::Payloads;
using wire::PayloadType;

class PastHoles : public Pair {
 protected:
  void SetUp() override {
    Pair::load();
    b.load(config(for_b));
  }
  void expect_alive(ScriptedPeer& peer) {
    const auto alive = peer.request(ExchangeType::informational, Payloads{});
    ASSERT_TRUE(alive);
    EXPECT_TRUE(alive->empty());
    EXPECT_EQ(b.list().size(), 1U);
  }
  void expect_no_state() {
    net.run(seconds(400));
    EXPECT_TRUE(b.list().empty());
    EXPECT_TRUE(b.sad.empty());
    EXPECT_FALSE(b.engine().next_timer().has_value());
  }
};

// EAP-Success (RFC 3748 4.2), which once made clients believe that they were done.
wire::OpaquePayload eap_success(bool critical) { return {PayloadType::eap, critical, {3, 1, 0, 4}}; }

TEST_F(PastHoles, EapInTheFirstMessageIsNothing) {
  for (const bool critical : {false, true}) {
    ScriptedPeer peer(net, b, critical ? 31 : 32);
    auto payloads = peer.init_payloads();
    payloads.emplace_back(eap_success(critical));
    peer.init(payloads);
    EXPECT_TRUE(b.sad.empty());
  }
  expect_no_state();
}

TEST_F(PastHoles, EapDoesNotReplaceAuth) {
  ScriptedPeer peer(net, b, 33);
  const auto init = peer.init(peer.init_payloads());
  ASSERT_TRUE(init && peer.derive(*init));
  auto payloads = peer.auth_payloads();
  for (auto& payload : payloads) {
    if (std::holds_alternative<wire::AuthPayload>(payload)) payload = eap_success(false);
  }
  const auto answer = peer.request(ExchangeType::ike_auth, payloads);
  ASSERT_TRUE(answer);
  EXPECT_NE(wire::find_error(*answer), nullptr);
  EXPECT_EQ(wire::find<wire::AuthPayload>(*answer), nullptr);
  EXPECT_TRUE(b.sad.empty());
  expect_no_state();
}

TEST_F(PastHoles, EapAfterAuthenticationChangesNothing) {
  for (const auto exchange : {ExchangeType::informational, ExchangeType::create_child_sa}) {
    ScriptedPeer peer(net, b, 34 + static_cast<std::uint64_t>(exchange));
    ASSERT_NO_FATAL_FAILURE(peer.establish());
    const auto children = b.sad.size();
    peer.request(exchange, Payloads{eap_success(false)});
    EXPECT_LE(b.sad.size(), children);
    net.run(seconds(400));
  }
}

TEST_F(PastHoles, RekeySaOfProtocolIkeRekeysNothing) {
  ScriptedPeer peer(net, b, 35);
  ASSERT_NO_FATAL_FAILURE(peer.establish());
  for (const std::size_t octets : {0, 4, 8, 255}) {
    auto notify = wire::notify(NotifyType::rekey_sa);
    notify.protocol = ike::Protocol::ike;
    notify.spi.assign(octets, 1);
    auto payloads = peer.child_payloads(true);
    payloads.insert(payloads.begin(), std::move(notify));
    const auto children = b.sad.size();
    const auto answer = peer.request(ExchangeType::create_child_sa, payloads);
    ASSERT_TRUE(answer);
    ASSERT_NE(wire::find_error(*answer), nullptr);
    EXPECT_EQ(b.sad.size(), children);
    if (b.list().empty()) return expect_no_state();  // a SPI of that length is a matter of syntax
  }
  expect_alive(peer);
}

TEST_F(PastHoles, GiantKeyExchangeDataIsRefused) {
  for (const std::size_t octets : {33U, 512U, 2048U, 9000U}) {
    ScriptedPeer peer(net, b, 36 + octets);
    auto payloads = peer.init_payloads();
    for (auto& payload : payloads) {
      if (auto* ke = std::get_if<wire::KePayload>(&payload)) ke->data.assign(octets, 0xff);
    }
    const auto answer = peer.init(payloads);
    EXPECT_TRUE(!answer || wire::find<wire::KePayload>(answer->payloads) == nullptr);
    EXPECT_EQ(b.listed().half_open, 0U);
  }
  ScriptedPeer peer(net, b, 37);
  ASSERT_NO_FATAL_FAILURE(peer.establish());
  auto payloads = peer.child_payloads(true);
  payloads.emplace_back(wire::KePayload{ike::crypto::kGroupX25519, base::Bytes(50000, 0xff)});
  const auto children = b.sad.size();
  ASSERT_TRUE(peer.request(ExchangeType::create_child_sa, payloads));
  EXPECT_LE(b.sad.size(), children + 1) << "no group was agreed: a key exchange that nobody asked for";
}

TEST_F(PastHoles, DeletesMayRepeatThemselves) {
  ScriptedPeer peer(net, b, 38);
  ASSERT_NO_FATAL_FAILURE(peer.establish());
  ASSERT_EQ(b.sad.size(), 1U);
  const auto theirs = b.list().at(0).children.at(0).spi_out;  // the peer deletes what it receives on
  const wire::DeletePayload one{ike::Protocol::esp, {theirs}};
  wire::DeletePayload many{ike::Protocol::esp, std::vector<base::Spi>(5000, theirs)};
  // In one payload, in many payloads of one message, and once more.
  Payloads payloads(50, one);
  payloads.emplace_back(many);
  const auto answer = peer.request(ExchangeType::informational, payloads);
  ASSERT_TRUE(answer);
  EXPECT_LE(answer->size(), 1U) << "ours is said once";
  EXPECT_TRUE(b.sad.empty());
  ASSERT_TRUE(peer.request(ExchangeType::informational, Payloads{one}));
  ASSERT_TRUE(peer.request(ExchangeType::informational, Payloads{many}));
  expect_alive(peer);
  // The IKE SA, several times in one message, and with SPIs, which that has none of.
  ASSERT_TRUE(peer.request(ExchangeType::informational, Payloads(20, wire::DeletePayload{ike::Protocol::ike, {}})));
  EXPECT_TRUE(b.list().empty());
  expect_no_state();
}

TEST_F(PastHoles, TextOfAPeerCannotBreakALine) {
  const std::string evil =
      "x\n2026-01-01 00:00:00.000 info all is well\x1b[2J\r\x9b"
      "31m";
  ScriptedPeer peer(net, b, 39);
  const auto init = peer.init(peer.init_payloads());
  ASSERT_TRUE(init && peer.derive(*init));
  auto payloads = peer.auth_payloads();
  for (auto& payload : payloads) {
    if (auto* id = std::get_if<wire::IdPayload>(&payload)) {
      id->identity = {ike::IdType::fqdn, base::Bytes(evil.begin(), evil.end())};
    }
  }
  auto notify = wire::notify(NotifyType{40961});
  notify.data.assign(evil.begin(), evil.end());
  payloads.emplace_back(std::move(notify));
  ASSERT_TRUE(peer.request(ExchangeType::ike_auth, payloads));
  ASSERT_FALSE(b.events.empty());
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  for (const auto& event : b.events) {
    EXPECT_TRUE(std::ranges::none_of(event.detail, control)) << event.detail;
    if (!event.failure) continue;
    EXPECT_TRUE(std::ranges::none_of(event.failure->text, control)) << event.failure->text;
    EXPECT_TRUE(std::ranges::none_of(event.failure->peer_notify, control)) << event.failure->peer_notify;
  }
}

}  // namespace
}  // namespace espgate::sim
