// SPDX-License-Identifier: Apache-2.0
// What the kernel says of itself: EXPIRE, NEWAE and ACQUIRE.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <netinet/in.h>

#include <cstring>

#include "xfrm/message.h"

namespace espgate::xfrm {
namespace {

base::Address address(std::string_view text) { return *base::Address::parse(text); }

// A message of `type` with one fixed header and one attribute behind it.
template <class T>
std::vector<std::uint8_t> raw(int type, const T& head, int attribute = 0, base::ByteView payload = {}) {
  std::vector<std::uint8_t> out(NLMSG_ALIGN(sizeof(nlmsghdr)) + NLMSG_ALIGN(sizeof head) + 4 +
                                NLMSG_ALIGN(payload.size()));
  auto* message = reinterpret_cast<nlmsghdr*>(out.data());
  message->nlmsg_type = static_cast<std::uint16_t>(type);
  message->nlmsg_len = static_cast<std::uint32_t>(out.size());
  std::memcpy(out.data() + sizeof(nlmsghdr), &head, sizeof head);
  auto* attr = reinterpret_cast<nlattr*>(out.data() + sizeof(nlmsghdr) + NLMSG_ALIGN(sizeof head));
  attr->nla_type = static_cast<std::uint16_t>(attribute);
  attr->nla_len = static_cast<std::uint16_t>(4 + payload.size());
  if (!payload.empty()) std::memcpy(attr + 1, payload.data(), payload.size());
  return out;
}

TEST(Notifications, ExpireNamesTheSaAndTheLimit) {
  xfrm_user_expire expire{};
  expire.state.id.proto = IPPROTO_ESP;
  expire.state.id.spi = htonl(0xc0ffee01);
  expire.state.family = AF_INET;
  expire.state.id.daddr.a4 = htonl(0xc0000202);
  for (const std::uint8_t hard : {std::uint8_t{0}, std::uint8_t{1}}) {
    expire.hard = hard;
    const auto octets = raw(XFRM_MSG_EXPIRE, expire);
    const auto seen = decode_notification(*reinterpret_cast<const nlmsghdr*>(octets.data()));
    ASSERT_TRUE(seen);
    EXPECT_EQ(seen->kind, hard != 0 ? Notification::Kind::hard_limit : Notification::Kind::soft_limit);
    EXPECT_EQ(seen->sa, (SaId{address("192.0.2.2"), {0xc0ffee01}}));
  }
  expire.state.id.proto = IPPROTO_COMP;
  const auto octets = raw(XFRM_MSG_EXPIRE, expire);
  EXPECT_FALSE(decode_notification(*reinterpret_cast<const nlmsghdr*>(octets.data())));
}

TEST(Notifications, AcquireNamesPolicyPacketAndTheTunnelsFamily) {
  xfrm_user_acquire acquire{};
  acquire.id.proto = IPPROTO_ESP;
  inet_pton(AF_INET6, "2001:db8::2", &acquire.id.daddr);
  acquire.sel.family = AF_INET;
  acquire.sel.daddr.a4 = htonl(0x0a020009);
  acquire.sel.prefixlen_d = acquire.sel.prefixlen_s = 32;
  acquire.policy.dir = XFRM_POLICY_OUT;
  acquire.policy.sel.family = AF_INET;
  acquire.policy.sel.user = 0x45470004;
  acquire.seq = 77;
  xfrm_user_tmpl esp{};
  esp.family = AF_INET6;
  const auto octets =
      raw(XFRM_MSG_ACQUIRE, acquire, XFRMA_TMPL, {reinterpret_cast<const std::uint8_t*>(&esp), sizeof esp});
  const auto seen = decode_notification(*reinterpret_cast<const nlmsghdr*>(octets.data()));
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->kind, Notification::Kind::acquire);
  EXPECT_EQ(seen->sa.destination, address("2001:db8::2"));
  EXPECT_EQ(seen->policy.layer, Layer::trap);
  EXPECT_EQ(seen->packet.destination, *base::Prefix::parse("10.2.0.9/32"));
  EXPECT_EQ(seen->larval, 77U);
  acquire.policy.dir = 7;
  const auto wrong = raw(XFRM_MSG_ACQUIRE, acquire);
  EXPECT_FALSE(decode_notification(*reinterpret_cast<const nlmsghdr*>(wrong.data())));
}

TEST(Notifications, SequenceIsTheLastOneUsed) {
  xfrm_aevent_id event{};
  event.sa_id.proto = IPPROTO_ESP;
  event.sa_id.family = AF_INET;
  event.sa_id.spi = htonl(7);
  xfrm_replay_state state{};
  state.oseq = 0x80000001;
  const auto octets =
      raw(XFRM_MSG_NEWAE, event, XFRMA_REPLAY_VAL, {reinterpret_cast<const std::uint8_t*>(&state), sizeof state});
  const auto seen = decode_notification(*reinterpret_cast<const nlmsghdr*>(octets.data()));
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->kind, Notification::Kind::sequence);
  EXPECT_EQ(seen->sequence_out, 0x80000001U);
  const auto other = raw(XFRM_MSG_NEWSA, event);
  EXPECT_FALSE(decode_notification(*reinterpret_cast<const nlmsghdr*>(other.data())));
}

}  // namespace
}  // namespace espgate::xfrm
