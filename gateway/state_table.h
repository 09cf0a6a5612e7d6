// SPDX-License-Identifier: Apache-2.0
// Records of IKE SAs in shared memory that outlives the process, written so that a death at any instruction leaves
// either all of a transaction or nothing of it.
//
// A segment is a header and slots of one size; a slot is two copies of a record. A transaction has a number. It writes
// the older copy of each slot concerned, stamped with its number, and then `committed` in the first segment: one store
// of eight octets. Until then the new copies count for nothing, after it the old ones do. What is forgotten gets an
// empty copy in the same way, and is overwritten with zeros afterwards; a record that outgrows its slot is forgotten
// there and written to a larger one in one transaction.
//
// Checksums tell memory that somebody else wrote to, or that is of another build: then nothing of it is believed.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "ike/api.h"

namespace espgate::gateway {

class StateTable {
 public:
  using Memory = std::span<std::uint8_t>;  // of a segment; aligned to eight octets

  // Where the memory belongs: times and SAs of another boot, or network namespace, mean nothing here.
  struct Place {
    std::array<std::uint8_t, 16> boot{};
    std::uint64_t netns = 0;
    bool operator==(const Place&) const = default;
  };
  // Memory of so many octets, all zero, for the segment with this index, to be found again by the next process.
  using Grow = std::function<base::Result<Memory>(std::uint32_t index, std::size_t octets)>;

  // `segments`: what a former process left, in any order; none of them: a new table. The error is a sentence: nothing
  // of it can be used, and it is to be thrown away. `before_store` is called before each store to the memory; for
  // tests, which let it throw.
  static std::expected<StateTable, std::string> open(const Place& place, std::vector<Memory> segments, Grow grow,
                                                     std::function<void()> before_store = nullptr);

  [[nodiscard]] std::vector<ike::Record::Entry> records() const;
  // All or nothing, but for entries that find no room: those are forgotten, as an old record is worse than none, and
  // the error says so.
  base::Result<void> commit(const ike::Record& record);
  // Forgets everything.
  void clear();
  [[nodiscard]] std::size_t size() const { return where_.size(); }

 private:
  struct Segment {
    Memory memory;
    std::uint32_t stride = 0, slots = 0;
  };
  struct Slot {
    std::uint32_t segment = 0, slot = 0;
    auto operator<=>(const Slot&) const = default;
  };
  // One copy as it stands in memory, in the machine's byte order.
  struct Copy {
    std::uint64_t transaction;  // 0: empty
    std::uint64_t key;
    std::uint64_t checksum;  // of everything else in it
    std::uint64_t length;    // 0: forgotten
  };
  struct Header;

  StateTable(const Place& place, Grow grow, std::function<void()> before_store)
      : place_(place), grow_(std::move(grow)), before_store_(std::move(before_store)) {}
  std::expected<void, std::string> take(Memory memory, std::map<std::uint32_t, Memory>& found) const;
  std::expected<void, std::string> recover();
  std::expected<void, std::string> recover(const Slot& slot);
  base::Result<void> add_segment(std::uint32_t stride);

  [[nodiscard]] Copy* copy(const Slot& slot, unsigned which) const;
  [[nodiscard]] int newest(const Slot& slot) const;  // committed; -1: none
  [[nodiscard]] base::ByteView payload(const Copy* copy) const;
  std::optional<Slot> free_slot(std::size_t length);
  void write(const Slot& slot, std::uint64_t transaction, std::uint64_t key, base::ByteView octets);
  void wipe(const Slot& slot);
  void wipe(Copy* copy, std::uint32_t stride);
  void store(std::uint64_t& to, std::uint64_t value);
  void fill(std::span<std::uint8_t> to, base::ByteView from);  // the rest with zeros

  Place place_;
  Grow grow_;
  std::function<void()> before_store_;
  std::vector<Segment> segments_;  // by index
  std::uint64_t committed_ = 0;
  std::map<std::uint64_t, Slot> where_;           // by key
  std::map<std::uint32_t, std::set<Slot>> free_;  // by stride
};

}  // namespace espgate::gateway
