// SPDX-License-Identifier: Apache-2.0
// What holds whatever comes: random worlds by seed, in which children come, go, send, are refused and fail to move.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "steer/steer.h"

namespace espgate::steer {
namespace {

class World {
 public:
  explicit World(unsigned seed) : dice_(seed), steer_(config_of(seed)) {}

  void run(int rounds) {
    for (round_ = 1; round_ <= rounds && !testing::Test::HasFatalFailure(); ++round_) {
      come_and_go();
      send();
      now_ += std::chrono::seconds(10) + std::chrono::milliseconds(below(500));
      decide();
    }
  }
  std::string log;  // of all decisions

 private:
  struct Child {
    ChildRef ref;
    double rate;
    int moved = -1000;
  };

  static Config config_of(unsigned seed) {
    Config config;
    if (seed % 4 != 0) config.slots = 10 + seed * 37 % 900;
    if (seed % 3 == 0) config.reserve = seed % 40;
    return config;
  }
  std::uint32_t below(std::uint32_t n) { return std::uniform_int_distribution<std::uint32_t>(0, n - 1)(dice_); }

  void come_and_go() {
    const std::uint32_t coming = round_ == 1 ? 1500 : below(30);
    for (std::uint32_t i = 0; i < coming; ++i) {
      const auto before = steer_.holders();
      const auto placed = steer_.place({.eligible = below(10) != 0});
      children_.push_back({placed.child, 1e6 / (1 + below(5000))});
      if (placed.hardware) {
        EXPECT_LT(before, steer_.capacity().usable()) << "a newcomer was given the headroom";
      }
      if (placed.hardware && steer_.holders() > device_) refuse(children_.back());
    }
    for (std::uint32_t i = below(25); i > 0 && !children_.empty(); --i) {
      const auto at = below(static_cast<std::uint32_t>(children_.size()));
      steer_.depart(children_[at].ref);
      children_[at] = children_.back();
      children_.pop_back();
    }
    if (below(20) == 0) {
      for (auto& child : children_) child.rate = 1e6 / (1 + below(5000));
    }
  }

  void refuse(Child& child) {
    steer_.refused(child.ref, steer_.holders() - 1);
    child.moved = std::max(1, round_ - 1);
  }

  void send() {
    for (const auto& child : children_) {
      if (below(3) != 0) steer_.count(child.ref, static_cast<std::uint64_t>(child.rate));
    }
  }

  void decide() {
    const auto budget = steer_.budget();
    const auto known = steer_.capacity().known();
    ASSERT_LE(budget, std::max(1U, known.value_or(steer_.holders()) / 100));
    const auto before = steer_.holders();
    const auto span = steer_.round(now_);
    const std::vector<Move> moves(span.begin(), span.end());
    ASSERT_LE(moves.size(), budget);
    ASSERT_TRUE(std::is_partitioned(moves.begin(), moves.end(), [](const Move& m) { return !m.to_hardware; }));
    // With less capacity than before there may be too many; they become fewer each round, never more.
    ASSERT_LE(steer_.holders(), std::max(before, steer_.capacity().usable()));
    for (const auto& move : moves) carry_out(move);
  }

  void carry_out(const Move& move) {
    const auto child =
        std::find_if(children_.begin(), children_.end(), [&](const Child& c) { return c.ref == move.child; });
    ASSERT_NE(child, children_.end()) << "moved who is not there";
    ASSERT_GE(round_ - child->moved, static_cast<int>(Config{}.cooldown));
    ASSERT_EQ(steer_.in_hardware(child->ref), move.to_hardware);
    child->moved = round_;
    log += (move.to_hardware ? '+' : '-') + std::to_string(static_cast<std::uint32_t>(move.child)) + ' ';
    if (below(50) == 0) steer_.observed(child->ref, !move.to_hardware);
    if (move.to_hardware && steer_.holders() > device_) refuse(*child);
  }

  std::mt19937 dice_;
  Steer steer_;
  base::Instant now_{};
  std::uint32_t device_ = 700;  // what the device really holds
  std::vector<Child> children_;
  int round_ = 0;
};

class Seeded : public testing::TestWithParam<unsigned> {};

TEST_P(Seeded, BudgetHeadroomAndCooldownHold) {
  World world(GetParam());
  world.run(300);
  EXPECT_FALSE(world.log.empty());
}

TEST_P(Seeded, TheSameCallsGiveTheSameMoves) {
  World one(GetParam()), two(GetParam());
  one.run(80);
  two.run(80);
  EXPECT_EQ(one.log, two.log);
}

INSTANTIATE_TEST_SUITE_P(Worlds, Seeded, testing::Range(1U, 25U));

}  // namespace
}  // namespace espgate::steer
