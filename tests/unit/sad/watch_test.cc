// SPDX-License-Identifier: Apache-2.0
// The watch and cards that lie; and anything that may happen, played at random.
#include "watch_stage.h"

namespace espgate::sad {
namespace {

TEST(Watch, ACardThatEncryptsWrongIsConvictedWithinSeconds) {
  Stage stage({played("net", {100, 0, 0})});
  stage.run(12);
  ASSERT_TRUE(stage.distrusted) << stage.text();
  EXPECT_EQ(stage.distrusted->device, "nic0");
  EXPECT_EQ(stage.distrusted->what.suite.name(), "aes128gcm16");
  EXPECT_EQ(stage.distrusted->what.direction, std::nullopt);
  EXPECT_EQ(stage.state("net"), WatchState::convicted);
  EXPECT_FALSE(stage.child("net").hardware);
  EXPECT_EQ(stage.child("net").demoted, 1);
  EXPECT_TRUE(stage.said("site-a/net: 30 packets went out in hardware in 2 s and none came in") ||
              stage.said("site-a/net: 40 packets went out in hardware in 3 s and none came in"))
      << stage.text();
  EXPECT_TRUE(stage.said("site-a/net: nic0 gets aes128gcm16 wrong in crypto mode: ")) << stage.text();
  EXPECT_TRUE(stage.said("in software until `espgate offload forgive dev nic0 suite aes128gcm16`")) << stage.text();
  stage.run(kHalfAnHour);
  EXPECT_EQ(stage.orders, 1);
}

TEST(Watch, ACardThatBeginsToLieIsConvicted) {
  for (const Card card : {Card{100, 0, 0}, Card{0, 100, 0}, Card{0, 0, 100}, Card{100, 100, 0}}) {
    Stage stage({played("net")});
    stage.run(300);
    EXPECT_EQ(stage.orders, 0);
    stage.child("net").card = card;
    stage.run(320);
    ASSERT_TRUE(stage.distrusted) << stage.text();
    EXPECT_LE(stage.convicted_at.front(), 315);
  }
}

TEST(Watch, OnePingASecondIsEnough) {
  Stage stage({played("net", {100, 0, 0}, 1)});
  stage.run(30);
  EXPECT_TRUE(stage.distrusted) << stage.text();
}

TEST(Watch, WhatFailsAfterTheCardDecryptedItConvictsItInbound) {
  Stage stage({played("net", {0, 100, 0})});
  stage.run(12);
  ASSERT_TRUE(stage.distrusted) << stage.text();
  EXPECT_EQ(stage.distrusted->what.direction, base::Direction::in);
  EXPECT_TRUE(stage.said("nic0 may decrypt aes128gcm16 wrong (in), or the peer 192.0.2.1 encrypts it wrong (its out)"))
      << stage.text();
}

TEST(Watch, OnePercentIsSeenTriedAndLookedAtASecondTime) {
  Stage stage({played("net", {0, 1, 0}, 100)});
  stage.run(120);
  ASSERT_TRUE(stage.distrusted) << stage.text();
  EXPECT_EQ(stage.distrusted->what.direction, base::Direction::in);
  EXPECT_TRUE(stage.said("a second look")) << stage.text();
  EXPECT_EQ(stage.orders, 1);
  EXPECT_FALSE(stage.child("net").hardware);
}

TEST(Watch, OthersOfTheSuiteAreMovedToo) {
  Stage stage({played("a", {100, 0, 0}), played("b", {100, 0, 0}), played("c", {100, 0, 0})});
  stage.run(30);
  EXPECT_EQ(stage.convicted_at.size(), 1U);
  EXPECT_EQ(stage.orders, 1);
  for (const auto* name : {"a", "b", "c"}) EXPECT_FALSE(stage.child(name).hardware) << name;
  EXPECT_EQ(stage.child("a").demoted + stage.child("b").demoted + stage.child("c").demoted, 1);
}

TEST(Watch, ForgivenMeansTriedAgain) {
  Stage stage({played("a", {100, 0, 0}), played("b", {100, 0, 0})});
  stage.run(30);
  ASSERT_TRUE(stage.distrusted);
  for (const auto* name : {"a", "b"}) stage.child(name).card = {};
  stage.forgive("aes256gcm16");
  stage.run(40);
  stage.forgive("aes128gcm16");
  stage.run(60);
  for (const auto* name : {"a", "b"}) {
    EXPECT_TRUE(stage.child(name).hardware) << name;
    EXPECT_EQ(stage.state(name), WatchState::watching) << name;
  }
}

TEST(Watch, AStrictChildIsTalkedOfOnly) {
  auto strict = played("net", {100, 0, 0});
  strict.wanted = OffloadWanted::crypto;
  Stage stage({strict});
  stage.run(kHalfAnHour);
  EXPECT_EQ(stage.orders, 0);
  EXPECT_EQ(stage.log.size(), 1U) << stage.text();
  EXPECT_TRUE(stage.said("It must be offloaded (hw_offload), so software is not tried")) << stage.text();
}

TEST(Watch, ARekeyThatFailsEndsTheTrial) {
  Stage stage({played("net", {100, 0, 0})}, 10000);
  stage.run(5);
  ASSERT_EQ(stage.orders, 1);
  stage.watch.failed(stage.now(), {stage.child("net").id});
  EXPECT_EQ(stage.state("net"), WatchState::backing_off);
}

TEST(Watch, AChildThatGoesWhileOnTrialBlocksNobody) {
  Stage stage({played("a", {100, 0, 0}), played("b", {100, 0, 0})});
  stage.run(6);
  auto& first = stage.child("a").demoted != 0 ? stage.child("a") : stage.child("b");
  ASSERT_EQ(first.demoted, 1);
  stage.watch.gone({{first.id}});
  first.out = 0;
  stage.run(30);
  EXPECT_TRUE(stage.distrusted) << stage.text();
}

// ----------------------------------------------------------------------------------------------- anything

TEST(Watch, NeverMoreThanATrialAnHourAndNoVerdictWithoutAChange) {
  std::mt19937 random(11);
  const auto roll = [&](unsigned most) { return std::uniform_int_distribution<unsigned>(0, most)(random); };
  for (int game = 0; game < 60; ++game) {
    std::vector<Played> children;
    for (unsigned n = 0; n <= roll(4); ++n) {
      children.push_back(played("net" + std::to_string(n), {}, 1 + roll(30)));
      children.back().address = "192.0.2." + std::to_string(1 + roll(2));
    }
    const auto many = children.size();
    Stage stage(std::move(children), 1 + static_cast<int>(roll(4)));
    bool wrong = false, was_away = false;  // a card, a peer, ever
    for (int second = 20; second < 5400; second += 20) {
      stage.run(second);
      auto& each = stage.child("net" + std::to_string(roll(static_cast<unsigned>(many) - 1)));
      switch (roll(12)) {
        case 0:
          each.out = roll(40);
          break;
        case 1:
          each.peer.answers = roll(1) * 100;
          was_away = true;
          break;
        case 2:
          each.peer.sends = roll(3);
          break;
        case 3:
          each.loss = roll(20);
          break;
        case 4:
          each.peer.there = [from = second, to = second + static_cast<int>(roll(40))](int now) {
            return now < from || now > to;
          };
          was_away = true;
          break;
        case 5:
          stage.install(each);  // a rekey of its own
          break;
        case 6:
          if (game % 2 == 0) break;
          each.card = {roll(1) * 100, roll(2) * 50, roll(1) * 100};
          wrong = true;
          break;
        case 7:
          // The operator's word: who was convicted may be tried again.
          for (unsigned n = 0; n < many; ++n) {
            const auto name = "net" + std::to_string(n);
            if (stage.state(name) == WatchState::convicted) stage.child(name).trials.clear();
          }
          stage.forgive("");
          break;
        default:
          break;
      }
      if (!wrong && !was_away) {
        ASSERT_FALSE(stage.distrusted) << "game " << game << "\n" << stage.text();
      }
    }
    for (unsigned n = 0; n < many; ++n) {
      const auto& trials = stage.child("net" + std::to_string(n)).trials;
      for (std::size_t i = 1; i < trials.size(); ++i) {
        EXPECT_GE(trials[i] - trials[i - 1], 3600) << "game " << game << "\n" << stage.text();
      }
    }
  }
}

}  // namespace
}  // namespace espgate::sad
