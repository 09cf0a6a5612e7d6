// SPDX-License-Identifier: Apache-2.0
#include "sad/watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sad/watch_text.h"

namespace espgate::sad {

namespace {

using std::chrono::seconds;

constexpr std::uint64_t kFailures = 5;       // of the integrity check, in a minute,
constexpr double kFailedShare = 0.002;       // and of what came in
constexpr auto kLongestUsual = seconds(60);  // no gap is so usual that a longer one is none
constexpr unsigned kTimesUsual = 3;          // of the longest gap that ended of itself
constexpr auto kLikeIt = seconds(5);         // how long ago others like it were answered, at most
constexpr std::size_t kMostAgain = 20;       // rekeys a round after a verdict

std::string plain_name(base::EspSuite suite) {
  suite.esn = false;
  return suite.name();
}

std::string shape_of(const ike::ChildSpec& child, const std::string& device) {
  return fmt::format("{} {} {} {} {}", device, child.suite.name(), base::to_string(child.mode),
                     child.local.address.family() == base::Family::ipv4 ? 4 : 6, child.encap);
}

// Counters begin at 0 with each generation.
std::uint64_t grown(std::uint64_t before, std::uint64_t now) { return now > before ? now - before : 0; }

}  // namespace

Watch::Line* Watch::line_of(base::ChildId child) {
  const auto found = by_id_.find(child);
  return found == by_id_.end() ? nullptr : found->second.get();
}

void Watch::begins(const ike::ChildSpec& child, const std::string& device) {
  const auto old = child.replaces ? by_id_.find(*child.replaces) : by_id_.end();
  auto line = old != by_id_.end() ? old->second : std::make_shared<Line>();
  by_id_.insert_or_assign(child.id, line);
  line->generations.emplace(child.id, Generation{});
  line->conn = child.conn;
  line->name = child.child;
  line->device = device;
  line->esp = child.suite;
  line->suite = plain_name(child.suite);
  line->shape = shape_of(child, device);
  line->peer = child.remote.address.text();
  line->automatic = child.offload == base::OffloadWanted::automatic;
  line->strict = child.offload == base::OffloadWanted::crypto || child.offload == base::OffloadWanted::packet;
}

void Watch::enter(base::Instant now, Line& line, WatchState state) {
  line.state = state;
  line.since = now;
  line.ordered.reset();
}

void Watch::carried(base::Instant now, const Carried& what) {
  Line* line = line_of(what.id);
  if (line == nullptr) return;
  auto& generation = line->generations.at(what.id);
  generation.up = true;
  generation.hardware = what.hardware;
  if (what.hardware) line->mode = what.mode;
  if ((what.hardware || what.reason == Reason::suspected) && !line->hard) line->hard.emplace();
  const bool was_hardware = std::exchange(line->hardware, what.hardware);
  line->newest = what.id;
  line->reason = what.reason;
  line->ordered.reset();
  switch (line->state) {
    case WatchState::leaving:
      if (what.hardware) return call_off(now, *line, "another rekey came first");
      line->hard->trial = {};
      return enter(now, *line, WatchState::trying);
    case WatchState::trying:
    case WatchState::looking:
      if (what.hardware != (line->state == WatchState::looking)) end_trial(now, *line);
      return;
    case WatchState::returning:
      line->hard->again = {};
      if (!line->second_look) return enter(now, *line, WatchState::backing_off);
      if (what.hardware && subject(*line) == line->hard->accused) return enter(now, *line, WatchState::looking);
      return end_trial(now, *line);
    case WatchState::convicted:
      if (what.reason != Reason::distrusted) enter(now, *line, WatchState::watching);
      return;
    case WatchState::watching:
    case WatchState::suspicious:
    case WatchState::backing_off:
      break;
  }
  if (!was_hardware && line->hard) {
    line->hard->gaps.restart();
    line->hard->failing.clear();
  }
  if (what.hardware || what.reason != Reason::suspected) return;
  // A trial that was called off, and came all the same.
  line->not_before = now + config_.backoff;
  come_back(now, *line, false);
}

void Watch::gone(const Gone& what) {
  const auto found = by_id_.find(what.id);
  if (found == by_id_.end()) return;
  const auto line = found->second;
  by_id_.erase(found);
  line->generations.erase(what.id);
  if (line->newest == what.id) line->newest.reset();
  if (line->generations.empty()) free_subject(*line);
}

void Watch::failed(base::Instant now, base::ChildId child) {
  Line* line = line_of(child);
  if (line == nullptr) return;
  if (line->state == WatchState::leaving) call_off(now, *line, "the rekey failed");
}

bool Watch::busy() const {
  return std::ranges::any_of(spacing_, [](const auto& each) { return each.second.busy != nullptr; });
}

std::vector<base::ChildId> Watch::wanted() const {
  std::vector<base::ChildId> out;
  for (const auto& [id, line] : by_id_) {
    const auto& generation = line->generations.at(id);
    if (generation.up && (generation.hardware || line->state == WatchState::trying)) out.push_back(id);
  }
  return out;
}

std::vector<base::ChildId> Watch::in_software() const {
  std::vector<base::ChildId> out;
  for (const auto& [id, line] : by_id_) {
    const auto& generation = line->generations.at(id);
    if (generation.up && !generation.hardware && line->state != WatchState::trying) out.push_back(id);
  }
  return out;
}

void Watch::count(base::ChildId child, const Reading& reading) {
  Line* line = line_of(child);
  if (line == nullptr) return;
  auto& [last, up, hardware] = line->generations.at(child);
  Traffic more;
  more.out = grown(last.out_hardware, reading.out_hardware);
  if (!hardware) more.out += grown(last.out_software, reading.out_software);
  more.in = grown(last.in, reading.in);
  more.failed = grown(last.failed, reading.failed);
  last = reading;
  (hardware ? line->held : line->soft) += more;
}

WatchOrders Watch::round(base::Instant now) {
  for (const auto& [id, line] : by_id_) {
    if (id == line->generations.begin()->first) step(now, *line);
  }
  begin_trials(now);
  const auto some = again_.begin() + static_cast<std::ptrdiff_t>(std::min(again_.size(), kMostAgain));
  for (auto at = again_.begin(); at != some; ++at) {
    if (const Line* line = line_of(*at); line != nullptr && line->newest) orders_.emplace_back(Again{*line->newest});
  }
  again_.erase(again_.begin(), some);
  return std::exchange(orders_, {});
}

void Watch::step(base::Instant now, Line& line) {
  if (!line.newest) return give_up(now, line);
  switch (line.state) {
    case WatchState::watching:
    case WatchState::suspicious:
    case WatchState::backing_off:
      watch(now, line);
      break;
    case WatchState::leaving:
      wait_for_software(now, line);
      break;
    case WatchState::trying:
      judge_trial(now, line);
      break;
    case WatchState::returning:
      await_hardware(now, line);
      break;
    case WatchState::looking:
      look_again(now, line);
      break;
    case WatchState::convicted:
      if (line.hardware && now - line.since >= config_.longest) enter(now, line, WatchState::watching);
      break;
  }
  if (line.state != WatchState::trying) complain(now, line);
  line.held = line.soft = {};
}

// No generation of it is up now, or will be soon.
void Watch::give_up(base::Instant now, Line& line) {
  free_subject(line);
  const bool on_trial = line.state != WatchState::watching && line.state != WatchState::convicted;
  if (on_trial) enter(now, line, WatchState::backing_off);
  if (line.hard) line.hard->gaps.restart();
  line.held = line.soft = {};
}

void Watch::watch(base::Instant now, Line& line) {
  if (line.state == WatchState::backing_off && now >= line.not_before) enter(now, line, WatchState::watching);
  if (!line.hardware) return;
  if (line.held.in != 0 && line.held.out != 0) answered_[line.shape] = now;
  line.hard->gaps.take(now, line.held);
  line.hard->failing.take(now, line.held);
  const bool evidence = weigh(now, line).has_value();
  if (line.state == WatchState::watching && evidence) enter(now, line, WatchState::suspicious);
  if (line.state == WatchState::suspicious && !evidence) enter(now, line, WatchState::watching);
}

// Others of this shape are answered, by the same device: it is not for all of them that it fails.
bool Watch::alibi(base::Instant now, const Line& line) const {
  const auto found = answered_.find(line.shape);
  return found != answered_.end() && now - found->second <= kLikeIt;
}

std::optional<Evidence> Watch::weigh(base::Instant now, const Line& line) const {
  Evidence out;
  const auto& [accused, accused_suite, gaps, failing, evidence, trial, again] = *line.hard;
  out.traffic = failing.sum();
  out.gap = gaps.open(now);
  if (failing.confirmed() && out.traffic.failed >= kFailures && out.traffic.share_failed() >= kFailedShare) {
    out.kind = Evidence::Kind::integrity;
    return out;
  }
  const unsigned times = alibi(now, line) ? config_.patience : 1;
  const auto packets = gaps.answered() ? config_.unanswered : config_.unanswered_ever;
  if (out.gap.packets < packets * times || out.gap.length < config_.silence * times) return std::nullopt;
  const Gap usual = gaps.longest();
  const auto longer = std::min<base::Duration>(usual.length * kTimesUsual, kLongestUsual);
  if (out.gap.length < longer) return std::nullopt;
  if (longer < kLongestUsual && out.gap.packets < usual.packets * kTimesUsual) return std::nullopt;
  out.kind = gaps.answered() ? Evidence::Kind::fell_silent : Evidence::Kind::unanswered;
  return out;
}

// In software nothing can be tried; but the operator is told.
void Watch::complain(base::Instant now, Line& line) {
  if (!line.failing_soft && line.soft.failed == 0) return;
  if (!line.failing_soft) line.failing_soft.emplace();
  line.failing_soft->take(now, line.soft);
  const auto seen = line.failing_soft->sum();
  if (seen.failed < kFailures || seen.share_failed() < kFailedShare) return;
  if (line.complained_at && now - *line.complained_at < config_.backoff) return;
  line.complained_at = now;
  say(true, complaint_text({line.full_name(), line.device, line.suite, line.peer}, seen));
}

std::optional<WatchState> Watch::state(base::ChildId child) const {
  const auto found = by_id_.find(child);
  return found == by_id_.end() ? std::nullopt : std::optional(found->second->state);
}

}  // namespace espgate::sad
