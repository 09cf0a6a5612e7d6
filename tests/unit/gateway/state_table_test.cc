// SPDX-License-Identifier: Apache-2.0
// Death at every single store of every transaction: what the next process finds is one of the two states, whole.
#include "gateway/state_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <list>
#include <random>

namespace espgate::gateway {
namespace {

struct Death {};

using State = std::map<std::uint64_t, base::Bytes>;

// Memory that outlives a table.
struct Machine {
  std::list<std::vector<std::uint64_t>> segments;  // of eight octets each: aligned
  std::size_t most_segments = 100;
  std::size_t stores = 0, die_at = 0;  // 0: never

  static StateTable::Memory view(std::vector<std::uint64_t>& words) {
    return {reinterpret_cast<std::uint8_t*>(words.data()), words.size() * 8};
  }
  StateTable::Grow grow() {
    return [this](std::uint32_t, std::size_t octets) -> base::Result<StateTable::Memory> {
      if (segments.size() >= most_segments) return std::unexpected(base::Error{"grow", ENOSPC, {}});
      return view(segments.emplace_back((octets + 7) / 8));
    };
  }
  std::expected<StateTable, std::string> open(StateTable::Place place = {}) {
    std::vector<StateTable::Memory> left;
    for (auto& words : segments) left.push_back(view(words));
    stores = 0;
    return StateTable::open(place, std::move(left), grow(), [this] {
      if (++stores == die_at) throw Death();
    });
  }
  [[nodiscard]] bool holds(const std::string& text) {
    return std::ranges::any_of(segments, [&](auto& words) {
      const auto memory = view(words);
      return std::search(memory.begin(), memory.end(), text.begin(), text.end()) != memory.end();
    });
  }
};

ike::Record record(const std::vector<std::pair<std::uint64_t, base::Bytes>>& entries) {
  ike::Record out;
  for (const auto& [key, octets] : entries) out.entries.push_back({key, base::Secret::copy_of(octets)});
  return out;
}

State state_of(const StateTable& table) {
  State out;
  for (const auto& entry : table.records()) {
    out[entry.key] = base::Bytes(entry.octets.view().begin(), entry.octets.view().end());
  }
  return out;
}

void apply(State& state, const std::vector<std::pair<std::uint64_t, base::Bytes>>& entries) {
  for (const auto& [key, octets] : entries) {
    octets.empty() ? static_cast<void>(state.erase(key)) : static_cast<void>(state[key] = octets);
  }
}

base::Bytes some(std::uint8_t octet, std::size_t count) { return base::Bytes(count, octet); }

TEST(StateTable, KeepsWhatWasCommitted) {
  Machine machine;
  State expected;
  {
    auto table = machine.open();
    ASSERT_TRUE(table);
    for (const auto& entries :
         {std::vector<std::pair<std::uint64_t, base::Bytes>>{{1, some(1, 300)}, {2, some(2, 1200)}},
          {{1, some(3, 310)}, {3, some(4, 20000)}},
          {{2, {}}, {1, some(5, 5000)}},
          {{4, some(6, 470)}}}) {
      ASSERT_TRUE(table->commit(record(entries)));
      apply(expected, entries);
      EXPECT_EQ(state_of(*table), expected);
    }
  }
  auto next = machine.open();
  ASSERT_TRUE(next) << next.error();
  EXPECT_EQ(state_of(*next), expected);
  next->clear();
  EXPECT_EQ(next->size(), 0U);
}

TEST(StateTable, DeathAtAnyStoreLeavesTheOldStateOrTheNew) {
  std::mt19937 random(5);
  for (int round = 0; round < 12; ++round) {
    std::vector<std::vector<std::pair<std::uint64_t, base::Bytes>>> history;
    for (int i = 0; i < 8; ++i) {
      std::map<std::uint64_t, base::Bytes> entries;
      for (int j = 0; j < 4; ++j) {
        const std::size_t length = std::array{0, 200, 450, 700, 1500, 3000}[random() % 6];
        entries[1 + random() % 6] = some(static_cast<std::uint8_t>(random()), length);
      }
      history.emplace_back(entries.begin(), entries.end());
    }
    for (std::size_t die_at = 1;; ++die_at) {
      Machine machine;
      machine.die_at = die_at;
      State before, after;
      bool died = false;
      try {
        auto table = machine.open();
        for (const auto& entries : history) {
          before = after;
          apply(after, entries);
          ASSERT_TRUE(table->commit(record(entries)));
        }
      } catch (const Death&) {
        died = true;
      }
      // The next one dies on its way, too, and the one after that reads.
      machine.die_at = 1 + die_at % 7;
      try {
        (void)machine.open();
      } catch (const Death&) {
        machine.die_at = 0;
      }
      machine.die_at = 0;
      auto next = machine.open();
      ASSERT_TRUE(next) << next.error() << " after " << die_at << " stores";
      const auto found = state_of(*next);
      ASSERT_TRUE(found == before || found == after) << "after " << die_at << " stores";
      ASSERT_TRUE(next->commit(record({{9, some(9, 100)}})));
      auto last = machine.open();
      ASSERT_TRUE(last);
      EXPECT_EQ(last->size(), found.size() + 1);
      if (!died) break;
    }
  }
}

TEST(StateTable, WhatIsForgottenIsOverwritten) {
  Machine machine;
  auto table = machine.open();
  const std::string key = "a key that nobody may see";
  base::Bytes octets(key.begin(), key.end());
  ASSERT_TRUE(table->commit(record({{1, octets}})));
  ASSERT_TRUE(machine.holds(key));
  octets.resize(700);  // to a slot of another size
  octets.push_back('x');
  ASSERT_TRUE(table->commit(record({{1, octets}})));
  octets.back() = 'y';  // the other copy
  ASSERT_TRUE(table->commit(record({{1, octets}})));
  ASSERT_TRUE(table->commit(record({{1, {}}})));
  EXPECT_FALSE(machine.holds(key));
}

TEST(StateTable, AnyFlippedBitOfWhatCountsIsSeen) {
  Machine machine;
  {
    auto table = machine.open();
    ASSERT_TRUE(table->commit(record({{1, some(7, 600)}, {2, some(8, 600)}})));
  }
  auto& words = machine.segments.front();
  auto memory = Machine::view(words);
  std::size_t seen = 0, same = 0;
  for (std::size_t at = 0; at < 128 + 4 * 1024; ++at) {
    for (const std::uint8_t bit : {std::uint8_t{1}, std::uint8_t{128}}) {
      memory[at] ^= bit;
      const auto copy = words;
      if (const auto table = machine.open(); !table) {
        ++seen;
      } else if (const auto state = state_of(*table); state == State{{1, some(7, 600)}, {2, some(8, 600)}}) {
        ++same;  // nothing of it counts there
      } else {
        // A transaction that was unmade, or a record that is empty: then all of it is.
        EXPECT_TRUE(state.size() < 2) << "octet " << at;
        for (const auto& [key, octets] : state) EXPECT_EQ(octets, some(key == 1 ? 7 : 8, 600)) << "octet " << at;
      }
      words = copy;
      memory[at] ^= bit;
    }
  }
  EXPECT_GT(seen, 200U);
  EXPECT_GT(same, 200U);
}

TEST(StateTable, AnotherBootIsAnotherWorld) {
  Machine machine;
  {
    auto table = machine.open();
  }
  StateTable::Place other;
  other.boot[3] = 1;
  EXPECT_FALSE(machine.open(other));
  other = {};
  other.netns = 7;
  EXPECT_FALSE(machine.open(other));
  machine.segments.front()[1] = 0x99;  // layout
  EXPECT_FALSE(machine.open());
}

TEST(StateTable, WhatFindsNoRoomIsForgottenAndSaid) {
  Machine machine;
  machine.most_segments = 1;
  auto table = machine.open();
  ASSERT_TRUE(table->commit(record({{1, some(1, 700)}})));
  const auto full = table->commit(record({{1, some(1, 100000)}, {2, some(2, 700)}}));
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, ENOSPC);
  EXPECT_EQ(state_of(*table), (State{{2, some(2, 700)}}));
  auto next = machine.open();
  EXPECT_EQ(state_of(*next), (State{{2, some(2, 700)}}));
}

TEST(StateTable, GrowsAsManyRecordsCome) {
  Machine machine;
  auto table = machine.open();
  ike::Record many;
  for (std::uint64_t key = 1; key <= 3000; ++key) many.entries.push_back({key, base::Secret::copy_of(some(1, 600))});
  ASSERT_TRUE(table->commit(many));
  EXPECT_EQ(table->size(), 3000U);
  EXPECT_LE(machine.segments.size(), 10U);
  auto next = machine.open();
  EXPECT_EQ(next->size(), 3000U);
}

}  // namespace
}  // namespace espgate::gateway
