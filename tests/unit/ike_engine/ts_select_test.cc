// SPDX-License-Identifier: Apache-2.0
#include "ike/ts_select.h"

#include <gtest/gtest.h>

namespace espgate::ike {
namespace {

base::TrafficSelector ts(const char* prefix) { return base::TrafficSelector::of(base::Prefix::parse(prefix).value()); }

TEST(TsSelect, DynamicBecomesTheHostAndKeepsProtocolAndPorts) {
  TsConfig entry{true, ts("0.0.0.0/0")};
  entry.ts.protocol = 17;
  entry.ts.first_port = entry.ts.last_port = 1701;
  const auto out = resolve(std::vector{entry}, *base::Address::parse("2001:db8::1"));
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0].first.text(), "2001:db8::1");
  EXPECT_EQ(out[0].first, out[0].last);
  EXPECT_EQ(out[0].protocol, 17);
  EXPECT_EQ(out[0].first_port, 1701);
}

TEST(TsSelect, NothingConfiguredMeansDynamic) {
  const auto out = resolve({}, *base::Address::parse("192.0.2.1"));
  EXPECT_EQ(text(out), "192.0.2.1/32");
}

TEST(TsSelect, NarrowTakesWhatBothCover) {
  const TsList ours{ts("10.0.0.0/8"), ts("192.168.0.0/16")};
  const TsList offered{ts("0.0.0.0/0")};
  EXPECT_EQ(text(narrow(ours, offered)), "10.0.0.0/8 192.168.0.0/16");
  EXPECT_EQ(text(narrow(ours, TsList{ts("192.168.7.0/24")})), "192.168.7.0/24");
  EXPECT_TRUE(narrow(ours, TsList{ts("172.16.0.0/12")}).empty());
  EXPECT_TRUE(narrow(ours, TsList{ts("2001:db8::/32")}).empty());
}

TEST(TsSelect, NarrowLeavesOutWhatAnotherContains) {
  // The first selector of a request may be the packet's that triggered it (RFC 7296 2.9).
  EXPECT_EQ(text(narrow(TsList{ts("10.0.0.0/8")}, TsList{ts("10.1.2.3/32"), ts("10.1.0.0/16")})), "10.1.0.0/16");
}

TEST(TsSelect, Within) {
  EXPECT_TRUE(within(TsList{ts("10.1.0.0/16")}, TsList{ts("10.0.0.0/8")}));
  EXPECT_FALSE(within(TsList{ts("10.1.0.0/16"), ts("11.0.0.0/8")}, TsList{ts("10.0.0.0/8")}));
}

}  // namespace
}  // namespace espgate::ike
