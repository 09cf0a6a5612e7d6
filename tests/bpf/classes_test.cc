// SPDX-License-Identifier: Apache-2.0
// shield and the classifying tc program over packets made by hand, by BPF_PROG_TEST_RUN.
#include <bpf/bpf.h>
#include <gmock/gmock.h>

#include <filesystem>
#include <map>

#include "base/fd.h"
#include "loader/loader.h"
#include "maps/pins.h"
#include "tests/bpf/bpf_world.h"
#include "tests/bpf/packet.h"

namespace espgate::test {

namespace {

constexpr std::uint32_t ours = 0xc0ffee01, reserved = 200;  // RFC 4303 2.1: 1 to 255

struct Case {
  const char* name;
  unsigned class_;
  base::Bytes packet;
};

Packet v4(std::uint8_t proto, std::uint16_t fragment = 0) {
  Packet out;
  out.ipv4("192.0.2.1", "192.0.2.2", proto, fragment);
  return out;
}
Packet v6(std::uint8_t next) {
  Packet out;
  out.ipv6("2001:db8::1", "2001:db8::2", next);
  return out;
}
base::Bytes natt(std::uint32_t spi) { return v4(17).udp(4500, 4500).esp(spi).bytes(); }
Packet behind_extensions(int count) {
  Packet out = v6(60);
  for (int i = 1; i < count; ++i) out.extension(60);
  return out.extension(50).esp(ours);
}

std::vector<Case> cases() {
  return {
      {"esp", ESPGATE_CLASS_ESP, v4(50).esp(ours).bytes()},
      {"esp with Ethernet padding", ESPGATE_CLASS_ESP, v4(50).esp(ours).ip_length(60).bytes()},
      {"esp in a VLAN", ESPGATE_CLASS_ESP, Packet().vlan(5).ipv4("192.0.2.1", "192.0.2.2", 50).esp(ours).bytes()},
      {"esp in two VLANs", ESPGATE_CLASS_ESP,
       Packet().vlan(5, 0x88a8).vlan(6).ipv4("192.0.2.1", "192.0.2.2", 50).esp(ours).bytes()},
      {"esp behind IP options", ESPGATE_CLASS_ESP,
       Packet().ipv4("192.0.2.1", "192.0.2.2", 50, 0, 12).esp(ours).bytes()},
      {"esp, first fragment", ESPGATE_CLASS_ESP, v4(50, 0x2000).esp(ours).bytes()},
      {"esp, later fragment", ESPGATE_CLASS_ESP, v4(50, 0x2010).zeros(64).bytes()},
      {"esp over IPv6", ESPGATE_CLASS_ESP, v6(50).esp(ours).bytes()},
      {"esp behind extensions", ESPGATE_CLASS_ESP, v6(0).extension(60).extension(50, 16).esp(ours).bytes()},
      {"esp over IPv6, first fragment", ESPGATE_CLASS_ESP, v6(44).fragment6(50, 1).esp(ours).bytes()},
      {"esp over IPv6, later fragment", ESPGATE_CLASS_ESP, v6(44).fragment6(50, 0x100).zeros(32).bytes()},
      {"esp of an SPI that is not ours", ESPGATE_CLASS_UNKNOWN_SPI, v4(50).esp(ours + 1).bytes()},
      {"our SPI, another address", ESPGATE_CLASS_UNKNOWN_SPI,
       Packet().ipv4("192.0.2.1", "192.0.2.3", 50).esp(ours).bytes()},
      {"our SPI, another family", ESPGATE_CLASS_UNKNOWN_SPI,
       Packet().ipv6("2001:db8::1", "2001:db8::3", 50).esp(ours).bytes()},
      {"esp behind as many IP options as there can be", ESPGATE_CLASS_ESP,
       Packet().ipv4("192.0.2.1", "192.0.2.2", 50, 0, 40).esp(ours).bytes()},
      {"esp behind as many extensions as are looked through", ESPGATE_CLASS_ESP, behind_extensions(6).bytes()},
      {"esp behind more", ESPGATE_CLASS_PLAIN, behind_extensions(7).bytes()},
      {"esp behind a routing header", ESPGATE_CLASS_ESP, v6(43).extension(50, 16).esp(ours).bytes()},
      {"esp, extensions before and behind the fragment header", ESPGATE_CLASS_ESP,
       v6(0).extension(44).fragment6(60, 1).extension(50).esp(ours).bytes()},
      {"esp, wrong IPv4 checksum", ESPGATE_CLASS_ESP, v4(50).esp(ours).wrong_ip_checksum().bytes()},
      {"esp of a reserved SPI of ours", ESPGATE_CLASS_ESP, v4(50).esp(reserved).bytes()},
      {"esp of a reserved SPI that is not ours", ESPGATE_CLASS_UNKNOWN_SPI, v4(50).esp(reserved + 1).bytes()},
      {"esp of SPI 1", ESPGATE_CLASS_UNKNOWN_SPI, v4(50).esp(1).bytes()},
      {"esp of SPI 255 over IPv6", ESPGATE_CLASS_UNKNOWN_SPI, v6(50).esp(255).bytes()},
      {"SPI 0", ESPGATE_CLASS_MALFORMED, v4(50).esp(0).bytes()},
      {"SPI 0 over IPv6", ESPGATE_CLASS_MALFORMED, v6(50).esp(0).bytes()},
      {"esp too short", ESPGATE_CLASS_MALFORMED, v4(50).esp(ours, 3).bytes()},
      {"ah", ESPGATE_CLASS_AH, v4(51).ah(ours).bytes()},
      {"ah over IPv6", ESPGATE_CLASS_AH, v6(51).ah(ours).bytes()},
      {"ah before esp", ESPGATE_CLASS_AH, v6(0).extension(51).ah(ours).esp(ours).bytes()},
      {"ah of a reserved SPI", ESPGATE_CLASS_UNKNOWN_SPI, v6(51).ah(reserved).bytes()},
      {"ah, later fragment", ESPGATE_CLASS_AH, v4(51, 0x2010).zeros(64).bytes()},
      {"ah of an SPI that is not ours", ESPGATE_CLASS_UNKNOWN_SPI, v4(51).ah(ours + 1).bytes()},
      {"ah of SPI 0", ESPGATE_CLASS_MALFORMED, v4(51).ah(0).bytes()},
      {"ah too short", ESPGATE_CLASS_MALFORMED, v4(51).zeros(8).bytes()},
      {"ike", ESPGATE_CLASS_IKE, v4(17).udp(500, 500).zeros(28).bytes()},
      {"ike over IPv6", ESPGATE_CLASS_IKE, v6(17).udp(500, 500).zeros(200).bytes()},
      {"ike shorter than its header", ESPGATE_CLASS_MALFORMED, v4(17).udp(500, 500).zeros(27).bytes()},
      {"ike on 4500", ESPGATE_CLASS_IKE, v4(17).udp(4500, 4500).marker().zeros(28).bytes()},
      {"marker and less than a header", ESPGATE_CLASS_MALFORMED, v4(17).udp(4500, 4500).marker().zeros(27).bytes()},
      {"ike behind IP options", ESPGATE_CLASS_IKE,
       Packet().ipv4("192.0.2.1", "192.0.2.2", 17, 0, 8).udp(500, 500).zeros(28).bytes()},
      {"ike behind extensions", ESPGATE_CLASS_IKE, v6(0).extension(60).extension(17).udp(500, 500).zeros(28).bytes()},
      {"ike, first fragment", ESPGATE_CLASS_IKE, v4(17, 0x2000).udp(500, 500).udp_length(1400).zeros(40).bytes()},
      {"ike over IPv6, first fragment", ESPGATE_CLASS_IKE,
       v6(44).fragment6(17, 1).udp(500, 500).udp_length(1400).zeros(40).bytes()},
      {"ike, wrong UDP checksum", ESPGATE_CLASS_IKE, v4(17).udp(500, 500).zeros(28).wrong_udp_checksum().bytes()},
      {"ike, no UDP checksum", ESPGATE_CLASS_IKE, v4(17).udp(500, 500).zeros(28).no_udp_checksum().bytes()},
      {"UDP shorter than its header", ESPGATE_CLASS_MALFORMED, v4(17).udp(500, 500).zeros(28).udp_length(7).bytes()},
      {"keepalive over IPv6", ESPGATE_CLASS_NATT_KEEPALIVE, v6(17).udp(4500, 4500).u8(0xff).bytes()},
      {"keepalive", ESPGATE_CLASS_NATT_KEEPALIVE, v4(17).udp(4500, 4500).u8(0xff).bytes()},
      {"one octet, not 0xff", ESPGATE_CLASS_MALFORMED, v4(17).udp(4500, 4500).u8(0xfe).bytes()},
      {"esp in UDP", ESPGATE_CLASS_ESP_UDP, natt(ours)},
      {"esp in UDP over IPv6", ESPGATE_CLASS_ESP_UDP, v6(17).udp(4500, 4500).esp(ours).bytes()},
      {"esp in UDP, wrong UDP checksum", ESPGATE_CLASS_ESP_UDP,
       v4(17).udp(4500, 4500).esp(ours).wrong_udp_checksum().bytes()},
      {"esp in UDP, too short", ESPGATE_CLASS_MALFORMED, v4(17).udp(4500, 4500).esp(ours, 3).bytes()},
      {"first fragment that ends before the marker", ESPGATE_CLASS_MALFORMED,
       v4(17, 0x2000).udp(4500, 4500).udp_length(1400).bytes()},
      {"esp in UDP, not ours", ESPGATE_CLASS_UNKNOWN_SPI, natt(ours + 1)},
      {"UDP from 4500 to elsewhere", ESPGATE_CLASS_PLAIN, v4(17).udp(4500, 53).esp(ours).bytes()},
      {"UDP, later fragment", ESPGATE_CLASS_PLAIN, v4(17, 0x10).zeros(64).bytes()},
      {"TCP", ESPGATE_CLASS_PLAIN, v4(6).zeros(20).bytes()},
      {"ARP", ESPGATE_CLASS_PLAIN, Packet().ether(0x0806).zeros(28).bytes()},
      {"IPv4 cut off", ESPGATE_CLASS_MALFORMED, v4(6).zeros(20).cut(30).bytes()},
      {"IPv4 longer than it is", ESPGATE_CLASS_MALFORMED, v4(6).zeros(20).ip_length(400).bytes()},
      {"IPv4 shorter than its header", ESPGATE_CLASS_MALFORMED, v4(6).zeros(20).ip_length(10).bytes()},
      {"IPv4 header of 16 octets", ESPGATE_CLASS_MALFORMED, Packet().ether(0x0800).u8(0x44).zeros(60).bytes()},
      {"IPv6 longer than it is", ESPGATE_CLASS_MALFORMED, v6(6).zeros(20).ip_length(400).bytes()},
      {"IPv6 that says version 0", ESPGATE_CLASS_MALFORMED, Packet().ether(0x86dd).zeros(60).bytes()},
      {"extension past the end", ESPGATE_CLASS_MALFORMED, v6(0).u8(50).u8(9).zeros(6).bytes()},
  };
}

class Classes : public BpfTest {
 protected:
  void SetUp() override {
    BpfTest::SetUp();
    if (IsSkipped()) return;
    loader::Options options;
    options.bpffs = bpffs;
    options.max_slots = 16;
    options.tracing = false;
    auto opened = loader::Loader::open(options);
    ASSERT_TRUE(opened) << opened.error().text();
    loader_.emplace(std::move(*opened));
    assign(0, "192.0.2.1", "192.0.2.2");
    assign(1, "2001:db8::1", "2001:db8::2");
    assign(2, "192.0.2.1", "192.0.2.2", 51);
    assign(3, "2001:db8::1", "2001:db8::2", 51);
    assign(4, "192.0.2.1", "192.0.2.2", 50, reserved);
  }

