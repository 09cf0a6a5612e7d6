// SPDX-License-Identifier: Apache-2.0
// Who is in hardware when a device has fewer slots than there are children. Pure: counters and time in, moves out; no
// socket, no clock, no randomness; the same calls give the same moves. One Steer per device.
//
// The caller places each new child (place), says what each has carried (count) and who is gone (depart), and once an
// interval asks for moves (round), which it carries out as make-before-break child rekeys, demotions first.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/ids.h"
#include "steer/capacity.h"
#include "steer/judge.h"
#include "steer/reason.h"

namespace espgate::steer {

struct Config {
  std::optional<std::uint32_t> slots;                  // per direction; none: learned from refusals (Capacity)
  std::uint32_t reserve = 0;                           // slots to keep free, if more than Capacity keeps anyway
  base::Duration interval = std::chrono::seconds(10);  // between rounds of decisions
  double half_life = 5;                                // intervals after which traffic counts for half
  double factor = 1.25;        // a child must carry so much more than a holder to get its slot...
  unsigned rounds = 3;         // ... for so many rounds on end,
  double at_once = 4;          // or this much more, for one
  unsigned cooldown = 20;      // rounds in which a child that was moved is not moved again
  double budget_share = 0.01;  // moves per round at most, as a share of the slots; but at least one move
};

// A child of this Steer: from place() until depart(); then the number is given to another.
enum class ChildRef : std::uint32_t {};

struct Newcomer {
  bool eligible = true;          // it may be offloaded here, as far as is known
  bool in_hardware = false;      // it is there already (found at start): place() takes that as it is
  bool pinned = false;           // it must be in hardware: it gets a slot whatever is free, and keeps it
  std::optional<double> rate{};  // octets a second in a former life, if there was one
};

struct Placement {
  ChildRef child{};
  bool hardware = false;
  Reason why{};
};

// One child rekey to carry out. A swap is two of them, and counts as two.
struct Move {
  ChildRef child{};
  bool to_hardware = false;
  Reason why{};
  // For the log line, octets a second as estimated: its own, and that of the child it changes places with, if any.
  double rate = 0, against = 0;
};

class Steer {
 public:
  explicit Steer(const Config& config);
  // Another configuration; what is known of children, and of the device's refusals, is kept.
  void configure(const Config& config);

  // A new child: where its first SAs are to be installed. That is not a move. Hardware while more slots are free than
  // the next round has use for.
  Placement place(const Newcomer& newcomer = {});
  // It is gone, and its slot, if it had one, is free. That is not a move either.
  void depart(ChildRef child);

  // Octets (both directions) since the last call for this child.
  void count(ChildRef child, std::uint64_t octets);
  void set_eligible(ChildRef child, bool eligible);

  // Where the child really is, if not where Steer said: a move that failed, an offload lost or refused for another
  // cause than want of room.
  void observed(ChildRef child, bool in_hardware);
  // The device had no room for this child's SAs while `used` slots were taken: it is in software, and capacity lower.
  void refused(ChildRef child, std::uint32_t used);
  // The operator says that the device may have more room than it said.
  void forget_refusals() { capacity_.forget(); }

  // When round() is to be called next; nullopt: at any time, none was yet.
  [[nodiscard]] std::optional<base::Instant> due() const;
  // The moves of this interval, demotions first; valid until the next call to round(). From here on Steer takes them as
  // done (else: observed, refused). Never more than budget(); none if it is called before due().
  std::span<const Move> round(base::Instant now);

  [[nodiscard]] std::uint32_t budget() const;  // moves a round; 1 % of the slots, at least 1
  [[nodiscard]] const Capacity& capacity() const { return capacity_; }
  [[nodiscard]] std::uint32_t holders() const { return holders_; }
  [[nodiscard]] bool in_hardware(ChildRef child) const;
  [[nodiscard]] double rate(ChildRef child) const;  // octets a second, decayed, as of the last round

 private:
  using Index = std::uint32_t;
  enum Flag : std::uint8_t { live = 1, hardware = 2, eligible = 4, pinned = 8 };

  [[nodiscard]] std::uint32_t free_slots() const;
  [[nodiscard]] bool cooling(Index child) const;
  void age(double intervals, double seconds);
  void sort_out(std::uint32_t most);
  void gather_waiting(float bar, std::size_t most);
  void move(Index child, Reason why, double against = 0);
  std::uint32_t demote_what_must(std::uint32_t budget);
  std::uint32_t fill_free(std::uint32_t budget);
  void swap(std::uint32_t budget);
  [[nodiscard]] bool beats(Index newcomer, Index holder) const;
  void set_hardware(Index child, bool on);

  Config config_;
  Capacity capacity_;
  Judge judge_;
  std::optional<base::Instant> last_;
  std::uint32_t round_ = 0;
  std::uint32_t holders_ = 0;
  std::uint32_t kept_ = 0;  // free slots that the next round has use for

  // Per child, by ChildRef. Flat, since a round walks all of them.
  std::vector<std::uint8_t> flags_;
  std::vector<std::uint8_t> streak_;  // rounds on end in which it beat the weakest holder
  std::vector<std::uint32_t> life_;   // which of those that had this number
  std::vector<std::uint32_t> moved_;  // round of its last move; 0: never
  std::vector<double> fresh_;         // octets since the last round
  std::vector<float> sum_;            // decayed octets a second,
  std::vector<float> weight_;         // and how much of the past that is: the rate is sum / weight
  std::vector<float> rate_;
  std::vector<Index> unused_;

  // Of one round.
  std::vector<Index> weakest_;  // holders that may be moved, the lightest first
  std::vector<Index> waiting_;  // children in software that may be moved, the heaviest first
  float cut_ = 0;               // the least rate among waiting_, if there were more
  std::size_t next_weakest_ = 0, next_waiting_ = 0;
  std::vector<Move> demotions_, promotions_;
};

}  // namespace espgate::steer
