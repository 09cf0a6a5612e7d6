// SPDX-License-Identifier: Apache-2.0
// Policies that a device holds, as messages.
#include <gtest/gtest.h>
#include <linux/xfrm.h>

#include <array>
#include <cstring>
#include <optional>

#include "xfrm/attributes.h"
#include "xfrm/message.h"

namespace espgate::xfrm {
namespace {

using Room = std::array<std::uint8_t, kMessageRoom>;

PolicySpec held_by(std::uint32_t device) {
  PolicySpec out;
  out.id = {PolicyDirection::in,
            {*base::Prefix::parse("10.2.0.0/16"), *base::Prefix::parse("10.1.0.0/16"), 17, {53, 0xffff}, {}},
            Layer::guard};
  out.priority = 1234;
  out.device = device;
  return out;
}

std::optional<xfrm_user_offload> offload_in(const Room& room) {
  const auto& message = *reinterpret_cast<const nlmsghdr*>(room.data());
  std::optional<xfrm_user_offload> out;
  for_each_attribute(message, sizeof(xfrm_userpolicy_info), [&](std::uint16_t type, base::ByteView payload) {
    if (type != XFRMA_OFFLOAD_DEV || payload.size() != sizeof(xfrm_user_offload)) return;
    std::memcpy(&out.emplace(), payload.data(), payload.size());
  });
  return out;
}

// net/xfrm/xfrm_device.c, xfrm_dev_policy_add refuses any other flag, the direction's among them.
TEST(EncodePolicy, OffloadHasPacketModeAlone) {
  alignas(nlmsghdr) Room room;
  encode(PutPolicy{held_by(7)}, 1, {}, room);
  const auto offload = offload_in(room);
  ASSERT_TRUE(offload);
  EXPECT_EQ(offload->ifindex, 7);
  EXPECT_EQ(offload->flags, 4);
  encode(PutPolicy{held_by(0)}, 1, {}, room);
  EXPECT_FALSE(offload_in(room));
}

TEST(DecodePolicy, ThatADeviceHoldsIt) {
  alignas(nlmsghdr) Room room;
  for (const std::uint32_t device : {0U, 7U}) {
    encode(PutPolicy{held_by(device)}, 1, {}, room);
    EXPECT_EQ(decode_policy(*reinterpret_cast<nlmsghdr*>(room.data())), held_by(device));
  }
}

}  // namespace
}  // namespace espgate::xfrm
