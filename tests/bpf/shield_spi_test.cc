// SPDX-License-Identifier: Apache-2.0
// ESP and AH of SPIs that are not ours: what the kernel knows passes, whoever made it. States without keys (XFRM_MSG_
// ALLOCSPI) stand in for others' SAs: a kernel without ESP has them, too, in the same hash as whole ones.
#include <fmt/format.h>

#include "tests/bpf/shield_world.h"

namespace espgate::test {

namespace {

using base::Bytes;

constexpr auto pass_it = static_cast<std::uint32_t>(XDP_PASS), drop_it = static_cast<std::uint32_t>(XDP_DROP);

class UnknownSpi : public ShieldTest {
 protected:
  void SetUp() override {
    ShieldTest::SetUp();
    if (IsSkipped()) return;
    loader::ShieldRules rules;
    rules.active = rules.drop_unknown = true;
    if (const auto done = loader_->set_shield(rules); !done) GTEST_SKIP() << done.error().text();
  }
  void TearDown() override {
    run("ip xfrm state flush 2>/dev/null; ip addr del 192.0.2.3/24 dev espg0 2>/dev/null");
    ShieldTest::TearDown();
  }

  [[nodiscard]] Packet from4(std::uint8_t proto, const char* destination = here4) const {
    Packet out = frame();
    out.ipv4(far4, destination, proto);
    return out;
  }
  [[nodiscard]] Packet from6(std::uint8_t proto) const {
    Packet out = frame();
    out.ipv6(far6, here6, proto);
    return out;
  }

  // ESP, ESP in UDP and AH, over IPv4 of this SPI, over IPv6 of another one: newer kernels give an SPI only once.
  [[nodiscard]] std::vector<Bytes> all(std::uint32_t spi) const {
    const std::uint32_t six = spi ^ 0x40000000;
    return {from4(50).esp(spi).bytes(), datagram4(4500).esp(spi).bytes(), from4(51).ah(spi).bytes(),
            from6(50).esp(six).bytes(), datagram6(4500).esp(six).bytes(), from6(51).ah(six).bytes()};
  }

  static void larval(std::uint32_t spi, const std::string& extra = "") {
    const std::string four = fmt::format("src {} dst {}", far4, here4), six = fmt::format("src {} dst {}", far6, here6);
    for (const char* proto : {"esp", "ah"})
      for (const auto& [ends, number] : {std::pair{four, spi}, std::pair{six, spi ^ 0x40000000}})
        ASSERT_EQ(run(fmt::format("ip xfrm state allocspi {} proto {} mode tunnel reqid {} {} min {} max {} >/dev/null",
                                  ends, proto, spi, extra, number, number)),
                  0);
  }