  void assign(std::uint32_t slot, const char* src, const char* dst, std::uint8_t proto = 50, std::uint32_t spi = ours) {
    maps::SaRecord sa;
    sa.proto = proto;
    sa.spi.value = spi;
    sa.src = *base::Address::parse(src);
    sa.dst = *base::Address::parse(dst);
    ASSERT_TRUE(loader_->assign(slot, sa));
  }

  std::map<unsigned, std::uint64_t> counted() const {
    std::map<unsigned, std::uint64_t> out;
    for (const auto& row : loader_->reader()->classes()) {
      EXPECT_EQ(row.verdict, static_cast<unsigned>(ESPGATE_PASS));
      out[row.class_] += row.packets;
    }
    return out;
  }

  // The program that a device of ours has in that place.
  base::Fd program(const char* hook, loader::XdpWish wish) {
    run("ip link add espg0 type veth peer name espg1 && ip link set espg0 up && ip link set espg1 up");
    const auto done = loader_->attach_device("espg0", wish);
    EXPECT_TRUE(done) << done.error().text();
    for (const auto* missing : {&loader_->capabilities().missing, &done->missing})
      for (const std::string& sentence : *missing) std::printf("%s\n", sentence.c_str());
    const std::string pin =
        maps::map_pin(bpffs, std::string(maps::link_prefix) + hook + "_" + std::to_string(done->ifindex));
    const base::Fd link(bpf_obj_get(pin.c_str()));
    bpf_link_info info{};
    std::uint32_t octets = sizeof info;
    if (!link || bpf_link_get_info_by_fd(link.get(), &info, &octets) != 0) return {};
    return base::Fd(bpf_prog_get_fd_by_id(info.prog_id));
  }

