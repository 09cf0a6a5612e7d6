// SPDX-License-Identifier: Apache-2.0
#include "ike/task/nat_detection.h"

#include <gtest/gtest.h>

namespace espgate::ike {
namespace {

const base::IkeSpi kI{0x1122334455667788}, kR{0x99aabbccddeeff00};
const base::Endpoint kA{*base::Address::parse("192.0.2.1"), 500}, kB{*base::Address::parse("2001:db8::2"), 500};

TEST(NatDetection, NoNat) {
  const auto found = detect_nat(nat_notifies(kI, kR, kA, kB, false), kI, kR, kB, kA);
  EXPECT_TRUE(found.supported);
  EXPECT_FALSE(found.local);
  EXPECT_FALSE(found.remote);
}

TEST(NatDetection, TheHashIsOfSpisAddressAndPort) {
  // sha1(1122334455667788 99aabbccddeeff00 c0000201 01f4), by coreutils' sha1sum.
  const auto notifies = nat_notifies(kI, kR, kA, kB, false);
  const auto* source = wire::find_notify(notifies, wire::NotifyType::nat_detection_source_ip);
  ASSERT_NE(source, nullptr);
  EXPECT_EQ(base::to_hex(source->data), "c31e70110fc425fd1cdd03aa08eef6ef77e1d848");
}

TEST(NatDetection, AnotherPortOrAddressIsANat) {
  const auto sent = nat_notifies(kI, kR, kA, kB, false);
  auto seen = kA;
  seen.port = 20500;
  EXPECT_TRUE(detect_nat(sent, kI, kR, kB, seen).remote);
  EXPECT_FALSE(detect_nat(sent, kI, kR, kB, seen).local);
  seen = {*base::Address::parse("203.0.113.1"), 500};
  EXPECT_TRUE(detect_nat(sent, kI, kR, kB, seen).remote);
  EXPECT_TRUE(detect_nat(sent, kI, kR, {*base::Address::parse("10.0.0.2"), 500}, kA).local);
  EXPECT_TRUE(detect_nat(sent, kI, {}, kB, kA).remote) << "the SPIs count, too";
}

TEST(NatDetection, OneOfSeveralSourcesIsEnough) {
  auto sent = nat_notifies(kI, kR, kB, kB, false);
  for (auto& more : nat_notifies(kI, kR, kA, kB, false)) sent.push_back(more);
  EXPECT_FALSE(detect_nat(sent, kI, kR, kB, kA).remote);
}

TEST(NatDetection, ForcedLooksLikeANat) {
  const auto found = detect_nat(nat_notifies(kI, kR, kA, kB, true), kI, kR, kB, kA);
  EXPECT_TRUE(found.remote);
  EXPECT_FALSE(found.local);
}

TEST(NatDetection, WithoutNotifiesThePeerDoesNotSupportIt) {
  const auto found = detect_nat({}, kI, kR, kB, kA);
  EXPECT_FALSE(found.supported);
  EXPECT_FALSE(found.local || found.remote);
}

}  // namespace
}  // namespace espgate::ike
