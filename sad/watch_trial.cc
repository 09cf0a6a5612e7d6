// SPDX-License-Identifier: Apache-2.0
// The watch's trials: who may make one, how it is judged, what follows.
#include <fmt/format.h>

#include <algorithm>

#include "sad/watch.h"
#include "sad/watch_text.h"

namespace espgate::sad {

namespace {

using std::chrono::seconds;

constexpr auto kSettle = seconds(2);       // answers to what went before may be under way so long
constexpr auto kOrderAgain = seconds(30);  // a rekey that nothing was heard of
constexpr unsigned kMostDoublings = 6;

}  // namespace

bool Watch::may_try(base::Instant now, const Line& line) {
  if (now < line.not_before || !line.automatic || !line.newest || !line.hardware) return false;
  const auto& spacing = spacing_[subject(line)];
  if (spacing.busy != nullptr) return false;
  if (line.hard->evidence.kind == Evidence::Kind::integrity) return true;
  const auto peer = peers_.find({line.peer, subject(line), line.hard->evidence.kind});
  return now >= spacing.next && (peer == peers_.end() || now >= peer->second);
}

void Watch::begin_trials(base::Instant now) {
  std::erase_if(peers_, [now](const auto& each) { return now >= each.second; });
  std::vector<Line*> suspects;
  for (const auto& [id, line] : by_id_) {
    if (line->state != WatchState::suspicious || line->newest != id) continue;
    if (auto evidence = weigh(now, *line)) {
      line->hard->evidence = *evidence;
      suspects.push_back(line.get());
    }
  }
  // The strongest evidence first.
  std::ranges::stable_sort(
      suspects, [](const Line* a, const Line* b) { return a->hard->evidence.kind > b->hard->evidence.kind; });
  for (Line* line : suspects) {
    if (line->strict && now >= line->not_before) {
      say(true, strict_text({line->full_name(), line->device, line->suite, line->peer}, line->hard->evidence));
      line->not_before = now + config_.backoff;
      enter(now, *line, WatchState::backing_off);
    }
    if (may_try(now, *line)) try_software(now, *line);
  }
}

void Watch::try_software(base::Instant now, Line& line) {
  const WatchNames names{line.full_name(), line.device, line.suite, line.peer};
  line.hard->accused = subject(line);
  line.hard->accused_suite = line.esp;
  line.hard->accused_suite.esn = false;
  spacing_[*line.hard->accused].busy = &line;
  say(true, trying_text(names, line.hard->evidence, std::chrono::duration_cast<seconds>(config_.trial)));
  orders_.emplace_back(
      TrySoftware{*line.newest, {false, Reason::suspected, on_trial_text(names, line.hard->evidence)}});
  enter(now, line, WatchState::leaving);
  line.ordered = now;
}

// IKE is alive if it answers promptly; and the evidence stands if nothing came in meanwhile.
void Watch::wait_for_software(base::Instant now, Line& line) {
  line.hard->gaps.take(now, line.held);
  line.hard->failing.take(now, line.held);
  if (line.hard->evidence.kind == Evidence::Kind::integrity) {
    line.hard->evidence.traffic = line.hard->failing.sum();
  } else if (line.held.in != 0) {
    return call_off(now, line, "packets come in again");
  }
  if (now - line.since > config_.prompt) {
    call_off(now, line, fmt::format("{} does not answer the rekey promptly, so it is rather the way to it", line.peer));
  }
}

void Watch::call_off(base::Instant now, Line& line, const std::string& why) {
  say(false, called_off_text({line.full_name(), line.device, line.suite, line.peer}, why));
  if (line.newest) orders_.emplace_back(CallOff{*line.newest});
  free_subject(line);
  line.not_before = now + std::min<base::Duration>(config_.retry * (1U << std::min(line.called_off++, kMostDoublings)),
                                                   config_.backoff);
  enter(now, line, WatchState::backing_off);
}

void Watch::judge_trial(base::Instant now, Line& line) {
  // More than answers to what went out in software, by the old SA until the peer has switched: hardware was answered.
  if (line.held.in > line.soft.out) line.hard->evidence.interrupted = true;
  const auto passed = now - line.since;
  line.hard->trial.take(passed, now, line.soft);
  const WatchNames names{line.full_name(), line.device, line.suite, line.peer};
  auto finding = of_trial(line.hard->evidence, line.hard->trial, passed >= config_.trial);
  if (finding == Finding::nothing_yet && passed >= config_.longest) finding = Finding::unchanged;
  switch (finding) {
    case Finding::nothing_yet:
      return;
    case Finding::changed:
      return convict(now, line);
    case Finding::changed_perhaps:
      say(false, second_look_text(names, line.hard->evidence));
      return come_back(now, line, true);
    case Finding::unchanged:
      say(true, unchanged_text(names, line.hard->evidence, line.hard->trial.traffic));
      end_trial(now, line);
      return come_back(now, line, false);
  }
}

void Watch::come_back(base::Instant now, Line& line, bool second_look) {
  if (line.newest) orders_.emplace_back(BackToHardware{*line.newest});
  enter(now, line, WatchState::returning);
  line.second_look = second_look;
  line.ordered = now;
}

void Watch::await_hardware(base::Instant now, Line& line) {
  if (!line.ordered || now - *line.ordered < kOrderAgain || !line.newest) return;
  orders_.emplace_back(BackToHardware{*line.newest});
  line.ordered = now;
}

void Watch::look_again(base::Instant now, Line& line) {
  if (now - line.since < kSettle) return;
  line.hard->again.take(now - line.since, now, line.held);
  const auto finding = of_second_look(line.hard->evidence, line.hard->trial, line.hard->again, now);
  if (finding == Finding::changed) return convict(now, line);
  if (finding == Finding::nothing_yet && now - line.since < config_.longest) return;
  if (finding == Finding::unchanged) {
    say(false, acquitted_text({line.full_name(), line.device, line.suite, line.peer}, line.hard->evidence));
  }
  end_trial(now, line);
}

// Nothing was found: the child is not tried for an hour, others of device and suite less and less often.
void Watch::end_trial(base::Instant now, Line& line) {
  free_subject(line);
  auto& spacing = spacing_[*line.hard->accused];
  spacing.step = spacing.step == base::Duration{} ? config_.retry : std::min(spacing.step * 2, config_.backoff);
  spacing.next = now + spacing.step;
  peers_[{line.peer, *line.hard->accused, line.hard->evidence.kind}] = now + config_.backoff;
  line.not_before = now + config_.backoff;
  line.called_off = 0;
  line.hard->gaps.restart();
  line.hard->failing.clear();
  enter(now, line, WatchState::backing_off);
}

void Watch::free_subject(const Line& line) {
  if (!line.hard || !line.hard->accused) return;
  const auto found = spacing_.find(*line.hard->accused);
  if (found != spacing_.end() && found->second.busy == &line) found->second.busy = nullptr;
}

void Watch::convict(base::Instant now, Line& line) {
  const auto& [device, suite, mode] = *line.hard->accused;
  Convict order{*line.newest,
                device,
                {line.hard->accused_suite, mode, {}, proof_text(line.hard->evidence, line.hard->trial.traffic), 0}};
  if (line.hard->evidence.kind == Evidence::Kind::integrity) order.what.direction = base::Direction::in;
  say(true, fmt::format("{}: {}", line.full_name(), sentence(device, order.what)));
  orders_.emplace_back(std::move(order));
  spacing_.erase(*line.hard->accused);
  line.hard->gaps.restart();
  line.hard->failing.clear();
  enter(now, line, WatchState::convicted);
  for (const auto& [id, other] : by_id_) {
    const bool hit = other->automatic && other->hardware && subject(*other) == line.hard->accused;
    if (!hit || other.get() == &line || other->newest != id) continue;
    enter(now, *other, WatchState::convicted);
    again_.push_back(id);
  }
}

void Watch::forgiven(const std::string& device, std::string_view suite) {
  for (const auto& [id, line] : by_id_) {
    if (line->newest != id || line->device != device || (!suite.empty() && line->suite != suite)) continue;
    if (line->state == WatchState::convicted) line->state = WatchState::watching;
    if (!line->hardware && line->reason == Reason::distrusted) again_.push_back(id);
  }
}

}  // namespace espgate::sad
