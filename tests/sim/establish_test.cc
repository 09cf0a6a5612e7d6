// SPDX-License-Identifier: Apache-2.0
// IKE_SA_INIT and IKE_AUTH that end well: suites, identities, cookies, groups, both sides at once.
#include <algorithm>

#include "ike/wire/message.h"
#include "tests/sim/pair.h"

namespace espgate::sim {
namespace {

using ike::Event;

TEST_F(Pair, OneChildComesUpAndBothEndsAgree) {
  establish();
  expect_agreement(a, b);
  ASSERT_EQ(a.sad.size(), 1U);
  const auto& child = a.sad.begin()->second;
  EXPECT_EQ(child.conn, "site");
  EXPECT_EQ(child.child, "net");
  EXPECT_TRUE(child.initiator);
  EXPECT_FALSE(child.encap);
  EXPECT_EQ(child.local_ts.at(0).text(), "10.1.0.0/16");
  EXPECT_EQ(child.remote_ts.at(0).text(), "10.2.0.0/16");
  EXPECT_GE(child.spi_in.value, 256U);
  for (auto* host : {&a, &b}) {
    EXPECT_EQ(host->count(Event::Kind::ike_up), 1U);
    EXPECT_EQ(host->count(Event::Kind::child_up), 1U);
    const auto ikes = host->list();
    ASSERT_EQ(ikes.size(), 1U);
    EXPECT_EQ(ikes[0].state, "ESTABLISHED");
    EXPECT_EQ(ikes[0].initiator, host == &a);
    EXPECT_EQ(ikes[0].children.at(0).state, "INSTALLED");
    EXPECT_EQ(ikes[0].dh_group, "CURVE_25519");
  }
  EXPECT_EQ(a.list()[0].local_id, "192.0.2.1");
  EXPECT_EQ(a.sent.size(), 2U);  // IKE_SA_INIT, IKE_AUTH
  EXPECT_EQ(b.sent.size(), 2U);
  EXPECT_FALSE(a.engine().next_timer().has_value()) << "an idle SA needs no timer";
}

class EverySuite : public Pair,
                   public ::testing::WithParamInterface<std::tuple<const char*, const char*, const char*>> {};

TEST_P(EverySuite, Establishes) {
  const auto& [cipher, group, esp] = GetParam();
  for_a.ike = for_b.ike = std::string(cipher) + "-" + group;
  for_a.esp = for_b.esp = esp;
  establish();
  ASSERT_EQ(a.sad.size(), 1U);
  expect_agreement(a, b);
  EXPECT_EQ(a.sad.begin()->second.suite.name(), esp);
}

INSTANTIATE_TEST_SUITE_P(CiphersGroupsEsp, EverySuite,
                         ::testing::Combine(::testing::Values("aes128gcm16-prfsha256", "aes256gcm16-prfsha384",
                                                              "aes128-sha256", "aes256-sha384", "aes256-sha512"),
                                            ::testing::Values("x25519", "ecp256", "ecp384", "modp2048"),
                                            ::testing::Values("aes128gcm16", "aes256gcm16", "aes128-sha256",
                                                              "aes256-sha256")));

INSTANTIATE_TEST_SUITE_P(Further, EverySuite,
                         ::testing::Values(std::tuple{"chacha20poly1305-prfsha256", "x25519", "chacha20poly1305"},
                                           std::tuple{"chacha20poly1305-prfsha512", "ecp521", "chacha20poly1305-esn"},
                                           std::tuple{"aes192gcm16-prfsha384", "x448", "aes192gcm16"},
                                           std::tuple{"aes192-sha384", "modp3072", "aes192-sha384"},
                                           std::tuple{"aes128gcm16-prfsha256", "modp4096", "aes128gcm16-esn"},
                                           std::tuple{"aes256-sha512", "ecp521", "aes256-sha512-esn"}));

TEST_F(Pair, EsnIsChosenWhereBothHaveIt) {
  for_a.esp = "aes128gcm16-esn-noesn";
  for_b.esp = "aes128gcm16-noesn-esn";
  establish();
  EXPECT_FALSE(a.sad.begin()->second.suite.esn) << "the responder's order decides";
  expect_agreement(a, b);
}

TEST_F(Pair, WithoutCommonEsnThereIsNoChild) {
  for_a.esp = "aes128gcm16-esn";
  for_b.esp = "aes128gcm16";
  load();
  EXPECT_EQ(failure(a, a.initiate("site", "net", b)).code, ike::Reason::no_proposal);
}

TEST_F(Pair, TheRespondersOrderDecides) {
  for_a.ike = "aes128-sha256-x25519,aes256gcm16-prfsha256-x25519";
  for_b.ike = "aes256gcm16-prfsha256-x25519,aes128-sha256-x25519";
  establish();
  EXPECT_EQ(a.list().at(0).encr_alg, "AES_GCM_16");
}

TEST_F(Pair, InvalidKePayloadIsFollowed) {
  for_a.ike = "aes128gcm16-prfsha256-x25519-ecp256";
  for_b.ike = "aes128gcm16-prfsha256-ecp256";
  establish();
  expect_agreement(a, b);
  EXPECT_EQ(b.list().at(0).dh_group, "ECP_256");
  EXPECT_EQ(a.sent.size(), 3U);  // one IKE_SA_INIT more
  EXPECT_EQ(b.count(Event::Kind::peer_refused), 0U) << "asking for another group is no failure";
}

TEST_F(Pair, InvalidKePayloadThatComesTwiceIsFollowedOnce) {
  for_a.ike = "aes128gcm16-prfsha256-x25519-ecp256";
  for_b.ike = "aes128gcm16-prfsha256-ecp256";
  net.weather.duplicate = 100;
  establish();
  expect_agreement(a, b);
  EXPECT_EQ(a.sent.size(), 3U);
}

TEST_F(Pair, InvalidKePayloadForAGroupNeverOfferedEndsIt) {
  load();
  net.filter = [&](ike::Datagram& datagram) {
    if (datagram.local.address != b.address()) return true;
    auto header = *ike::wire::peek_header(datagram.data);
    header.spi_r = {};
    datagram.data = ike::wire::write_message(
        header, {ike::wire::notify(ike::wire::NotifyType::invalid_ke_payload, ike::wire::notify_u16(14))});
    return true;
  };
  const auto id = a.initiate("site", "net", b);
  EXPECT_EQ(failure(a, id).code, ike::Reason::invalid_ke);
  net.filter = {};
  expect_nothing_left();
}

TEST_F(Pair, ACookieIsSentBackFirst) {
  load();
  bool asked = false;
  net.filter = [&](ike::Datagram& datagram) {
    auto message = ike::wire::parse_message(datagram.data);
    if (!message || message->header.exchange != ike::wire::ExchangeType::ike_sa_init) return true;
    if (message->header.response) return true;
    const auto* cookie = ike::wire::find_notify(message->payloads, ike::wire::NotifyType::cookie);
    if (cookie != nullptr) {
      EXPECT_EQ(cookie->data, (base::Bytes{1, 2, 3}));
      EXPECT_EQ(ike::wire::type_of(message->payloads.front()), ike::wire::PayloadType::notify);
      return true;
    }
    EXPECT_FALSE(asked);
    asked = true;
    auto header = message->header;
    header.response = true;
    header.from_initiator = false;
    ike::Datagram reply{datagram.local, datagram.remote, false, {}};
    reply.data =
        ike::wire::write_message(header, {ike::wire::notify(ike::wire::NotifyType::cookie, base::Bytes{1, 2, 3})});
    a.datagram(std::move(reply));
    return false;
  };
  const auto id = a.initiate("site", "net", b);
  ASSERT_TRUE(net.run_until([&] { return a.result(id) != nullptr; }));
  EXPECT_TRUE(a.succeeded(id));
  EXPECT_TRUE(asked);
  expect_agreement(a, b);
}

TEST_F(Pair, IdentitiesAreShownAndAsked) {
  for_a.own_id = "a.example.org";
  for_a.peer_id = "@b";
  for_b = mirrored(for_a);
  establish();
  EXPECT_EQ(b.list().at(0).remote_id, "a.example.org");
  EXPECT_EQ(a.list().at(0).remote_id, "b");
}

TEST_F(Pair, AResponderWithoutIdentityTakesTheOneAskedFor) {
  for_a.peer_id = "b.example.org";
  establish();
  EXPECT_EQ(b.list().at(0).local_id, "b.example.org");
}

TEST_F(Pair, TheConnectionIsChosenByIdentity) {
  for_a.own_id = "east.example.org";
  for_b = mirrored(for_a);
  auto both = config(for_b);
  auto any = config(mirrored(Side{}));
  auto other = std::make_shared<ike::ConnConfig>(*any.conns[0]);
  other->name = "everybody";
  both.conns.insert(both.conns.begin(), other);
  a.load(config(for_a));
  b.load(std::move(both));
  const auto id = a.initiate("site", "net", b);
  ASSERT_TRUE(net.run_until([&] { return a.result(id) != nullptr; }));
  EXPECT_TRUE(a.succeeded(id));
  EXPECT_EQ(b.list().at(0).conn, "site") << "an exact identity is better than %any";
}

TEST_F(Pair, BothSidesAtOnceStayUp) {
  load();
  const auto from_a = a.initiate("site", "net", b);
  const auto from_b = b.initiate("site", "net", a);
  ASSERT_TRUE(net.run_until([&] { return a.result(from_a) != nullptr && b.result(from_b) != nullptr; }));
  net.run(seconds(5));
  EXPECT_TRUE(a.succeeded(from_a));
  EXPECT_TRUE(b.succeeded(from_b));
  expect_agreement(a, b);
  EXPECT_EQ(a.list().size(), b.list().size());
}

TEST_F(Pair, InitialContactDropsWhatARestartLeftBehind) {
  establish();
  Host again(net, "a again", "192.0.2.9", 33);
  // The same identity from a fresh engine, as after a crash.
  for_a.own_id = "192.0.2.1";
  again.load(config(for_a));
  net.run(seconds(10));
  const auto id = again.initiate("site", "net", b);
  ASSERT_TRUE(net.run_until([&] { return again.result(id) != nullptr; }));
  ASSERT_TRUE(again.succeeded(id));
  EXPECT_EQ(b.list().size(), 1U);
  EXPECT_EQ(b.sad.size(), 1U);
  EXPECT_EQ(b.last(Event::Kind::ike_down)->failure->peer_notify, "INITIAL_CONTACT");
}

TEST_F(Pair, InitiatingWhatIsUpIsDoneAtOnce) {
  establish();
  const auto id = a.initiate("site", "net", b);
  EXPECT_TRUE(a.succeeded(id));
  const auto twin = b.initiate("site", "net", a);
  EXPECT_TRUE(b.succeeded(twin));
  net.run(seconds(1));
  EXPECT_EQ(a.sad.size(), 1U);
}

TEST_F(Pair, TwoCommandsForOneChildShareIt) {
  load();
  const auto first = a.initiate("site", "net", b);
  const auto second = a.initiate("site", "net", b);
  ASSERT_TRUE(net.run_until([&] { return a.result(first) != nullptr && a.result(second) != nullptr; }));
  EXPECT_TRUE(a.succeeded(first));
  EXPECT_TRUE(a.succeeded(second));
  EXPECT_EQ(a.installs, 1U);
}

}  // namespace
}  // namespace espgate::sim
