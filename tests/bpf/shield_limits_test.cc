// SPDX-License-Identifier: Apache-2.0
// Rates, fragments, the allow-list, and whom the shield leaves alone.
#include <bpf/bpf.h>

#include "maps/pins.h"
#include "tests/bpf/shield_world.h"

namespace espgate::test {

namespace {

using base::Bytes;

constexpr auto pass_it = static_cast<std::uint32_t>(XDP_PASS), drop_it = static_cast<std::uint32_t>(XDP_DROP),
               send_it = static_cast<std::uint32_t>(XDP_TX);

class Limits : public ShieldTest {
 protected:
  // Every rate at so many a second.
  void limit(std::uint32_t rate) {
    loader::ShieldRules rules;
    rules.active = true;
    rules.cookie_rate = rules.fragment_rate = rules.source_rate = rate;
    set(rules);
  }
  void allow(std::initializer_list<const char*> prefixes) {
    std::vector<base::Prefix> out;
    for (const char* text : prefixes) out.push_back(*base::Prefix::parse(text));
    ASSERT_TRUE(loader_->set_allowed(out));
  }
  [[nodiscard]] Bytes init(std::string_view source = far4) const {
    return datagram4(500, source).put(usual_init().bytes()).bytes();
  }
  [[nodiscard]] Bytes auth(std::string_view source = far4) const {
    return datagram4(500, source).put(IkeInit().header(0x20, 35, 0x08, 1, 5).payload(46, Bytes(80)).bytes()).bytes();
  }
  [[nodiscard]] Bytes auth6(std::string_view source) const {
    return datagram6(4500, source)
        .marker()
        .put(IkeInit().header(0x20, 35, 0x08, 1, 5).payload(46, Bytes(80)).bytes())
        .bytes();
  }
  // How many of `count` pass.
  std::uint32_t passed(const Bytes& packet, std::uint32_t count) {
    std::uint32_t out = 0;
    for (std::uint32_t i = 0; i < count; ++i) out += action(packet) == pass_it ? 1 : 0;
    return out;
  }
  [[nodiscard]] Packet first(std::uint8_t id, std::uint16_t port = 500) const {
    Packet out = frame();
    out.ipv4(far4, here4, 17, 0x2000).ip_id(id).udp(500, port).udp_length(1400);
    return out;
  }
  [[nodiscard]] Bytes later(std::uint8_t id) const {
    return frame().ipv4(far4, here4, 17, 0x10).ip_id(id).zeros(64).bytes();
  }
};

// A bucket holds what a second brings; meanwhile it fills, so a slow machine lets a few more pass.
TEST_F(Limits, SoManyRequestsPassASecond) {
  limit(50);
  const std::uint32_t got = passed(init(), 200);
  EXPECT_GE(got, 50U);
  EXPECT_LT(got, 200U);
  const Events events = counted();
  EXPECT_EQ(events[ESPGATE_SHIELD_INIT_PASSED], got);
  EXPECT_EQ(events[ESPGATE_SHIELD_COOKIE_SENT], 200U - got);
}

TEST_F(Limits, TheRateIsOfAllSourcesTogether) {
  limit(1);
  exhaust();
  EXPECT_EQ(action(init("192.0.2.55")), send_it);
}

TEST_F(Limits, ZeroIsNoLimit) {
  limit(0);
  EXPECT_EQ(passed(init(), 100), 100U);
  EXPECT_EQ(passed(auth(), 100), 100U);
  EXPECT_EQ(passed(first(1).put(usual_init().bytes()).bytes(), 100), 100U);
}

TEST_F(Limits, WithoutASecretNothingIsChallenged) {
  const base::Fd map(bpf_obj_get(maps::map_pin(bpffs, "shield_secrets").c_str()));
  const std::uint32_t zero = 0;
  const espgate_cookie_secrets none{};
  ASSERT_EQ(bpf_map_update_elem(map.get(), &zero, &none, BPF_ANY), 0);
  limit(1);
  EXPECT_EQ(passed(init(), 20), 20U);
}

TEST_F(Limits, OtherIkeBySourcePrefix) {
  limit(10);
  EXPECT_LT(passed(auth(), 100), 100U);
  EXPECT_GT(counted()[ESPGATE_SHIELD_SOURCE_DROPPED], 0U);
  EXPECT_EQ(passed(auth("198.51.100.1"), 10), 10U);  // another /24
  EXPECT_LT(passed(auth("192.0.2.200"), 20), 20U);   // the same
  EXPECT_LT(passed(auth6("2001:db8:0:1::5"), 100), 100U);
  EXPECT_LT(passed(auth6("2001:db8:0:1f::9"), 20), 20U);   // the same /56
  EXPECT_EQ(passed(auth6("2001:db8:0:100::9"), 10), 10U);  // another
  EXPECT_EQ((classes()[{ESPGATE_CLASS_IKE, ESPGATE_DROP}]), events()[ESPGATE_SHIELD_SOURCE_DROPPED]);
}

TEST_F(Limits, WhatIsNoRequestIsOtherIke) {
  limit(1);
  const Bytes others[] = {
      usual_init().header(0x20, 34, 0x20).bytes(),        // a response
      usual_init().header(0x20, 34, 0x00).bytes(),        // not of the initiator
      usual_init().header(0x10, 34, 0x08).bytes(),        // IKEv1
      usual_init().header(0x20, 34, 0x08, 1).bytes(),     // another message ID
      usual_init().header(0x20, 34, 0x08, 0, 9).bytes(),  // a responder's SPI
      usual_init().header(0x20, 37, 0x08).bytes(),        // INFORMATIONAL
      usual_init().spi(Bytes(8)).bytes(),                 // without an SPI
  };
  for (const Bytes& other : others) {
    exhaust();
    (void)passed(datagram4().put(other).bytes(), 2);
    const Events events = counted();
    EXPECT_GE(events[ESPGATE_SHIELD_SOURCE_DROPPED], 1U);
    EXPECT_EQ(events[ESPGATE_SHIELD_COOKIE_SENT] + events[ESPGATE_SHIELD_INIT_PASSED], 0U);
  }
  // A newer minor version is no reason (RFC 7296 2.5).
  EXPECT_EQ(flooded(datagram4().put(usual_init().header(0x21, 34, 0x08).bytes()).bytes()).action, send_it);
}

TEST_F(Limits, AllowedSourcesAreNeverLimited) {
  limit(1);
  allow({"192.0.2.0/25", "2001:db8::1"});
  for (const Bytes& packet : {init(), auth(), auth6(far6), first(3).put(usual_init().bytes()).bytes()}) {
    EXPECT_EQ(passed(packet, 20), 20U);
    EXPECT_EQ(counted()[ESPGATE_SHIELD_ALLOWED], 20U);
  }
  EXPECT_EQ(passed(later(3), 20), 20U);
  EXPECT_LT(passed(init("192.0.2.200"), 20), 20U);
  EXPECT_LT(passed(auth6("2001:db8::2:1"), 20), 20U);
  // What is not named is no longer on the list.
  allow({"192.0.2.200"});
  EXPECT_LT(passed(auth(), 20), 20U);
  EXPECT_EQ(passed(init("192.0.2.200"), 20), 20U);
}

TEST_F(Limits, TheAllowListIsOfThisNamespace) {
  limit(1);
  const base::Fd map(bpf_obj_get(maps::map_pin(bpffs, "shield_allow").c_str()));
  espgate_allow_key key{};
  key.prefix = 96;
  key.netns[0] = 77;
  key.family = AF_INET;
  const std::uint32_t yes = 1;
  ASSERT_EQ(bpf_map_update_elem(map.get(), &key, &yes, BPF_ANY), 0);
  EXPECT_LT(passed(init(), 20), 20U);
  allow({});
  EXPECT_EQ(bpf_map_lookup_elem(map.get(), &key, &key.prefix), 0);  // another's entry stays
}

TEST_F(Limits, FragmentsOfRequests) {
  limit(1);
  std::uint8_t id = 0;
  // The first one that is dropped takes the rest along; that of one let pass costs of the same rate.
  while (action(first(++id).put(usual_init().bytes()).bytes()) == pass_it && id < 100) {
  }
  ASSERT_LT(id, 100);
  counted();
  EXPECT_EQ(action(later(id)), drop_it);
  EXPECT_EQ(counted(), only({ESPGATE_SHIELD_FRAGMENT_DROPPED}));
  EXPECT_LT(passed(later(1), 20), 20U);
  counted();
  // Before its first, or of an application that speaks no IKE.
  EXPECT_EQ(passed(later(200), 20), 20U);
  EXPECT_EQ(passed(first(201, 53).zeros(64).bytes(), 20), 20U);
  EXPECT_EQ(counted(), Events{});
}

TEST_F(Limits, FragmentsOverIpv6AndTinyOnes) {
  limit(1);
  Packet six = frame();
  six.ipv6(far6, here6, 44).fragment6(17, 1).udp(500, 500).udp_length(1400).put(usual_init().bytes());
  EXPECT_LT(passed(six.bytes(), 20), 20U);
  EXPECT_EQ(action(frame().ipv6(far6, here6, 44).fragment6(17, 0x101).zeros(32).bytes()), drop_it);
  // A first one that ends before the marker: what it is going to be does not show.
  EXPECT_LT(passed(first(9, 4500).bytes(), 20), 20U);
  counted();
  // ESP in UDP is data, and no matter of this rate.
  EXPECT_EQ(passed(first(10, 4500).esp(0x77).bytes(), 20), 20U);
  EXPECT_EQ(passed(later(10), 20), 20U);
  EXPECT_EQ(counted()[ESPGATE_SHIELD_FRAGMENT_DROPPED], 0U);
}

TEST_F(Limits, OptionsAndExtensionsAreLimitedAsFragments) {
  limit(1);
  Packet options = frame();
  options.ipv4(far4, here4, 17, 0, 8).udp(500, 500).put(usual_init().bytes());
  Packet extension = frame();
  extension.ipv6(far6, here6, 60).extension(17).udp(500, 500).put(usual_init().bytes());
  // More of them than are looked through, and deeper than is looked.
  Packet many = frame();
  many.ipv6(far6, here6, 60);
  for (int i = 0; i < 7; ++i) many.extension(60);
  many.extension(17).udp(500, 500).put(usual_init().bytes());
  Packet deep = frame();
  deep.ipv6(far6, here6, 60).extension(17, 248).udp(500, 500).put(usual_init().bytes());
  Packet deeper = frame();
  deeper.ipv6(far6, here6, 60).extension(60, 248).extension(60, 248).extension(17, 8).udp(500, 500);
  deeper.put(usual_init().bytes());
  for (const Bytes& packet : {options.bytes(), extension.bytes(), many.bytes(), deep.bytes(), deeper.bytes()}) {
    (void)passed(packet, 20);
    const Events events = counted();
    EXPECT_GT(events[ESPGATE_SHIELD_FRAGMENT_DROPPED], 0U);
    EXPECT_EQ(events[ESPGATE_SHIELD_FRAGMENT_PASSED] + events[ESPGATE_SHIELD_FRAGMENT_DROPPED], 20U);
  }
  // An application's own are not, as long as it can be seen that they are.
  EXPECT_EQ(passed(frame().ipv6(far6, here6, 60).extension(17).udp(53, 53).zeros(40).bytes(), 20), 20U);
}

TEST_F(Limits, WhatIsNotForThisHostIsLeftAlone) {
  limit(1);
  Packet transit = frame();
  transit.ipv4(far4, "192.0.2.9", 17).udp(500, 500).put(usual_init().bytes());
  Packet other_mac;
  other_mac.macs(Bytes{2, 0, 0, 0, 0, 2}, Bytes(6)).ipv4(far4, here4, 17).udp(500, 500).put(usual_init().bytes());
  Packet group = frame();
  group.ipv4(far4, "224.0.0.1", 17).udp(500, 500).put(usual_init().bytes());
  Packet transit6 = frame();
  transit6.ipv6(far6, "2001:db8::9", 17).udp(500, 500).put(usual_init().bytes());
  Packet fragment = frame();
  fragment.ipv4(far4, "192.0.2.9", 17, 0x2000).udp(500, 500).udp_length(1400).put(usual_init().bytes());
  for (const Bytes& packet : {transit.bytes(), other_mac.bytes(), group.bytes(), transit6.bytes(), fragment.bytes()}) {
    EXPECT_EQ(passed(packet, 20), 20U);
    EXPECT_EQ(counted(), Events{});
  }
}

TEST_F(Limits, OtherTrafficIsLeftAlone) {
  limit(1);
  Packet from_port = frame();
  from_port.ipv4(far4, here4, 17).udp(500, 5353).put(usual_init().bytes());
  EXPECT_EQ(passed(from_port.bytes(), 20), 20U);
  EXPECT_EQ(passed(datagram4(4500).u8(0xff).bytes(), 20), 20U);
  EXPECT_EQ(passed(frame().ipv4(far4, here4, 6).zeros(40).bytes(), 20), 20U);
  EXPECT_EQ(counted(), Events{});
}

TEST_F(Limits, InactiveDoesNothing) {
  for (const Bytes& packet : {init(), auth(), first(1).put(usual_init().bytes()).bytes(), later(1)})
    EXPECT_EQ(passed(packet, 300), 300U);
  EXPECT_EQ(counted(), Events{});
}

TEST_F(Limits, ARestartIsInactiveUntilTold) {
  limit(1);
  loader_.reset();
  loader::Options options;
  options.bpffs = bpffs;
  options.max_slots = 16;
  options.tracing = false;
  loader_.emplace(std::move(*loader::Loader::open(options)));
  EXPECT_EQ(loader_->reader()->shield_rules()->active, 0);
  EXPECT_EQ(passed(init(), 20), 20U);
}

}  // namespace

}  // namespace espgate::test
