// SPDX-License-Identifier: Apache-2.0
// What packets tell of a card: runs of outbound packets that nothing answers, and inbound ones that fail their
// integrity check. Pure. Inside sad/, and for its tests.
#pragma once

#include <cstdint>
#include <optional>

#include "base/ids.h"

namespace espgate::sad {

// Packets of some SAs in some time.
struct Traffic {
  std::uint64_t out = 0;
  std::uint64_t in = 0;      // that were good
  std::uint64_t failed = 0;  // inbound, by the integrity check
  Traffic& operator+=(const Traffic& more);
  // Of what came in; 0 if nothing did.
  [[nodiscard]] double share_failed() const;
};

// A run of outbound packets without an inbound one.
struct Gap {
  std::uint64_t packets = 0;
  base::Duration length{};
};

// Such runs, as they end of themselves and as they are now.
class Gaps {
 public:
  void take(base::Instant now, const Traffic& traffic);
  [[nodiscard]] Gap open(base::Instant now) const;
  // Of those that ended, in the last ten minutes or twenty; what was before the first answer ever is none.
  [[nodiscard]] Gap longest() const;
  [[nodiscard]] bool answered() const { return answered_; }  // there was an inbound packet
  // Forgets the run under way, not what is known of former ones.
  void restart();

 private:
  std::optional<base::Instant> began_, since_;
  std::uint64_t packets_ = 0;
  Gap now_, before_;
  bool answered_ = false;
};

// The last minute, about, from the first failure in it on: what was good before that says nothing of its share.
class Failures {
 public:
  void take(base::Instant now, const Traffic& traffic);
  [[nodiscard]] Traffic sum() const;
  // Seen at least twice: the first time may be half before it began.
  [[nodiscard]] bool confirmed() const { return times_ > 1; }
  void clear();

 private:
  base::Instant since_{};
  unsigned times_ = 0;
  Traffic now_, before_;
};

// What speaks against a card.
struct Evidence {
  enum class Kind : std::uint8_t { unanswered, fell_silent, integrity };
  Kind kind = Kind::unanswered;
  Gap gap;                   // but for integrity
  Traffic traffic;           // integrity: since failures began
  bool interrupted = false;  // something came in after all, before the trial began
};

// How a trial went in software, or a second look in hardware.
struct Observed {
  Traffic traffic;
  Gaps gaps;
  std::optional<std::uint64_t> first_answer_after;  // outbound packets until something came in
  bool prompt = false;                              // that was at once
  void take(base::Duration passed, base::Instant now, const Traffic& more);
};

enum class Finding : std::uint8_t { nothing_yet, changed, changed_perhaps, unchanged };

// Of a trial in software.
Finding of_trial(const Evidence& evidence, const Observed& trial, bool over);
// Of hardware again, after a trial after which it was not sure: `changed` if it fails again.
Finding of_second_look(const Evidence& evidence, const Observed& trial, const Observed& again, base::Instant now);

// So many good packets in a row that an error of this share would have shown, but for one case in a thousand.
std::uint64_t enough_for(double share);

}  // namespace espgate::sad