  void expect_dropped(const Bytes& packet) {
    EXPECT_EQ(action(packet), drop_it);
    EXPECT_EQ(counted(), only({ESPGATE_SHIELD_UNKNOWN_SPI, ESPGATE_SHIELD_UNKNOWN_DROPPED}));
  }
  void expect_untouched(const Bytes& packet) {
    EXPECT_EQ(action(packet), pass_it);
    EXPECT_EQ(counted(), Events{});
  }
};

TEST_F(UnknownSpi, IsDroppedWhenTold) {
  for (const std::uint32_t spi : {1U, 255U, 256U, 0xc0ffee02U, 0xffffffffU})
    for (const Bytes& packet : all(spi)) expect_dropped(packet);
  EXPECT_EQ((classes()[{ESPGATE_CLASS_UNKNOWN_SPI, ESPGATE_DROP}]), 30U);
  EXPECT_EQ((classes()[{ESPGATE_CLASS_UNKNOWN_SPI, ESPGATE_PASS}]), 0U);
}

TEST_F(UnknownSpi, IsCountedOnlyWhenNotTold) {
  activate();
  for (const Bytes& packet : all(0xc0ffee02)) {
    EXPECT_EQ(action(packet), pass_it);
    EXPECT_EQ(counted(), only({ESPGATE_SHIELD_UNKNOWN_SPI}));
  }
}

TEST_F(UnknownSpi, OfOursPasses) {
  maps::SaRecord sa;
  sa.spi.value = 0x5555;
  sa.src = *base::Address::parse(far4);
  sa.dst = *base::Address::parse(here4);
  ASSERT_TRUE(loader_->assign(0, sa));
  expect_untouched(from4(50).esp(0x5555).bytes());
  expect_untouched(datagram4(4500).esp(0x5555).bytes());
  expect_dropped(from4(51).ah(0x5555).bytes());
}

TEST_F(UnknownSpi, OfSomebodyElsePasses) {
  larval(0x12345);
  for (const Bytes& packet : all(0x12345)) expect_untouched(packet);
  for (const Bytes& packet : all(0x12346)) expect_dropped(packet);
  // Another address of ours is another SA.
  run("ip addr add 192.0.2.3/24 dev espg0");
  expect_dropped(from4(50, "192.0.2.3").esp(0x12345).bytes());
  run("ip xfrm state flush");
  for (const Bytes& packet : all(0x12345)) expect_dropped(packet);
}

// RFC 4303 2.1: 1 to 255 are reserved, 0 is never on the wire. Who installs a reserved one all the same shall have it.
TEST_F(UnknownSpi, ReservedOnesAreAsOthers) {
  for (const std::uint32_t spi : {2U, 128U, 254U})
    for (const Bytes& packet : all(spi)) expect_dropped(packet);
  larval(200);
  for (const Bytes& packet : all(200)) expect_untouched(packet);
  for (const Bytes& packet : all(201)) expect_dropped(packet);
  for (const Bytes& packet : {from4(50).esp(0).bytes(), from6(50).esp(0).bytes(), from6(51).ah(0).bytes()})
    expect_untouched(packet);  // malformed: the stack's
  EXPECT_EQ((classes()[{ESPGATE_CLASS_MALFORMED, ESPGATE_PASS}]), 3U);
}

// Cut at every octet, by the frame's end or by what the headers say: it is malformed until there is an SPI and
// something behind it, and malformed packets are the stack's.
TEST_F(UnknownSpi, CutAtEveryOctet) {
  for (const Bytes& whole : all(0xc0ffee02))
    for (std::size_t octets = 14; octets < whole.size(); ++octets)
      expect_untouched(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(octets)));
  const Bytes esp = *base::from_hex("c0ffee020000000100000000");
  for (std::size_t octets = 0; octets < 12; ++octets) {
    const base::ByteView some = base::ByteView(esp).first(octets);
    for (const Bytes& packet : {from4(50).put(some).bytes(), from4(51).put(some).bytes(), from6(50).put(some).bytes(),
                                datagram4(4500).put(some).bytes(), datagram6(4500).put(some).bytes()})
      expect_untouched(packet);
  }
  expect_dropped(from4(50).put(esp).bytes());
  expect_dropped(datagram6(4500).put(esp).bytes());
}

TEST_F(UnknownSpi, OfSomebodyElseWithAMarkPasses) {
  larval(0x23456, "mark 42");
  larval(0x34567, "mark 0x100 mask 0xff00");
  for (const std::uint32_t spi : {0x23456U, 0x34567U})
    for (const Bytes& packet : all(spi)) expect_untouched(packet);
  for (const Bytes& packet : all(0x23457)) expect_dropped(packet);
}

TEST_F(UnknownSpi, AmongManyPasses) {
  // With marks, and enough of them for the kernel to make its table grow: the chains are others than at first.
  ASSERT_EQ(
      run("for i in $(seq 4096 4395); do j=$((i + 1000)); "
          "echo xfrm state allocspi src 192.0.2.1 dst 192.0.2.2 proto esp mode tunnel reqid $i mark $i min $i max $i; "
          "echo xfrm state allocspi src 2001:db8::1 dst 2001:db8::2 proto esp mode tunnel reqid $j mark $j min $j "
          "max $j; done | ip -batch - >/dev/null"),
      0);
  for (std::uint32_t spi = 4096; spi < 4396; ++spi) {
    ASSERT_EQ(action(from4(50).esp(spi).bytes()), pass_it) << spi;
    ASSERT_EQ(action(from6(50).esp(spi + 1000).bytes()), pass_it) << spi;
  }
  EXPECT_EQ(counted(), Events{});
  for (std::uint32_t spi = 8192; spi < 8292; ++spi) {
    ASSERT_EQ(action(from4(50).esp(spi).bytes()), drop_it) << spi;
    ASSERT_EQ(action(from6(50).esp(spi).bytes()), drop_it) << spi;
  }
}

TEST_F(UnknownSpi, NotForThisHostPasses) {
  // In transit, to others' MAC addresses, to many.
  expect_untouched(from4(50, "192.0.2.9").esp(7).bytes());
  expect_untouched(Packet().macs(Bytes{2, 0, 0, 0, 0, 2}, Bytes(6)).ipv4(far4, here4, 50).esp(7).bytes());
  expect_untouched(from4(50, "224.0.0.7").esp(7).bytes());
  expect_untouched(frame().ipv6(far6, "ff02::1:2", 50).esp(7).bytes());
}

TEST_F(UnknownSpi, FragmentsGoByTheirFirst) {
  expect_dropped(frame().ipv4(far4, here4, 50, 0x2000).esp(7).bytes());
  expect_untouched(frame().ipv4(far4, here4, 50, 0x2010).zeros(64).bytes());
  expect_dropped(frame().ipv6(far6, here6, 44).fragment6(50, 1).esp(7).bytes());
}

TEST_F(UnknownSpi, MalformedOnesAreTheStacks) {
  expect_untouched(from4(50).esp(0).bytes());
  expect_untouched(from4(50).esp(7, 3).bytes());
  expect_untouched(from4(51).ah(0).bytes());
}

TEST_F(UnknownSpi, InactiveIsAsBefore) {
  set({});
  for (const Bytes& packet : all(0xc0ffee02)) expect_untouched(packet);
  EXPECT_EQ((classes()[{ESPGATE_CLASS_UNKNOWN_SPI, ESPGATE_PASS}]), 6U);
}

}  // namespace

}  // namespace espgate::test
