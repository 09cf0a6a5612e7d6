// SPDX-License-Identifier: Apache-2.0
// IKE_SA_INIT requests before the shield: challenges as they leave, and cookies as they come back.
#include "tests/bpf/shield_world.h"

namespace espgate::test {

namespace {

using base::Bytes;
using base::ByteView;

const Bytes key = octets_from(0, 16), other_key = octets_from(0x40, 16), third_key = octets_from(0x80, 16);
const Bytes spi = octets_from(0, 8), nonce = octets_from(0x18, 32);

base::Address address(std::string_view text) { return *base::Address::parse(text); }

Bytes cookie4(std::string_view source = "192.0.2.1") { return cookie_for(7, key, spi, address(source), nonce); }

IkeInit with_cookie(ByteView cookie) { return IkeInit().cookie(cookie).sa().ke().nonce(); }

class Cookie : public ShieldTest {
 protected:
  void SetUp() override {
    ShieldTest::SetUp();
    if (!IsSkipped()) activate();
  }

  void expect_good(ByteView packet) {
    EXPECT_EQ(flooded(packet).action, static_cast<std::uint32_t>(XDP_PASS));
    EXPECT_EQ(counted(), only({ESPGATE_SHIELD_COOKIE_GOOD}));
  }
  void expect_bad(ByteView packet) {
    EXPECT_EQ(flooded(packet).action, static_cast<std::uint32_t>(XDP_TX));
    EXPECT_EQ(counted(), only({ESPGATE_SHIELD_COOKIE_BAD, ESPGATE_SHIELD_COOKIE_SENT}));
  }
};

// What the answer to a request must be, octet by octet.
Bytes challenge(Packet& headers, bool marker, ByteView cookie) {
  IkeInit ike;
  ike.spi(spi).header(0x20, 34, 0x20).cookie(cookie);
  if (marker) headers.marker();
  return headers.put(ike.bytes()).bytes();
}

const Bytes us{2, 0, 0, 0, 0, 1}, them{2, 0, 0, 0, 0, 9};

Packet back4(std::uint16_t port, std::optional<std::uint16_t> vlan = {}) {
  Packet out;
  out.macs(them, us);
  if (vlan) out.vlan(*vlan);
  out.answer4("192.0.2.2", "192.0.2.1").udp(port, 1000);
  return out;
}

TEST(SipHash, TwinIsTheReference) {
  // The example of the paper's appendix.
  EXPECT_EQ(base::to_hex(siphash24(octets_from(0, 16), octets_from(0, 15))), "e545be4961ca29a1");
}

TEST_F(Cookie, OfTheReferencesOwnInput) {
  // Key 00..0f, and SPI, address and nonce together 00..27, as in the vectors published with the reference.
  const auto source = base::Address::from_octets(octets_from(8, 16));
  const Bytes short_nonce = octets_from(0x18, 16);
  const Bytes cookie = cookie_for(7, key, spi, *source, short_nonce);
  const auto request = IkeInit().sa().nonce(short_nonce);
  const Outcome out = flooded(datagram6(500, source->text()).put(request.bytes()).bytes());
  ASSERT_EQ(out.action, static_cast<std::uint32_t>(XDP_TX));
  EXPECT_EQ(Bytes(out.packet.end() - 9, out.packet.end()), cookie);
}

TEST_F(Cookie, ChallengeOverIpv4) {
  Packet asked = frame();
  const Bytes question = asked.ipv4(far4, here4, 17).udp(1000, 500).put(usual_init().bytes()).bytes();
  const Outcome out = flooded(question);
  EXPECT_EQ(out.action, static_cast<std::uint32_t>(XDP_TX));
  Packet headers = back4(500);
  EXPECT_EQ(base::to_hex(out.packet), base::to_hex(challenge(headers, false, cookie4())));
  EXPECT_LE(out.packet.size(), question.size());
  EXPECT_EQ(counted(), only({ESPGATE_SHIELD_COOKIE_SENT}));
  EXPECT_EQ((classes()[{ESPGATE_CLASS_IKE, ESPGATE_TX}]), 2U);  // one of them was the first that was not let pass
}

TEST_F(Cookie, ChallengeBehindTheMarkerInAVlan) {
  Packet asked = frame();
  asked.vlan(5).ipv4(far4, here4, 17).udp(1000, 4500).marker().put(usual_init().bytes());
  const Outcome out = flooded(asked.bytes());
  EXPECT_EQ(out.action, static_cast<std::uint32_t>(XDP_TX));
  Packet headers = back4(4500, 5);
  EXPECT_EQ(base::to_hex(out.packet), base::to_hex(challenge(headers, true, cookie4())));
}

TEST_F(Cookie, ChallengeOverIpv6OnBothPorts) {
  const Bytes cookie = cookie_for(7, key, spi, address(far6), nonce);
  for (const bool marker : {false, true}) {
    const std::uint16_t port = marker ? 4500 : 500;
    Packet asked = frame();
    asked.ipv6(far6, here6, 17).udp(1000, port);
    if (marker) asked.marker();
    const Outcome out = flooded(asked.put(usual_init().bytes()).bytes());
    EXPECT_EQ(out.action, static_cast<std::uint32_t>(XDP_TX));
    Packet headers;
    headers.macs(them, us).ipv6(here6, far6, 17).udp(port, 1000);
    EXPECT_EQ(base::to_hex(out.packet), base::to_hex(challenge(headers, marker, cookie)));
  }
}

TEST_F(Cookie, EthernetPaddingIsNotPartOfTheAnswer) {
  Packet asked = datagram4().put(usual_init().bytes());
  Bytes question = asked.bytes();
  question.resize(question.size() + 30);
  const Outcome out = flooded(question);
  EXPECT_EQ(out.action, static_cast<std::uint32_t>(XDP_TX));
  EXPECT_EQ(out.packet.size(), 14U + 20 + 8 + 28 + 17);
}

TEST_F(Cookie, GoodOnesPassInEveryShape) {
  expect_good(datagram4().put(with_cookie(cookie4()).bytes()).bytes());
  expect_good(datagram4(4500).marker().put(with_cookie(cookie4()).bytes()).bytes());
  expect_good(datagram6().put(with_cookie(cookie_for(7, key, spi, address(far6), nonce)).bytes()).bytes());
  Packet in_vlan = frame();
  in_vlan.vlan(9).ipv4(far4, here4, 17).udp(500, 500).put(with_cookie(cookie4()).bytes());
  expect_good(in_vlan.bytes());
}

TEST_F(Cookie, NoncesOfEveryLength) {
  for (const std::size_t octets : {16, 17, 23, 24, 25, 31, 33, 63, 100, 255, 256}) {
    const Bytes own = octets_from(3, octets);
    const Bytes cookie = cookie_for(7, key, spi, address(far4), own);
    expect_good(datagram4().put(IkeInit().cookie(cookie).sa().ke().nonce(own).bytes()).bytes());
    const Outcome out = flooded(datagram4().put(IkeInit().sa().ke(256).nonce(own).bytes()).bytes());
    ASSERT_EQ(out.action, static_cast<std::uint32_t>(XDP_TX)) << octets;
    EXPECT_EQ(Bytes(out.packet.end() - 9, out.packet.end()), cookie) << octets;
    counted();
  }
}

TEST_F(Cookie, TakesNothingOfTheRate) {
  activate(50);
  const Bytes good = datagram4().put(with_cookie(cookie4()).bytes()).bytes();
  for (int i = 0; i < 200; ++i) ASSERT_EQ(action(good), static_cast<std::uint32_t>(XDP_PASS));
  EXPECT_EQ(counted()[ESPGATE_SHIELD_COOKIE_GOOD], 200U);
  const Bytes without = datagram4().put(usual_init().bytes()).bytes();
  for (int i = 0; i < 50; ++i) ASSERT_EQ(action(without), static_cast<std::uint32_t>(XDP_PASS)) << i;
}

TEST_F(Cookie, ForgedOnesAreChallengedAnew) {
  for (std::size_t i = 0; i < 9; ++i) {
    Bytes forged = cookie4();
    forged[i] ^= 1;
    expect_bad(datagram4().put(with_cookie(forged).bytes()).bytes());
  }
}

TEST_F(Cookie, OfAnotherLength) {
  for (const std::size_t octets : {1, 8, 10, 64}) {
    Bytes cookie = cookie4();
    cookie.resize(octets);
    expect_bad(datagram4().put(with_cookie(cookie).bytes()).bytes());
  }
}

TEST_F(Cookie, FromAnotherAddressPortSpiOrNonce) {
  expect_bad(datagram4(500, "192.0.2.77").put(with_cookie(cookie4()).bytes()).bytes());
  expect_bad(datagram6().put(with_cookie(cookie4()).bytes()).bytes());
  expect_bad(datagram4().put(with_cookie(cookie4()).spi(octets_from(1, 8)).bytes()).bytes());
  expect_bad(datagram4().put(IkeInit().cookie(cookie4()).sa().ke().nonce(octets_from(0x19, 32)).bytes()).bytes());
  // The port is not part of it: a NAT may choose another one.
  Packet other_port = frame();
  other_port.ipv4(far4, here4, 17).udp(61234, 500).put(with_cookie(cookie4()).bytes());
  expect_good(other_port.bytes());
}

TEST_F(Cookie, OfTheSecretBeforeButNotOfTheOneBeforeThat) {
  const Bytes packet = datagram4().put(with_cookie(cookie4()).bytes()).bytes();
  set_secrets(8, other_key, 7, key);
  expect_good(packet);
  set_secrets(9, third_key, 8, other_key);
  expect_bad(packet);
  const Outcome out = flooded(packet);
  EXPECT_EQ(Bytes(out.packet.end() - 9, out.packet.end()), cookie_for(9, third_key, spi, address(far4), nonce));
}

TEST_F(Cookie, NotOfASecretThatDoesNotExist) {
  // Number 0 is what a secret that was never set has in the map, with a key of zeros.
  const Bytes forged = cookie_for(0, Bytes(16), spi, address(far4), nonce);
  expect_bad(datagram4().put(with_cookie(forged).bytes()).bytes());
}

TEST_F(Cookie, NotInTheFirstPlaceIsNone) {
  const auto request = IkeInit().sa().cookie(cookie4()).ke().nonce();
  EXPECT_EQ(flooded(datagram4().put(request.bytes()).bytes()).action, static_cast<std::uint32_t>(XDP_TX));
  EXPECT_EQ(counted(), only({ESPGATE_SHIELD_COOKIE_SENT}));
}

TEST_F(Cookie, AnotherNotifyInTheFirstPlaceIsNone) {
  const auto request = IkeInit().notify(16388, Bytes(20)).sa().ke().nonce();
  EXPECT_EQ(flooded(datagram4().put(request.bytes()).bytes()).action, static_cast<std::uint32_t>(XDP_TX));
  EXPECT_EQ(counted(), only({ESPGATE_SHIELD_COOKIE_SENT}));
}

TEST_F(Cookie, KeysOfAnotherLengthAreRefused) {
  EXPECT_EQ(loader_->set_cookie_secrets({1, base::Secret(15)}, std::nullopt).error().code, EINVAL);
}

}  // namespace

}  // namespace espgate::test
