// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "control/config/parse_values.h"

namespace espgate::control {
namespace {

std::string hex(std::string_view text) {
  const auto secret = parse_secret(text);
  return secret ? base::to_hex(secret->view()) : "error: " + secret.error();
}

TEST(Secret, PlainHexAndBase64) {
  EXPECT_EQ(hex("abc"), "616263");
  EXPECT_EQ(hex("0x00fF10"), "00ff10");
  EXPECT_EQ(hex("0sAP8Q"), "00ff10");
  EXPECT_EQ(hex("0sAP8="), "00ff");
  EXPECT_EQ(hex("0sAP8"), "00ff");
  EXPECT_EQ(hex("0sAA=="), "00");
  EXPECT_EQ(hex("0S"), "3053");
}

TEST(Secret, BrokenOnes) {
  for (const auto* text : {"0x", "0x1", "0xzz", "0s", "0s!", "0sA", "0sAP8==", "0sA===", ""}) {
    EXPECT_TRUE(hex(text).starts_with("error: the secret is ")) << text << ": " << hex(text);
  }
}

std::string selector(std::string_view text) {
  const auto ts = parse_selector(text);
  if (!ts) return "error: " + ts.error();
  return (ts->dynamic ? "dynamic " : "") + ts->ts.text();
}

TEST(Selector, Forms) {
  EXPECT_EQ(selector("10.1.0.0/16"), "10.1.0.0/16");
  EXPECT_EQ(selector("10.1.0.1"), "10.1.0.1/32");
  EXPECT_EQ(selector("10.0.0.1-10.0.0.9"), "10.0.0.1..10.0.0.9");
  EXPECT_EQ(selector("2001:db8::/32[tcp]"), "2001:db8::/32[tcp]");
  EXPECT_EQ(selector("10.0.0.0/24[tcp/80]"), "10.0.0.0/24[tcp/80]");
  EXPECT_EQ(selector("10.0.0.0/24[6/80]"), "10.0.0.0/24[tcp/80]");
  const auto range = parse_selector("10.0.0.0/24 [udp/1000-2000]");
  ASSERT_TRUE(range);
  EXPECT_EQ(range->ts.protocol, 17);
  EXPECT_EQ(range->ts.first_port, 1000);
  EXPECT_EQ(range->ts.last_port, 2000);
  const auto dynamic = parse_selector("dynamic[/53]");
  ASSERT_TRUE(dynamic);
  EXPECT_TRUE(dynamic->dynamic);
  EXPECT_EQ(dynamic->ts.protocol, 0);
  EXPECT_EQ(dynamic->ts.first_port, 53);
}

TEST(Selector, BrokenOnes) {
  for (const auto* text : {"", "x", "10.0.0.0/33", "10.0.0.0/24[tcp", "10.0.0.0/24[foo/80]", "10.0.0.0/24[tcp/65536]",
                           "10.0.0.0/24[tcp/9-3]", "10.0.0.9-10.0.0.1", "10.0.0.1-2001::", "10.0.0.0/24[tcp/opaque]",
                           "10.0.0.0/24[256]"}) {
    EXPECT_TRUE(selector(text).starts_with("error: ")) << text << ": " << selector(text);
  }
}

TEST(Addresses, Forms) {
  const auto range = parse_addresses("10.0.0.0-10.0.0.2");
  ASSERT_TRUE(range);
  ASSERT_EQ(range->size(), 2U);
  EXPECT_EQ((*range)[0].text(), "10.0.0.0/31");
  EXPECT_EQ(parse_addresses("%any6")->front().text(), "::/0");
  EXPECT_NE(parse_addresses("gw.example.org").error().find("not looked up"), std::string::npos);
  EXPECT_NE(parse_addresses("300.1.1.1").error().find("no address"), std::string::npos);
}

}  // namespace
}  // namespace espgate::control
