// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <thread>

#include "gateway/log.h"
#include "gateway/queue.h"

namespace espgate::gateway {
namespace {

TEST(BoundedQueue, RefusesWhenFullAndKeepsOrder) {
  BoundedQueue<int> queue(2);
  EXPECT_EQ(queue.push(1), BoundedQueue<int>::Pushed::first);
  EXPECT_EQ(queue.push(2), BoundedQueue<int>::Pushed::more);
  EXPECT_EQ(queue.push(3), BoundedQueue<int>::Pushed::refused);
  EXPECT_EQ(queue.drain(), (std::vector{1, 2}));
  EXPECT_EQ(queue.push(4), BoundedQueue<int>::Pushed::first);
}

TEST(BoundedQueue, LosesNothingBetweenTwoThreads) {
  constexpr int kCount = 20000;
  BoundedQueue<int> queue(kCount);
  std::jthread producer([&] {
    for (int i = 0; i < kCount; ++i) queue.push(i);
  });
  int expected = 0;
  while (expected < kCount) {
    for (int item : queue.drain()) EXPECT_EQ(item, expected++);
  }
}

TEST(Printable, KeepsForeignTextOnOneLine) {
  EXPECT_EQ(printable("a\nb\x1b[31m"), "a\\x0ab\\x1b[31m");
  EXPECT_EQ(printable("abcdef", 3), "abc...");
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
