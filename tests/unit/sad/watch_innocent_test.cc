// SPDX-License-Identifier: Apache-2.0
// The watch and those who only look guilty: no device is convicted, and few children are bothered.
#include "watch_stage.h"

namespace espgate::sad {
namespace {

void expect_innocent(Stage& stage, std::size_t trials) {
  EXPECT_FALSE(stage.distrusted) << stage.text();
  EXPECT_LE(static_cast<std::size_t>(stage.orders), trials) << stage.text();
}

TEST(WatchInnocent, OneWayTrafficForHalfAnHour) {
  auto one_way = played("net", {}, 100);
  one_way.peer.answers = 0;
  Stage stage({one_way});
  stage.run(kHalfAnHour);
  expect_innocent(stage, 1);
  EXPECT_EQ(stage.orders, 1);
  EXPECT_TRUE(stage.child("net").hardware);
  EXPECT_EQ(stage.state("net"), WatchState::backing_off);
  EXPECT_TRUE(stage.said("nothing came in software either")) << stage.text();
  stage.run(2 * 3600);
  EXPECT_EQ(stage.orders, 2) << stage.text();  // an hour apart
}

TEST(WatchInnocent, APeerThatFallsSilentForHalfAnHour) {
  auto silent = played("net");
  silent.peer.there = [](int second) { return second < 100; };
  Stage stage({silent});
  stage.run(100 + kHalfAnHour);
  expect_innocent(stage, 1);
  EXPECT_EQ(stage.orders, 1);
  EXPECT_TRUE(stage.child("net").hardware);
}

TEST(WatchInnocent, FivePercentLossForHalfAnHour) {
  for (const double rate : {1.0, 10.0, 100.0}) {
    auto lossy = played("net", {}, rate);
    lossy.loss = 5;
    Stage stage({lossy});
    stage.run(kHalfAnHour);
    expect_innocent(stage, 0);
  }
}

TEST(WatchInnocent, AThousandChildrenOfASilentPeerMakeOneTrial) {
  std::vector<Played> children;
  for (int n = 0; n < 1000; ++n) {
    children.push_back(played("net" + std::to_string(n), {}, 3));
    children.back().peer.there = [](int second) { return second < 20; };
  }
  Stage stage(std::move(children));
  stage.run(300);
  expect_innocent(stage, 1);
  EXPECT_EQ(stage.orders, 1);
}

TEST(WatchInnocent, ManyPeersThatSayNothingAreTriedLessAndLess) {
  std::vector<Played> children;
  for (int n = 0; n < 100; ++n) {
    children.push_back(played("net" + std::to_string(n), {}, 3));
    children.back().peer.answers = 0;
    children.back().address = "192.0.2." + std::to_string(n + 1);
  }
  Stage stage(std::move(children));
  stage.run(3600);
  expect_innocent(stage, 8);
}

TEST(WatchInnocent, ButTheirFruitlessTrialsDoNotShieldTheCardFromOthers) {
  auto one_way = played("oneway");
  one_way.peer.answers = 0;
  auto other = played("other");
  Stage stage({one_way, other});
  stage.run(120);
  EXPECT_FALSE(stage.distrusted);
  stage.child("other").card = stage.child("oneway").card = {100, 0, 0};
  stage.run(150);
  EXPECT_TRUE(stage.distrusted) << stage.text();
}

TEST(WatchInnocent, WhileOthersAreAnsweredOneMustBeSilentForLonger) {
  auto one_way = played("oneway");
  one_way.peer.answers = 0;
  Stage stage({one_way, played("busy")});
  stage.run(14);
  expect_innocent(stage, 0);
}

TEST(WatchInnocent, APeerThatAnswersNowAndThen) {
  for (const unsigned share : {1U, 2U, 5U}) {
    auto rare = played("net", {}, 10);
    rare.peer.answers = share;
    Stage stage({rare});
    stage.run(kHalfAnHour);
    expect_innocent(stage, 1);
    EXPECT_TRUE(stage.child("net").hardware);
  }
}

TEST(WatchInnocent, APeerThatComesBackWhileOnTrial) {
  int unlucky = 0;
  for (int back = 101; back < 130; ++back) {
    auto away = played("net");
    away.peer.there = [back](int second) { return second < 100 || second >= back; };
    Stage stage({away});
    stage.run(400);
    EXPECT_LE(stage.orders, 1);
    EXPECT_EQ(stage.child("net").hardware, !stage.distrusted);
    unlucky += stage.distrusted ? 1 : 0;
  }
  EXPECT_LE(unlucky, 2);  // in the very second that it takes to reach software
}

TEST(WatchInnocent, AWayThatIsDeadStopsIkeToo) {
  auto away = played("net");
  away.peer.there = [](int second) { return second < 100 || second >= 130; };
  Stage stage({away}, 28);
  stage.run(400);
  EXPECT_FALSE(stage.distrusted) << stage.text();
  EXPECT_TRUE(stage.child("net").hardware);
  EXPECT_EQ(stage.child("net").demoted, 0);
  EXPECT_TRUE(stage.said("not tried in software after all")) << stage.text();
}

TEST(WatchInnocent, WhenThePeerIsWrongSoftwareShowsIt) {
  for (const unsigned share : {1U, 100U}) {
    auto wrong = played("net", {}, 100);
    wrong.peer.corrupts = share;
    Stage stage({wrong});
    stage.run(kHalfAnHour);
    expect_innocent(stage, 1);
    EXPECT_EQ(stage.orders, 1);
    EXPECT_TRUE(stage.child("net").hardware);
    EXPECT_TRUE(stage.said("in software, too: not nic0's doing, but that of the peer 192.0.2.1")) << stage.text();
  }
}

TEST(WatchInnocent, WithoutHardwareThePeerIsTalkedOfOnceAnHour) {
  auto wrong = played("net", {}, 100);
  wrong.wanted = OffloadWanted::no;
  wrong.peer.corrupts = 1;
  Stage stage({wrong});
  stage.run(2 * 3600);
  EXPECT_EQ(stage.orders, 0);
  EXPECT_EQ(stage.log.size(), 2U) << stage.text();
  EXPECT_TRUE(stage.said("decrypted in software: the peer 192.0.2.1 (its device, out) or the way from it"));
}

}  // namespace
}  // namespace espgate::sad
