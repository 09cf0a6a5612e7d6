// SPDX-License-Identifier: Apache-2.0
// Policies, ACQUIRE and what is told of deletions, on this very machine's kernel, in a network namespace of the test's
// own: neither needs ESP.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>

#include <cstdlib>
#include <thread>

#include "xfrm/events.h"
#include "xfrm/netlink.h"

namespace espgate::xfrm {
namespace {

base::Address address(std::string_view text) { return *base::Address::parse(text); }

// The namespace is the thread's own; what it starts is in it, too.
bool enter_namespace() {
  constexpr auto kSetUp =
      "ip link set lo up && ip link add v0 type veth peer name v1 && ip address add 10.1.0.1/16 dev v0 && "
      "ip link set v0 up && ip link set v1 up && ip route add 10.2.0.0/16 dev v0 && "
      "ip neigh add 10.1.0.2 lladdr 02:00:00:00:00:02 dev v0";
  return unshare(CLONE_NEWNET) == 0 && std::system(kSetUp) == 0;  // NOLINT(cert-env33-c,concurrency-mt-unsafe)
}

void send_packet() {
  const base::Fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(53);
  inet_pton(AF_INET, "10.2.0.9", &to.sin_addr);
  (void)sendto(fd.get(), "x", 1, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to);  // dropped or queued
}

PolicySpec trap(base::Mark mark = {}) {
  PolicySpec out;
  out.id = {PolicyDirection::out,
            {*base::Prefix::parse("10.1.0.0/16"), *base::Prefix::parse("10.2.0.0/16"), 0, {}, {}},
            Layer::trap,
            mark,
            0};
  out.priority = 5;
  out.esp = Template{base::Address::any(base::Family::ipv4), address("10.1.0.2"), 0x45470002, base::SaMode::tunnel};
  return out;
}

std::vector<Notification> wait_for_events(EventSocket& events) {
  pollfd ready{events.fd(), POLLIN, 0};
  if (poll(&ready, 1, 5000) != 1) return {};
  return events.receive().value_or(std::vector<Notification>{});
}

// What the thread saw; the checks are made outside of it.
struct Seen {
  bool possible = false;
  bool put = false, gone = false;
  std::vector<PolicySpec> standing;
  std::vector<Notification> events, deletions, flush;
};

Seen see() {
  Seen out;
  if (!enter_namespace()) return out;
  auto kernel = NetlinkKernel::make_for_reading();
  auto events = EventSocket::make();
  if (!kernel || !events) return out;
  out.possible = true;
  std::vector<Request> requests;
  requests.emplace_back(PutPolicy{trap()});
  requests.emplace_back(PutPolicy{trap({0x10, 0xff})});  // beside it: a mark is part of a policy's name
  const auto answers = kernel->execute(requests);
  out.put = answers.at(0).has_value() && answers.at(1).has_value();
  out.standing = kernel->dump_policies().value_or(std::vector<PolicySpec>{});
  send_packet();
  out.events = wait_for_events(*events);
  std::vector<Request> away;
  away.emplace_back(DelPolicy{trap().id});
  away.emplace_back(DelPolicy{trap({0x10, 0xff}).id});
  const auto deleted = kernel->execute(away);
  out.gone = deleted.at(0).has_value() && deleted.at(1).has_value() && kernel->dump_policies()->empty();
  out.deletions = wait_for_events(*events);
  (void)kernel->execute(requests);
  if (std::system("ip xfrm policy flush") == 0)
    out.flush = wait_for_events(*events);  // NOLINT(cert-env33-c,concurrency-mt-unsafe)
  return out;
}

TEST(Acquire, APacketThatMeetsATrapIsHeardOf) {
  Seen seen;
  std::thread([&] { seen = see(); }).join();
  if (!seen.possible) GTEST_SKIP() << "no namespaces, no veth, or no XFRM here";
  EXPECT_TRUE(seen.put);
  EXPECT_EQ(seen.standing.size(), 2U);
  for (const auto& policy : seen.standing) EXPECT_EQ(policy, trap(policy.id.mark)) << "read back as it was put";
  ASSERT_FALSE(seen.events.empty()) << "no ACQUIRE came";
  const auto& event = seen.events.front();
  EXPECT_EQ(event.kind, Notification::Kind::acquire);
  EXPECT_EQ(event.policy, trap().id) << "it names the policy, with our layer";
  EXPECT_EQ(event.sa.destination, address("10.1.0.2"));
  EXPECT_EQ(event.packet.source, *base::Prefix::parse("10.1.0.1/32"));
  EXPECT_EQ(event.packet.destination, *base::Prefix::parse("10.2.0.9/32"));
  EXPECT_EQ(event.packet.protocol, IPPROTO_UDP);
  EXPECT_EQ(event.packet.destination_port, (PortMatch{53, 0xffff}));
  EXPECT_NE(event.larval, 0U);
  EXPECT_TRUE(seen.gone);
  ASSERT_EQ(seen.deletions.size(), 2U) << "and of what is new or changed nothing is heard";
  for (const auto& deletion : seen.deletions) EXPECT_EQ(deletion.kind, Notification::Kind::policy_deleted);
  EXPECT_EQ(seen.deletions[0].policy, trap().id);
  EXPECT_EQ(seen.deletions[1].policy, trap({0x10, 0xff}).id);
  ASSERT_EQ(seen.flush.size(), 1U);
  EXPECT_EQ(seen.flush[0].kind, Notification::Kind::policies_flushed);
}

}  // namespace
}  // namespace espgate::xfrm
