// SPDX-License-Identifier: Apache-2.0
#include "gateway/watchdog.h"

#include <gmock/gmock.h>

namespace espgate::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct Scene {
  asio::io_context io;
  std::vector<std::uint64_t> answers{0, 0};
  std::vector<bool> alive{true, true};
  std::vector<std::size_t> silent;
  int well = 0;
  Watchdog watchdog{
      io,
      {[this] {
         for (std::size_t i = 0; i < answers.size(); ++i) answers[i] += alive[i] ? 1U : 0U;
       },
       [this] { return answers; }, [this] { ++well; }, [this](std::size_t engine) { silent.push_back(engine); }}};
};

TEST(Watchdog, AllIsWellWhileEveryEngineAnswers) {
  Scene scene;
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(scene.watchdog.beat());
  EXPECT_EQ(scene.well, 5);
  EXPECT_THAT(scene.silent, IsEmpty());
}

TEST(Watchdog, OneEngineThatHangsIsNotWellAndIsNamed) {
  Scene scene;
  scene.watchdog.beat();
  scene.alive[1] = false;
  EXPECT_TRUE(scene.watchdog.beat());  // it had answered the question before
  EXPECT_FALSE(scene.watchdog.beat());
  EXPECT_FALSE(scene.watchdog.beat());
  EXPECT_THAT(scene.silent, ElementsAre(1U, 1U));
  EXPECT_EQ(scene.well, 2);
  scene.alive[1] = true;
  scene.watchdog.beat();  // asks it; its answer counts at the next
  EXPECT_TRUE(scene.watchdog.beat());
}

TEST(Watchdog, BeatsThriceInThePatienceOfSystemd) {
  Scene scene;
  scene.watchdog.start(std::chrono::milliseconds(30));
  while (scene.well < 4) scene.io.run_one();
  scene.watchdog.stop();
  scene.io.run();
  EXPECT_EQ(scene.well, 4);
}

}  // namespace
}  // namespace espgate::gateway
