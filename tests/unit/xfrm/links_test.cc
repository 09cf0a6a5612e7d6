// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <poll.h>
#include <sched.h>

#include <cstdlib>
#include <thread>

#include "xfrm/link_events.h"
#include "xfrm/links.h"

namespace espgate::xfrm {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> names_beneath(const std::vector<Link>& links, std::uint32_t ifindex) {
  std::vector<std::string> out;
  for (const auto& link : beneath(links, ifindex)) out.push_back(link.name);
  return out;
}

// A VLAN on a bond of two NICs, a bridge of that VLAN and a third NIC, and a pair of veths.
const std::vector<Link> kHouse{
    {1, "lo", "", 0, 0},        {2, "nic0", "", 5, 0},      {3, "nic1", "", 5, 0},
    {4, "nic2", "", 7, 0},      {5, "bond0", "bond", 0, 0}, {6, "vlan9", "vlan", 7, 5},
    {7, "br0", "bridge", 0, 0}, {8, "veth0", "veth", 0, 0}, {9, "empty", "bond", 0, 0},
};

TEST(Beneath, GoesThroughAllLayers) {
  EXPECT_THAT(names_beneath(kHouse, 2), ElementsAre("nic0"));
  EXPECT_THAT(names_beneath(kHouse, 5), ElementsAre("nic0", "nic1"));
  EXPECT_THAT(names_beneath(kHouse, 6), ElementsAre("nic0", "nic1"));
  EXPECT_THAT(names_beneath(kHouse, 7), ElementsAre("nic0", "nic1", "nic2"));
  EXPECT_THAT(names_beneath(kHouse, 8), ElementsAre("veth0"));
  EXPECT_THAT(names_beneath(kHouse, 9), ElementsAre("empty"));
  EXPECT_THAT(names_beneath(kHouse, 99), IsEmpty());
}

TEST(Beneath, EndsWhereDevicesStandOnOneAnother) {
  const std::vector<Link> ring{{1, "a", "vlan", 0, 2}, {2, "b", "vlan", 0, 1}};
  EXPECT_THAT(names_beneath(ring, 1), IsEmpty());
}

TEST(Links, NamesTheLoopback) {
  const auto all = links();
  ASSERT_TRUE(all) << all.error().text();
  const auto lo = std::ranges::find(*all, "lo", &Link::name);
  ASSERT_NE(lo, all->end());
  EXPECT_EQ(lo->ifindex, 1U);
  EXPECT_EQ(lo->kind, "");
  EXPECT_THAT(names_beneath(*all, 1), ElementsAre("lo"));
}

// What is heard of v0 after a command, the last word of it.
std::optional<LinkChange> heard_after(LinkSocket& socket, const char* command) {
  if (std::system(command) != 0) return std::nullopt;  // NOLINT(cert-env33-c,concurrency-mt-unsafe)
  std::optional<LinkChange> out;
  pollfd ready{socket.fd(), POLLIN, 0};
  while (poll(&ready, 1, 300) == 1) {
    const auto news = socket.receive();
    if (!news) return std::nullopt;
    for (const auto& change : news->changes) {
      if (change.name == "v0") out = change;
    }
  }
  return out;
}

TEST(LinkEvents, TellUpDownAndGone) {
  std::optional<LinkChange> up, carrier, down, gone;
  bool possible = false;
  std::thread([&] {
    if (unshare(CLONE_NEWNET) != 0) return;
    auto socket = LinkSocket::make();
    if (!socket || !heard_after(*socket, "ip link add v0 type veth peer name v1")) return;
    possible = true;
    up = heard_after(*socket, "ip link set v0 up && ip link set v1 up");
    carrier = heard_after(*socket, "ip link set v1 down");
    down = heard_after(*socket, "ip link set v1 up && ip link set v0 down");
    gone = heard_after(*socket, "ip link del v0");
  }).join();
  if (!possible) GTEST_SKIP() << "no namespaces, or no veth here";
  ASSERT_TRUE(up && carrier && down && gone);
  EXPECT_TRUE(up->up);
  EXPECT_FALSE(carrier->up) << "without a carrier";
  EXPECT_FALSE(down->up);
  EXPECT_FALSE(down->gone);
  EXPECT_TRUE(gone->gone);
}

}  // namespace
}  // namespace espgate::xfrm
