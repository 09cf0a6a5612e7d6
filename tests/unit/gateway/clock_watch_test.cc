// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "gateway/clock_watch.h"
#include "gateway/queue.h"

namespace espgate::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Clocks at(base::Duration monotonic, base::Duration boottime, base::Duration realtime) {
  return {monotonic, boottime, realtime};
}

const Clocks kBefore = at(seconds(100), seconds(150), seconds(1'800'000'000));

TEST(ClockWatch, TimeThatPassesIsNoNews) {
  const auto news = compare(kBefore, at(seconds(102), seconds(152), seconds(1'800'000'002) + milliseconds(300)));
  EXPECT_FALSE(news.any());
}

TEST(ClockWatch, TheWallClockIsSetEitherWay) {
  auto news = compare(kBefore, at(seconds(102), seconds(152), seconds(1'800'003'602)));
  EXPECT_EQ(news.stepped, base::Duration(seconds(3600)));
  EXPECT_EQ(news.slept, base::Duration{});
  news = compare(kBefore, at(seconds(102), seconds(152), seconds(1'799'913'602)));
  EXPECT_EQ(news.stepped, base::Duration(-seconds(86400)));
}

TEST(ClockWatch, ASleepMovesBothClocksThatRunOn) {
  const auto news = compare(kBefore, at(seconds(102), seconds(212), seconds(1'800'000'062)));
  EXPECT_EQ(news.slept, base::Duration(seconds(60)));
  EXPECT_EQ(news.stepped, base::Duration{});
}

TEST(BoundedQueue, TakesBeyondItsLimitWhatMustNotBeLost) {
  BoundedQueue<int> queue(1);
  EXPECT_EQ(queue.push(1), BoundedQueue<int>::Pushed::first);
  EXPECT_EQ(queue.push(2), BoundedQueue<int>::Pushed::refused);
  EXPECT_EQ(queue.push(3, true), BoundedQueue<int>::Pushed::more);
  EXPECT_EQ(queue.drain(), (std::vector{1, 3}));
}

}  // namespace
}  // namespace espgate::gateway
