// SPDX-License-Identifier: Apache-2.0
#include "gateway/shield_tale.h"

#include <gtest/gtest.h>

namespace espgate::gateway {
namespace {

using std::chrono::seconds;

class Tale : public ::testing::Test {
 protected:
  void count(espgate_shield_event event, std::uint64_t packets) { row_.events[event] += packets; }
  // A second later.
  std::vector<std::string> look() {
    now_ += seconds(1);
    return texts(tale_.look(now_, {row_}));
  }
  std::vector<std::string> look_for(int rounds) {
    std::vector<std::string> out;
    for (int i = 0; i < rounds; ++i) {
      for (auto& line : look()) out.push_back(std::move(line));
    }
    return out;
  }
  static std::vector<std::string> texts(const std::vector<ShieldTale::Line>& lines) {
    std::vector<std::string> out;
    for (const auto& line : lines) out.push_back((line.begins ? "+ " : "- ") + line.text);
    return out;
  }

  ShieldTale tale_;
  base::Instant now_{std::chrono::hours(1)};
  maps::ShieldRow row_{3, "simnic0", {}};
};

using Lines = std::vector<std::string>;

TEST_F(Tale, WhatWasThereBeforeIsNoNews) {
  count(ESPGATE_SHIELD_COOKIE_SENT, 5000);
  EXPECT_EQ(look(), Lines{});
  EXPECT_EQ(look_for(20), Lines{});
}

TEST_F(Tale, AFloodIsTwoLines) {
  count(ESPGATE_SHIELD_COOKIE_SENT, 7);
  look();
  Lines all;
  for (int second = 0; second < 30; ++second) {
    count(ESPGATE_SHIELD_INIT_PASSED, 200);
    count(ESPGATE_SHIELD_COOKIE_SENT, 50'000);
    count(ESPGATE_SHIELD_COOKIE_GOOD, 10);
    count(ESPGATE_SHIELD_COOKIE_BAD, 1);
    for (auto& line : look()) all.push_back(std::move(line));
  }
  EXPECT_EQ(all, Lines{"+ shield: simnic0: challenging IKE_SA_INIT with cookies: 50210 a second came"});
  EXPECT_EQ(look_for(9), Lines{}) << "it may go on";
  EXPECT_EQ(
      look_for(20),
      Lines{"- shield: simnic0: no longer challenging IKE_SA_INIT: in 30 s 6000 passed under the rate, 1500000 were "
            "answered with a cookie, 300 came with a right one, 30 with a wrong one, 0 could not be answered"});
}

TEST_F(Tale, PausesDoNotMakeItTwo) {
  look();
  Lines all;
  for (int burst = 0; burst < 5; ++burst) {
    count(ESPGATE_SHIELD_UNKNOWN_SPI, 3);
    count(ESPGATE_SHIELD_UNKNOWN_DROPPED, 3);
    for (auto& line : look_for(8)) all.push_back(std::move(line));
  }
  EXPECT_EQ(all,
            Lines{"+ shield: simnic0: dropping ESP and AH with SPIs that the kernel does not know: 3 a second came"});
  EXPECT_EQ(texts(tale_.finish(now_)).size(), 1U);
  EXPECT_EQ(texts(tale_.finish(now_)), Lines{});
}

TEST_F(Tale, WhatOnlyPassesIsNotTold) {
  look();
  count(ESPGATE_SHIELD_INIT_PASSED, 100);
  count(ESPGATE_SHIELD_COOKIE_GOOD, 100);
  count(ESPGATE_SHIELD_FRAGMENT_PASSED, 100);
  count(ESPGATE_SHIELD_UNKNOWN_SPI, 100);
  count(ESPGATE_SHIELD_ALLOWED, 100);
  EXPECT_EQ(look_for(30), Lines{});
}

TEST_F(Tale, KindsAndDevicesAreToldApart) {
  maps::ShieldRow other{4, "", {}};
  tale_.look(now_, {row_});
  count(ESPGATE_SHIELD_FRAGMENT_DROPPED, 10);
  count(ESPGATE_SHIELD_SOURCE_DROPPED, 20);
  other.events[ESPGATE_SHIELD_INIT_DROPPED] = 4;
  now_ += seconds(2);
  EXPECT_EQ(texts(tale_.look(now_, {row_, other})),
            (Lines{"+ shield: simnic0: dropping fragments of IKE above fragment_rate: 5 a second came",
                   "+ shield: simnic0: dropping IKE of sources above source_rate: 10 a second came",
                   "+ shield: #4: challenging IKE_SA_INIT with cookies: 2 a second came"}));
  EXPECT_EQ(tale_.finish(now_).size(), 3U);
}

TEST_F(Tale, CountsThatBeginAnewAreNoFlood) {
  count(ESPGATE_SHIELD_COOKIE_SENT, 5000);
  look();
  row_.events = {};
  EXPECT_EQ(look_for(3), Lines{});
  count(ESPGATE_SHIELD_COOKIE_SENT, 2);
  EXPECT_EQ(look().size(), 1U);
}

}  // namespace
}  // namespace espgate::gateway
