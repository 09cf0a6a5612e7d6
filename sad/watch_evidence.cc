// SPDX-License-Identifier: Apache-2.0
#include "sad/watch_evidence.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

namespace espgate::sad {

namespace {

using std::chrono::seconds;

constexpr auto kBucket = seconds(30);
constexpr std::uint64_t kNoneGood = 2;
constexpr auto kGapsBucket = std::chrono::minutes(10);
// A gap that a peer was seen to make is no wonder up to this many times its length.
constexpr unsigned kUsual = 3;
constexpr std::uint64_t kAnswers = 5;          // that make a change
constexpr std::uint64_t kAtOnce = 3;           // packets after which the first answer counts as prompt
constexpr auto kAtOnceTime = seconds(1);       // or as early as this
constexpr std::uint64_t kFailsAgain = 2;       // failures that show that it goes on
constexpr double kAllWrong = 0.5;              // share of failures from which on a change needs no second look
constexpr std::uint64_t kUnansweredAgain = 5;  // packets, and
constexpr auto kSilentAgain = seconds(2);      // how long, in a second look

Gap longer(const Gap& a, const Gap& b) { return {std::max(a.packets, b.packets), std::max(a.length, b.length)}; }

bool at_least(const Gap& a, const Gap& b, unsigned times) {
  return a.packets >= b.packets * times && a.length >= b.length * times;
}

Finding of_integrity(const Evidence& evidence, const Traffic& seen) {
  const double share = evidence.traffic.share_failed();
  if (seen.failed >= kFailsAgain && seen.share_failed() >= share / 4) return Finding::unchanged;
  if (seen.failed != 0 || seen.in < enough_for(share)) return Finding::nothing_yet;
  return share >= kAllWrong ? Finding::changed : Finding::changed_perhaps;
}

// Answers at once and without gaps, after packets that nothing answered for much longer: that is no coincidence.
Finding of_answers(const Evidence& evidence, const Observed& trial, bool over) {
  const auto& seen = trial.traffic;
  const bool steady = at_least(evidence.gap, trial.gaps.longest(), 2);
  if (seen.in >= kAnswers && seen.out >= kAtOnce && trial.prompt && steady && !evidence.interrupted)
    return Finding::changed;
  if (!over) return Finding::nothing_yet;
  return seen.in == 0 ? Finding::unchanged : Finding::changed_perhaps;
}

}  // namespace

Traffic& Traffic::operator+=(const Traffic& more) {
  out += more.out;
  in += more.in;
  failed += more.failed;
  return *this;
}

double Traffic::share_failed() const {
  const auto all = in + failed;
  return all == 0 ? 0 : static_cast<double>(failed) / static_cast<double>(all);
}

void Gaps::take(base::Instant now, const Traffic& traffic) {
  if (!since_) since_ = now;
  if (now - *since_ >= kGapsBucket) {
    before_ = std::exchange(now_, {});
    since_ = now;
  }
  if (traffic.in != 0) {
    if (answered_) now_ = longer(now_, open(now));
    answered_ = true;
    return restart();
  }
  if (traffic.out == 0) return;
  if (!began_) began_ = now;
  packets_ += traffic.out;
}

Gap Gaps::longest() const { return longer(now_, before_); }

Gap Gaps::open(base::Instant now) const { return began_ ? Gap{packets_, now - *began_} : Gap{}; }

void Gaps::restart() {
  began_.reset();
  packets_ = 0;
}

void Failures::take(base::Instant now, const Traffic& traffic) {
  if (sum().failed == 0) {
    clear();
    since_ = now;
    if (traffic.failed == 0) return;
  } else if (now - since_ >= kBucket) {
    before_ = std::exchange(now_, {});
    since_ = now;
  }
  // From here on nothing is good: what was before is of another time.
  if (traffic.in == 0 && traffic.failed >= kNoneGood && sum().in != 0) before_ = now_ = {};
  if (traffic.failed != 0) ++times_;
  now_ += traffic;
}

void Failures::clear() {
  now_ = before_ = {};
  times_ = 0;
}

Traffic Failures::sum() const {
  Traffic out = before_;
  return out += now_;
}

void Observed::take(base::Duration passed, base::Instant now, const Traffic& more) {
  const auto before = traffic.out;
  traffic += more;
  gaps.take(now, more);
  if (more.in == 0 || first_answer_after) return;
  first_answer_after = before;
  prompt = before <= kAtOnce || passed <= kAtOnceTime;
}

std::uint64_t enough_for(double share) {
  constexpr double kSure = 7;  // e^-7: one in a thousand
  return static_cast<std::uint64_t>(std::ceil(kSure / std::max(share, 1e-4)));
}

Finding of_trial(const Evidence& evidence, const Observed& trial, bool over) {
  if (evidence.kind != Evidence::Kind::integrity) return of_answers(evidence, trial, over);
  return of_integrity(evidence, trial.traffic);
}

Finding of_second_look(const Evidence& evidence, const Observed& trial, const Observed& again, base::Instant now) {
  const auto& seen = again.traffic;
  if (evidence.kind == Evidence::Kind::integrity) {
    const double share = evidence.traffic.share_failed();
    if (seen.failed >= kFailsAgain && seen.share_failed() >= share / 4) return Finding::changed;
    return seen.failed == 0 && seen.in >= enough_for(share) ? Finding::unchanged : Finding::nothing_yet;
  }
  if (seen.in != 0) return Finding::unchanged;
  const Gap silent = again.gaps.open(now);
  const bool long_enough = silent.packets >= kUnansweredAgain && silent.length >= kSilentAgain;
  return long_enough && at_least(silent, trial.gaps.longest(), kUsual) ? Finding::changed : Finding::nothing_yet;
}

}  // namespace espgate::sad
