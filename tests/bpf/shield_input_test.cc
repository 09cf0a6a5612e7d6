// SPDX-License-Identifier: Apache-2.0
// Bad input before the shield: requests that are cut off, lie about a length, or come from nobody. Under a flood none
// of them reaches the daemon, and none is answered with more than was asked.
#include "tests/bpf/shield_world.h"

namespace espgate::test {

namespace {

using base::Bytes;

constexpr auto pass_it = static_cast<std::uint32_t>(XDP_PASS), drop_it = static_cast<std::uint32_t>(XDP_DROP),
               send_it = static_cast<std::uint32_t>(XDP_TX);

class BadInput : public ShieldTest {
 protected:
  void SetUp() override {
    ShieldTest::SetUp();
    if (!IsSkipped()) activate();
  }
  void expect_refused(const Bytes& packet, const std::string& what = "") {
    EXPECT_EQ(flooded(packet).action, drop_it) << what;
    EXPECT_EQ(counted(), only({ESPGATE_SHIELD_INIT_DROPPED})) << what;
  }
  void expect_refused(const IkeInit& request, const std::string& what = "") {
    expect_refused(datagram4().put(request.bytes()).bytes(), what);
  }
  void expect_challenged(const IkeInit& request, const std::string& what = "") {
    EXPECT_EQ(flooded(datagram4().put(request.bytes()).bytes()).action, send_it) << what;
    EXPECT_EQ(counted(), only({ESPGATE_SHIELD_COOKIE_SENT})) << what;
  }
};

// The frame ends early, but its headers say otherwise.
TEST_F(BadInput, FramesCutAtEveryOctet) {
  const Bytes whole = datagram4().put(usual_init().bytes()).bytes();
  for (std::size_t octets = 14; octets < whole.size(); ++octets) {
    const Outcome out = flooded(base::ByteView(whole).first(octets));
    ASSERT_EQ(out.action, pass_it) << octets;  // malformed: the stack throws it away
    ASSERT_EQ(counted(), Events{}) << octets;
  }
}

// The IP and UDP headers say that it ends there; the IKE header does not.
TEST_F(BadInput, RequestsCutAtEveryOctet) {
  const Bytes ike = usual_init().bytes();
  for (std::size_t octets = 28; octets < ike.size(); ++octets)
    expect_refused(datagram4().put(base::ByteView(ike).first(octets)).bytes(), std::to_string(octets));
}

// All headers agree, a payload is cut. From the nonce on it can be answered.
TEST_F(BadInput, PayloadsCutAtEveryOctet) {
  const Bytes ike = usual_init().bytes();
  const std::size_t nonce_end = 28 + (4 + 44) + (4 + 36) + (4 + 32);
  for (std::size_t octets = 28; octets < ike.size(); ++octets) {
    Bytes cut(ike.begin(), ike.begin() + static_cast<std::ptrdiff_t>(octets));
    cut[27] = static_cast<std::uint8_t>(octets);
    const Bytes question = datagram6().put(cut).bytes();
    const Outcome out = flooded(question);
    ASSERT_EQ(out.action, octets < nonce_end ? drop_it : send_it) << octets;
    ASSERT_LE(out.packet.size(), question.size()) << octets;
  }
}

TEST_F(BadInput, Lengths) {
  expect_refused(usual_init().message_says(27), "message shorter than its header");
  expect_refused(usual_init().message_says(28), "message of a header alone");
  expect_refused(usual_init().message_says(0xffffffff), "message of 4 gigabytes");
  expect_refused(IkeInit().sa().says(3).ke().nonce(), "payload shorter than its header");
  expect_refused(IkeInit().sa().says(0xffff).ke().nonce(), "payload past the end");
  expect_refused(IkeInit().sa().ke().nonce().says(100), "nonce past the end");
  expect_refused(IkeInit().sa().ke(), "no nonce");
  expect_refused(IkeInit(), "no payload");
  expect_refused(IkeInit().sa().ke().nonce(Bytes(15)), "nonce of 15 octets");
  expect_refused(IkeInit().sa().ke().nonce(Bytes(257)), "nonce of 257 octets");
  expect_refused(IkeInit().cookie(Bytes(9)).sa().ke(), "a cookie and no nonce");
}

TEST_F(BadInput, TheNonceMayStandAnywhere) {
  expect_challenged(IkeInit().nonce(), "alone");
  expect_challenged(IkeInit().nonce().ke().sa(), "first");
  IkeInit fifteen;
  for (int i = 0; i < 15; ++i) fifteen.payload(payload_vendor, Bytes(16));
  IkeInit sixteen = fifteen;
  expect_challenged(fifteen.nonce(), "16th");
  expect_refused(sixteen.payload(payload_vendor, Bytes(16)).nonce(), "17th");
  expect_challenged(IkeInit().sa().ke(1100).nonce(), "far behind");
}

TEST_F(BadInput, LessThanTheAnswerIsNotAnswered) {
  // The least that has a nonce still is longer than a challenge.
  const Bytes question = datagram4().put(IkeInit().nonce(Bytes(16)).bytes()).bytes();
  const Outcome out = flooded(question);
  EXPECT_EQ(out.action, send_it);
  EXPECT_LT(out.packet.size(), question.size());
}

TEST_F(BadInput, NobodyIsAnswered) {
  for (const char* source : {"224.0.0.1", "239.255.255.255", "255.255.255.255", "0.0.0.0", "0.1.2.3", "127.0.0.1"})
    expect_refused(datagram4(500, source).put(usual_init().bytes()).bytes(), source);
  for (const char* source : {"ff02::1", "::", "::1"})
    expect_refused(datagram6(500, source).put(usual_init().bytes()).bytes(), source);
  Packet from_port_0 = frame();
  from_port_0.ipv4(far4, here4, 17).udp(0, 500).put(usual_init().bytes());
  expect_refused(from_port_0.bytes(), "port 0");
}

TEST_F(BadInput, NorIsWhatTheStackWouldThrowAway) {
  expect_refused(datagram4().put(usual_init().bytes()).wrong_ip_checksum().bytes(), "IPv4 header checksum");
}

// What veth hands over is not summed up yet, so the stack is left to judge it: the answer is right in any case, and
// behind a good cookie a wrong one still gets no farther than the stack.
TEST_F(BadInput, UdpChecksumsAreNotLookedAt) {
  const Bytes ike = usual_init().bytes(), nonce = octets_from(0x18, 32), spi = octets_from(0, 8);
  const Bytes cookie = cookie_for(7, octets_from(0, 16), spi, *base::Address::parse(far4), nonce);
  const Bytes again = IkeInit().cookie(cookie).sa().ke().nonce().bytes();
  for (const bool none : {false, true}) {
    Packet question = datagram4().put(ike), answered = datagram4().put(again);
    for (Packet* packet : {&question, &answered})
      if (none)
        packet->no_udp_checksum();
      else
        packet->wrong_udp_checksum();
    const Outcome out = flooded(question.bytes());
    ASSERT_EQ(out.action, send_it);
    EXPECT_EQ(counted(), only({ESPGATE_SHIELD_COOKIE_SENT}));
    EXPECT_EQ(udp_checksum(out.packet, 14, 34), 0);
    EXPECT_EQ(flooded(answered.bytes()).action, pass_it);
    EXPECT_EQ(counted(), only({ESPGATE_SHIELD_COOKIE_GOOD}));
  }
  const Outcome six = flooded(datagram6().put(ike).wrong_udp_checksum().bytes());
  ASSERT_EQ(six.action, send_it);
  EXPECT_EQ(udp_checksum(six.packet, 14, 54), 0);
}

// RFC 8200 8.1: over IPv6 there is none without. Neither above the rate nor below it.
TEST_F(BadInput, NoUdpChecksumOverIpv6) {
  const Bytes question = datagram6().put(usual_init().bytes()).no_udp_checksum().bytes();
  expect_refused(question);
  activate(1000);
  EXPECT_EQ(action(question), drop_it);
  EXPECT_EQ(counted(), only({ESPGATE_SHIELD_INIT_DROPPED}));
}

// IP options and extension headers of every length before a request that ends at every octet: limited as fragments
// are, or for the stack to throw away; never answered, for the answer would have to be without them.
TEST_F(BadInput, CutBehindOptionsAndExtensions) {
  const Bytes ike = usual_init().bytes();
  for (std::uint8_t options = 4; options <= 40; options += 4) {
    Packet four = frame(), six = frame();
    four.ipv4(far4, here4, 17, 0, options).udp(500, 500).put(ike);
    six.ipv6(far6, here6, 60).extension(43).extension(17, static_cast<std::uint8_t>(options * 2 / 8 * 8));
    six.udp(500, 500).put(ike);
    for (const Bytes& whole : {four.bytes(), six.bytes()}) {
      for (std::size_t octets = 14; octets < whole.size(); octets += options == 4 ? 1 : 13) {
        ASSERT_EQ(action(base::ByteView(whole).first(octets)), pass_it) << int{options} << ' ' << octets;
        ASSERT_EQ(counted(), Events{}) << int{options} << ' ' << octets;
      }
      (void)action(whole);
      const Events events = counted();
      EXPECT_EQ(events[ESPGATE_SHIELD_FRAGMENT_PASSED] + events[ESPGATE_SHIELD_FRAGMENT_DROPPED], 1U) << int{options};
      EXPECT_EQ(events[ESPGATE_SHIELD_COOKIE_SENT], 0U) << int{options};
    }
  }
}

TEST_F(BadInput, ShortDatagramsAreTheStacks) {
  for (const std::size_t octets : {0, 1, 4, 27, 31})
    EXPECT_EQ(flooded(datagram4(4500).zeros(octets).bytes()).action, pass_it) << octets;
  EXPECT_EQ(flooded(datagram4().put(usual_init().bytes()).udp_length(7).bytes()).action, pass_it);
  EXPECT_EQ(flooded(datagram4().put(usual_init().bytes()).udp_length(2000).bytes()).action, pass_it);
}

// Octets at random where a request should be: whatever is done with them, an answer is never longer.
TEST_F(BadInput, Noise) {
  std::uint32_t state = 12345;
  auto next = [&state] { return static_cast<std::uint8_t>((state = state * 1103515245U + 12345U) >> 16U); };
  for (int round = 0; round < 3000; ++round) {
    Bytes ike = usual_init().bytes();
    for (int i = 0; i < 3; ++i) ike[28 + (next() * 256U + next()) % (ike.size() - 28)] = next();
    if (round % 2 == 0) ike[16] = next();
    const Bytes question = datagram4().put(ike).bytes();
    const Outcome out = pass(question);
    if (out.action == send_it)
      ASSERT_LE(out.packet.size(), question.size());
    else
      ASSERT_EQ(out.packet, question);
  }
}

}  // namespace

}  // namespace espgate::test