  void expect_all(const base::Fd& program, std::uint32_t passed) {
    for (Case& one : all_) {
      auto before = counted();
      LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = one.packet.data(),
                  .data_size_in = static_cast<std::uint32_t>(one.packet.size()));
      ASSERT_EQ(bpf_prog_test_run_opts(program.get(), &options), 0) << one.name;
      EXPECT_EQ(options.retval, passed) << one.name;
      auto after = counted();
      before[one.class_] += 1;
      EXPECT_THAT(after, ::testing::ContainerEq(before)) << one.name;
    }
  }

  std::optional<loader::Loader> loader_;
  std::vector<Case> all_ = cases();
};

TEST_F(Classes, ByXdp) {
  const base::Fd shield = program("shield", loader::XdpWish::native);
  ASSERT_TRUE(shield);
  expect_all(shield, XDP_PASS);
}

// Whatever it was to be: its IP header promises more than has come.
TEST_F(Classes, CutAtEveryOctet) {
  const base::Fd shield = program("shield", loader::XdpWish::native);
  ASSERT_TRUE(shield);
  std::erase_if(all_, [](const Case& one) {
    return one.packet[12] == 0x08 && one.packet[13] == 0x06;  // ARP promises nothing
  });
  for (Case& one : all_) {
    if (std::string_view(one.name) == "esp with Ethernet padding") one.packet.resize(14 + 60);
    auto before = counted();
    for (std::size_t octets = 14; octets < one.packet.size(); ++octets) {
      LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = one.packet.data(),
                  .data_size_in = static_cast<std::uint32_t>(octets));
      ASSERT_EQ(bpf_prog_test_run_opts(shield.get(), &options), 0) << one.name << ' ' << octets;
      EXPECT_EQ(options.retval, static_cast<std::uint32_t>(XDP_PASS)) << one.name << ' ' << octets;
      before[ESPGATE_CLASS_MALFORMED] += 1;
    }
    EXPECT_THAT(counted(), ::testing::ContainerEq(before)) << one.name;
  }
}

TEST_F(Classes, ByTcWhereXdpIsOff) {
  const base::Fd tc = program("tc_ingress", loader::XdpWish::off);
  ASSERT_TRUE(tc);
  // The kernel refuses packets that are not as long as their IP header says, or have none.
  std::erase_if(all_, [](const Case& one) { return one.packet.size() < 14 + 20; });
  expect_all(tc, static_cast<std::uint32_t>(TCX_NEXT));
}

}  // namespace

}  // namespace espgate::test
