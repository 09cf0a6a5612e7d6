// SPDX-License-Identifier: Apache-2.0
#include "gateway/log_rules.h"

#include <gmock/gmock.h>

namespace espgate::gateway {
namespace {

using ::testing::HasSubstr;
constexpr base::Instant kNow{std::chrono::hours(1)};

TEST(LogRules, TheLastRuleThatFitsDecides) {
  LogRules rules;
  EXPECT_FALSE(rules.wanted(kNow, Level::debug, Subsystem::ike, "a: x"));
  ASSERT_TRUE(rules.set(kNow, "ike", "debug", "", {}));
  EXPECT_TRUE(rules.wanted(kNow, Level::debug, Subsystem::ike, "a: x"));
  EXPECT_FALSE(rules.wanted(kNow, Level::debug, Subsystem::daemon, "a: x"));
  ASSERT_TRUE(rules.set(kNow, "all", "error", "", {}));
  EXPECT_FALSE(rules.wanted(kNow, Level::warn, Subsystem::ike, "a: x"));
  EXPECT_TRUE(rules.wanted(kNow, Level::error, Subsystem::daemon, "a: x"));
}

TEST(LogRules, OfOneConnectionOnly) {
  LogRules rules;
  ASSERT_TRUE(rules.set(kNow, "all", "debug", "site-a", {}));
  for (const auto* line : {"site-a: x", "site-a/net in: x", "site-a"})
    EXPECT_TRUE(rules.wanted(kNow, Level::debug, Subsystem::ike, line)) << line;
  for (const auto* line : {"site-ab: x", "b site-a: x", ""})
    EXPECT_FALSE(rules.wanted(kNow, Level::debug, Subsystem::ike, line)) << line;
}

TEST(LogRules, ForSomeTime) {
  LogRules rules;
  ASSERT_TRUE(rules.set(kNow, "all", "trace", "", std::chrono::seconds(10)));
  EXPECT_TRUE(rules.wanted(kNow + std::chrono::seconds(9), Level::debug, Subsystem::ike, "x"));
  EXPECT_FALSE(rules.wanted(kNow + std::chrono::seconds(10), Level::debug, Subsystem::ike, "x"));
}

TEST(LogRules, WhatIsWrongIsSaid) {
  LogRules rules;
  EXPECT_THAT(rules.set(kNow, "net", "debug", "", {}).error(), HasSubstr("expected all, ike or daemon"));
  EXPECT_THAT(rules.set(kNow, "all", "loud", "", {}).error(), HasSubstr("expected error, warn"));
  for (int i = 0; i < 64; ++i) ASSERT_TRUE(rules.set(kNow, "all", "debug", "c" + std::to_string(i), {}));
  EXPECT_FALSE(rules.set(kNow, "all", "debug", "one more", {}));
  EXPECT_TRUE(rules.set(kNow, "all", "info", "c3", {}));  // takes the place of its former self
}

}  // namespace
}  // namespace espgate::gateway
