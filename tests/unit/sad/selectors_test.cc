// SPDX-License-Identifier: Apache-2.0
#include "sad/selectors.h"

#include <gmock/gmock.h>

#include "tests/unit/sad/world.h"

namespace espgate::sad {
namespace {

bool covered(const std::vector<xfrm::PortMatch>& matches, std::uint16_t port) {
  int hits = 0;
  for (const auto& match : matches) hits += ((match.value ^ port) & match.mask) == 0 ? 1 : 0;
  EXPECT_LE(hits, 1);
  return hits == 1;
}

TEST(Ports, MatchesAreExactlyTheRange) {
  const std::vector<std::pair<int, int>> ranges{{0, 65535}, {80, 80},       {0, 1023}, {1024, 65535},
                                                {1, 65534}, {49152, 65535}, {7, 9},    {65535, 65535}};
  for (const auto& [first, last] : ranges) {
    const auto matches = port_matches(static_cast<std::uint16_t>(first), static_cast<std::uint16_t>(last));
    for (int port = 0; port < 65536; ++port) {
      ASSERT_EQ(covered(matches, static_cast<std::uint16_t>(port)), port >= first && port <= last)
          << first << "-" << last << ": " << port;
    }
  }
  EXPECT_EQ(port_matches(0, 65535), (std::vector<xfrm::PortMatch>{{}}));
  EXPECT_EQ(port_matches(1024, 2047), (std::vector<xfrm::PortMatch>{{1024, 0xfc00}}));
}

TEST(Expand, RangesBecomePrefixesAndFamiliesDoNotMix) {
  base::TrafficSelector range;
  range.first = address("10.0.0.1");
  range.last = address("10.0.0.2");
  const auto selectors = expand({range, nets({"2001:db8::/64"})[0]}, nets({"10.9.0.0/16", "2001:db8:9::/64"}));
  ASSERT_EQ(selectors.size(), 3U);
  EXPECT_EQ(selectors[0].text(), "10.0.0.1/32 -> 10.9.0.0/16");
  EXPECT_EQ(selectors[1].text(), "10.0.0.2/32 -> 10.9.0.0/16");
  EXPECT_EQ(selectors[2].text(), "2001:db8::/64 -> 2001:db8:9::/64");
}

TEST(Expand, ProtocolsHaveToAgree) {
  auto tcp = nets({"10.1.0.0/16"})[0];
  tcp.protocol = 6;
  auto udp = nets({"10.2.0.0/16"})[0];
  udp.protocol = 17;
  EXPECT_TRUE(expand({tcp}, {udp}).empty());
  tcp.first_port = tcp.last_port = 443;
  const auto selectors = expand({tcp}, nets({"10.2.0.0/16"}));
  ASSERT_EQ(selectors.size(), 1U);
  EXPECT_EQ(selectors[0].text(), "10.1.0.0/16 -> 10.2.0.0/16 proto 6 sport 443");
  EXPECT_EQ(reversed(selectors[0]).text(), "10.2.0.0/16 -> 10.1.0.0/16 proto 6 dport 443");
}

TEST(Expand, IcmpTypeAndCode) {
  auto echo = nets({"10.1.0.0/16"})[0];
  echo.protocol = 1;
  echo.first_port = echo.last_port = 8 << 8 | 3;
  const auto selectors = expand({echo}, nets({"10.2.0.0/16"}));
  ASSERT_EQ(selectors.size(), 1U);
  EXPECT_EQ(selectors[0].source_port, (xfrm::PortMatch{8, 0xffff}));
  EXPECT_EQ(selectors[0].destination_port, (xfrm::PortMatch{3, 0xffff}));
  EXPECT_EQ(reversed(selectors[0]).source_port, (xfrm::PortMatch{8, 0xffff}));
}

TEST(Expand, IcmpRangesAreExact) {
  // Whether some selector matches a type and a code.
  const auto admits = [](const std::vector<xfrm::Selector>& selectors, unsigned type, unsigned code) {
    return std::ranges::any_of(selectors, [&](const auto& one) {
      return ((one.source_port.value ^ type) & one.source_port.mask) == 0 &&
             ((one.destination_port.value ^ code) & one.destination_port.mask) == 0;
    });
  };
  for (const auto& [first, last] : {std::pair{0x0800, 0x08ff}, std::pair{0x0301, 0x0303}, std::pair{0x0304, 0x0b02},
                                    std::pair{0x0000, 0x00ff}, std::pair{0x0000, 0xfffe}, std::pair{0x0001, 0xffff}}) {
    auto icmp = nets({"10.1.0.0/16"})[0];
    icmp.protocol = 1;
    icmp.first_port = static_cast<std::uint16_t>(first);
    icmp.last_port = static_cast<std::uint16_t>(last);
    const auto selectors = expand({icmp}, nets({"10.2.0.0/16"}));
    for (int each = 0; each < 0x10000; each += 1) {
      const bool meant = each >= first && each <= last;
      ASSERT_EQ(admits(selectors, static_cast<unsigned>(each) >> 8, static_cast<unsigned>(each) & 0xff), meant) << each;
    }
  }
}

TEST(Packet, IsSaidAsIkeDoes) {
  const auto one = [](std::string_view prefix) { return *base::Prefix::parse(prefix); };
  const auto udp = packet_of({one("10.1.0.1/32"), one("10.2.0.1/32"), 17, {4000, 0xffff}, {53, 0xffff}});
  EXPECT_EQ(udp.first.text(), "10.1.0.1/32[udp/4000]");
  EXPECT_EQ(udp.second.text(), "10.2.0.1/32[udp/53]");
  const auto ping = packet_of({one("10.1.0.1/32"), one("10.2.0.1/32"), 1, {8, 0xffff}, {0, 0xffff}});
  EXPECT_EQ(ping.first.text(), "10.1.0.1/32[1/2048]");
  EXPECT_EQ(ping.second.text(), "10.2.0.1/32[1/2048]");
  const auto gre = packet_of({one("10.1.0.1/32"), one("10.2.0.1/32"), 47, {}, {}});
  EXPECT_EQ(gre.second.text(), "10.2.0.1/32[47]");
}

TEST(Priority, NarrowBeforeWideChildBeforeFloorBypassFirst) {
  const auto of = [](std::string_view local, std::string_view remote) {
    return expand(nets({local}), nets({remote}))[0];
  };
  const auto wide = of("10.1.0.0/16", "10.0.0.0/8");
  const auto narrow = of("10.1.0.0/16", "10.2.0.0/16");
  auto ports = narrow;
  ports.protocol = 6;
  ports.destination_port = {443, 0xffff};
  const std::vector<std::uint32_t> order{priority(neighbour_discovery(135), xfrm::Layer::bypass),
                                         priority(ports, xfrm::Layer::child),
                                         priority(ports, xfrm::Layer::floor),
                                         priority(narrow, xfrm::Layer::child),
                                         priority(narrow, xfrm::Layer::floor),
                                         priority(wide, xfrm::Layer::child),
                                         priority(wide, xfrm::Layer::floor)};
  EXPECT_TRUE(std::ranges::is_sorted(order));
  EXPECT_EQ(std::ranges::adjacent_find(order), order.end());
}

}  // namespace
}  // namespace espgate::sad
