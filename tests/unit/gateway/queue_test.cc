// SPDX-License-Identifier: Apache-2.0
// What the threads of espgated share is this queue; a program of its own, so that it is quickly built under
// ThreadSanitizer, too.
#include "gateway/queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

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

// Values that own memory, as those of the engines do, and both ends busy; whoever makes it no longer empty wakes.
TEST(BoundedQueue, ValuesCrossWhole) {
  constexpr int kCount = 5000;
  BoundedQueue<std::vector<std::string>> queue(64);
  std::atomic<int> woken = 0;
  std::jthread producer([&] {
    for (int i = 0; i < kCount;) {
      const auto pushed = queue.push({std::to_string(i), std::string(100, 'x')});
      if (pushed == decltype(queue)::Pushed::refused) {
        std::this_thread::yield();
        continue;
      }
      if (pushed == decltype(queue)::Pushed::first) ++woken;
      ++i;
    }
  });
  int expected = 0;
  while (expected < kCount) {
    for (const auto& value : queue.drain()) {
      ASSERT_EQ(value.at(0), std::to_string(expected++));
      ASSERT_EQ(value.at(1).size(), 100U);
    }
  }
  EXPECT_GE(woken, 1);
}

}  // namespace
}  // namespace espgate::gateway
