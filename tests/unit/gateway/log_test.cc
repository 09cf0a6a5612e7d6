// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "gateway/event_text.h"
#include "gateway/log.h"

namespace espgate::gateway {
namespace {

TEST(Printable, KeepsForeignTextOnOneLine) {
  EXPECT_EQ(printable("a\nb\x1b[31m"), "a\\x0ab\\x1b[31m");
  EXPECT_EQ(printable("abcdef", 3), "abc...");
  EXPECT_EQ(printable("\x9b"
                      "31m\xe2\x80\xae"),
            "\\x9b31m\\xe2\\x80\\xae")
      << "C1, and a right-to-left override";
}

TEST(Printable, AnEventIsOneLineWhateverAPeerCallsItself) {
  const std::string evil = "x\n2026-01-01 00:00:00.000 info all is well\x1b[2J\r";
  for (int kind = 0; kind <= static_cast<int>(ike::Event::Kind::dropped); ++kind) {
    for (const bool failed : {false, true}) {
      ike::Event event;
      event.kind = static_cast<ike::Event::Kind>(kind);
      event.conn = event.child = event.detail = evil;
      if (failed) event.failure = ike::Failure{ike::Reason::not_found, evil, evil, evil};
      const auto line = describe(event);
      for (const char c : line.text + line.key) EXPECT_GE(static_cast<unsigned char>(c), 0x20U);
    }
  }
}

TEST(LogLimiter, HoldsBackAndTells) {
  LogLimiter limiter(2);
  const base::Instant start{std::chrono::seconds(5)};
  EXPECT_TRUE(limiter.ask(start, "x").write);
  EXPECT_TRUE(limiter.ask(start, "x").write);
  EXPECT_FALSE(limiter.ask(start, "x").write);
  EXPECT_TRUE(limiter.ask(start, "y").write);
  const auto later = limiter.ask(start + std::chrono::seconds(2), "x");
  EXPECT_TRUE(later.write);
  EXPECT_EQ(later.held_back, 1U);
}

}  // namespace
}  // namespace espgate::gateway
