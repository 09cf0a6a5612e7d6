// SPDX-License-Identifier: Apache-2.0
#include "ike/wire/chain.h"

#include <gtest/gtest.h>

#include "tests/unit/ike_wire/samples.h"

namespace espgate::ike::wire {
namespace {

// One payload with its generic header.
base::Bytes link(int next, int flags, int length, std::size_t body) {
  base::ByteWriter out;
  out.u8(static_cast<std::uint8_t>(next));
  out.u8(static_cast<std::uint8_t>(flags));
  out.u16(static_cast<std::uint16_t>(length));
  out.zeros(body);
  return out.take();
}

base::Bytes operator+(base::Bytes a, const base::Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

constexpr auto kNonce = PayloadType::nonce;

TEST(Chain, Empty) {
  EXPECT_TRUE(split_chain(PayloadType::none, {}).value().empty());
  EXPECT_EQ(split_chain(PayloadType::none, hex("00")).error().error, WireError::trailing_octets);
  EXPECT_EQ(split_chain(kNonce, {}).error().error, WireError::bad_payload_length);
}

TEST(Chain, TwoPayloads) {
  const auto octets = link(41, 0, 12, 8) + link(0, 0, 4, 0);
  const auto chain = split_chain(kNonce, octets).value();
  ASSERT_EQ(chain.size(), 2U);
  EXPECT_EQ(chain[0].type, kNonce);
  EXPECT_EQ(chain[0].body.size(), 8U);
  EXPECT_EQ(chain[1].type, PayloadType::notify);
  EXPECT_EQ(chain[1].offset, 12U);
  EXPECT_TRUE(chain[1].body.empty());
}

// The only payload, 12 octets long: every other length is wrong.
TEST(Chain, EveryWrongLengthIsRefused) {
  for (int length = 0; length <= 0xffff; ++length) {
    const auto chain = split_chain(kNonce, link(0, 0, length, 8));
    ASSERT_EQ(chain.has_value(), length == 12) << length;
    if (chain) continue;
    const bool shorter = length >= 4 && length < 12;
    EXPECT_EQ(chain.error().error, shorter ? WireError::trailing_octets : WireError::bad_payload_length) << length;
  }
}

TEST(Chain, NextPayloadThatIsNotThere) {
  EXPECT_EQ(split_chain(kNonce, link(41, 0, 12, 8)).error().error, WireError::bad_payload_length);
  for (std::size_t cut = 1; cut < 4; ++cut) {
    const auto octets = link(41, 0, 12, 8) + base::Bytes(cut, 0);
    EXPECT_EQ(split_chain(kNonce, octets).error().error, WireError::bad_payload_length) << cut;
  }
}

TEST(Chain, CriticalBitMattersForUnknownPayloadsOnly) {
  const auto fault = split_chain(PayloadType{200}, link(0, 0x80, 4, 0)).error();
  EXPECT_EQ(fault.error, WireError::unknown_critical);
  EXPECT_EQ(fault.detail, 200);
  EXPECT_EQ(fault.notify(), NotifyType::unsupported_critical_payload);
  EXPECT_EQ(fault.text(), "payload 200: an unknown payload that is marked critical");
  EXPECT_TRUE(split_chain(PayloadType{200}, link(0, 0, 4, 0)));
  EXPECT_TRUE(split_chain(kNonce, link(0, 0x80, 4, 0)));
}

TEST(Chain, ReservedBitsAreIgnored) { EXPECT_TRUE(split_chain(PayloadType{200}, link(0, 0x7f, 4, 0))); }

TEST(Chain, EndsWithSk) {
  const auto sk = link(39, 0, 20, 16);
  const auto chain = split_chain(PayloadType::sk, sk).value();
  ASSERT_EQ(chain.size(), 1U);
  EXPECT_EQ(chain[0].next, PayloadType::auth);
  EXPECT_EQ(split_chain(PayloadType::sk, sk + link(0, 0, 4, 0)).error().error, WireError::misplaced_sk);
}

TEST(Chain, Limit) {
  base::Bytes octets;
  for (std::size_t i = 1; i < kMaxPayloads; ++i) octets = octets + link(43, 0, 4, 0);
  EXPECT_EQ(split_chain(PayloadType::vendor_id, octets + link(0, 0, 4, 0)).value().size(), kMaxPayloads);
  const auto more = octets + link(43, 0, 4, 0) + link(0, 0, 4, 0);
  EXPECT_EQ(split_chain(PayloadType::vendor_id, more).error().error, WireError::too_many);
}

}  // namespace
}  // namespace espgate::ike::wire
