// SPDX-License-Identifier: Apache-2.0
#include "sad/device_probe.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "sad/verdict.h"

namespace espgate::sad {
namespace {

using base::Direction;
using xfrm::OffloadKind;

// Ways to say "not now": looked at again after a while, without being asked.
bool held_up(ProbeState state) { return state == ProbeState::full || state == ProbeState::failed; }

std::string names(const std::vector<base::EspSuite>& suites) {
  std::vector<std::string> out;
  for (const auto& suite : suites) out.push_back(suite.name());
  return out.empty() ? std::string("nothing") : fmt::format("{}", fmt::join(out, ", "));
}

std::string summary(const DeviceRecord& known) {
  return fmt::format("it takes {} in crypto mode and {} in packet mode",
                     names(suites_taken(known, OffloadKind::crypto)), names(suites_taken(known, OffloadKind::packet)));
}

bool answered_so(const DeviceRecord& known, OffloadKind mode, Direction direction, ProbeResult result) {
  const auto* entry = known.find(usual_row(mode, direction));
  return entry != nullptr && entry->answer.result == result;
}

// Without ESP offload the usual SA is silently software in crypto mode. Then the other rows of that mode say the same,
// and packet mode is looked at once.
bool pruned(const DeviceRecord& known, OffloadKind mode) {
  if (!answered_so(known, OffloadKind::crypto, Direction::in, ProbeResult::silent_software)) return false;
  return mode == OffloadKind::crypto || answered_so(known, OffloadKind::packet, Direction::in, ProbeResult::refused);
}

}  // namespace

std::string_view to_string(ProbeState state) {
  switch (state) {
    case ProbeState::unsuited:
      return "unsuited";
    case ProbeState::waiting:
      return "waiting";
    case ProbeState::trying:
      return "trying";
    case ProbeState::done:
      return "done";
    case ProbeState::pruned:
      return "pruned";
    case ProbeState::full:
      return "full";
    case ProbeState::failed:
      return "failed";
  }
  return "?";
}

void DeviceProbe::begin(base::Instant now) {
  not_before_ = now + pace_.start;
  follow(now);
}

void DeviceProbe::arm(base::Instant at) {
  if (!not_before_) return;
  due_ = std::max(at, *not_before_);
}

void DeviceProbe::follow(base::Instant now) {
  const auto gone = [&](const auto& entry) { return !table_.devices().contains(entry.first); };
  std::erase_if(progress_, gone);
  for (const auto& [name, facts] : table_.devices()) {
    Progress& progress = progress_[name];
    if (progress.state != ProbeState::trying && !held_up(progress.state)) progress.state = ProbeState::waiting;
    if (!facts.esp_hw_offload) progress.state = ProbeState::unsuited;
  }
  arm(now);
}

void DeviceProbe::disturbed(base::Instant now) {
  if (!not_before_) return;
  not_before_ = std::max(*not_before_, now + pace_.quiet);
  if (due_) due_ = std::max(*due_, *not_before_);
}

std::optional<DeviceProbe::Step> DeviceProbe::next(base::Instant now, const HeldByDevice& held) {
  if (!due_ || now < *due_) return std::nullopt;
  if (!allowed_) {
    due_.reset();
    return std::nullopt;
  }
  std::optional<base::Instant> later;
  for (const auto& [name, facts] : table_.devices()) {
    Progress& progress = progress_[name];
    if (!facts.esp_hw_offload || !facts.up) continue;
    if (progress.not_before && now < *progress.not_before) {
      later = std::min(later.value_or(*progress.not_before), *progress.not_before);
      continue;
    }
    const auto holds = held.find(name);
    if (auto step = step_for(now, facts, progress, holds == held.end() ? Held{} : holds->second)) {
      arm(now + pace_.between);
      return step;
    }
    if (!held_up(progress.state)) continue;
    later = std::min(later.value_or(*progress.not_before), *progress.not_before);
  }
  due_ = later;
  return std::nullopt;
}

bool DeviceProbe::short_of(const DeviceRecord* known, Direction direction, const Held& held) const {
  const bool in = direction == Direction::in;
  const auto limit = known == nullptr ? std::nullopt : in ? known->slots_in : known->slots_out;
  return limit && (in ? held.in : held.out) + kProbeHeadroom >= *limit;
}

std::optional<DeviceProbe::Step> DeviceProbe::step_for(base::Instant now, const DeviceFacts& device, Progress& progress,
                                                       const Held& held) {
  const DeviceRecord* known = table_.find(device.name);
  const bool no_crypto = known != nullptr && pruned(*known, OffloadKind::crypto);
  const bool no_packet = known != nullptr && pruned(*known, OffloadKind::packet);
  bool short_of_room = false;
  for (const auto& row : plan_) {
    if (row.mode == OffloadKind::crypto ? no_crypto : no_packet) continue;
    if (known != nullptr && known->find(row) != nullptr) continue;
    if (short_of(known, row.direction, held)) {
      short_of_room = true;
      continue;
    }
    if (!std::exchange(progress.begun, true)) {
      say(Notice::Level::info,
          fmt::format("{}: finding out what it takes, with SAs that are added and deleted at once", device.name));
    }
    progress.state = ProbeState::trying;
    return Step{device.name, device.ifindex, row};
  }
  if (short_of_room) {
    hold(
        now, device.name, progress, ProbeState::full,
        fmt::format("it refused an SA for want of room when it held {} in and {} out: nothing is tried until there are "
                    "more than {} free places",
                    held.in, held.out, kProbeHeadroom));
  } else {
    settle(device, progress, no_packet ? ProbeState::pruned : ProbeState::done);
  }
  return std::nullopt;
}

void DeviceProbe::settle(const DeviceFacts& device, Progress& progress, ProbeState state) {
  const DeviceRecord* known = table_.find(device.name);
  progress.state = state;
  progress.told = false;
  if (known == nullptr || progress.tried == 0) return;  // all was known: that was said when it was read
  if (state == ProbeState::pruned) {
    say(Notice::Level::info,
        fmt::format("{}: no ESP offload: the kernel accepts the SA and runs it in software", device.name));
  } else {
    say(Notice::Level::info,
        fmt::format("{}: tried {} SAs: {}; `espgate offload show` has the whole, with the driver's words", device.name,
                    progress.tried, summary(*known)));
  }
  progress.tried = 0;
  progress.begun = false;
}

void DeviceProbe::hold(base::Instant now, const std::string& device, Progress& progress, ProbeState state,
                       std::string why) {
  progress.state = state;
  progress.why = std::move(why);
  progress.not_before = now + pace_.again;
  if (progress.told) return;
  progress.told = true;
  say(Notice::Level::warning, fmt::format("{}: not tried further for now: {}", device, progress.why));
}

void DeviceProbe::answered(base::Instant now, const Step& step, ProbeAnswer answer, const Held& held,
                           std::int64_t wall_clock) {
  const auto found = progress_.find(step.device);
  if (found == progress_.end()) return;
  Progress& progress = found->second;
  if (tells(answer)) {
    ++progress.tried;
    progress.told = false;
    table_.learn(step.device, step.row, std::move(answer), Learned::probe, wall_clock);
    return;
  }
  if (answer.code == ENOSPC) {
    table_.met_limit(step.device, step.row.direction, held);
    return hold(now, step.device, progress, ProbeState::full,
                fmt::format("it refused one more SA while it holds {} in and {} out of ours: {}", held.in, held.out,
                            words_of({"", answer.code, answer.words})));
  }
  hold(now, step.device, progress, ProbeState::failed,
       fmt::format("an error that says nothing about it: {}", words_of({"", answer.code, answer.words})));
}

bool DeviceProbe::in_between() const {
  return std::ranges::any_of(
      table_.devices(), [&](const auto& entry) { return entry.second.up && state(entry.first) == ProbeState::trying; });
}

ProbeState DeviceProbe::state(const std::string& device) const {
  const auto found = progress_.find(device);
  return found == progress_.end() ? ProbeState::waiting : found->second.state;
}

std::string DeviceProbe::text(const std::string& device) const {
  const auto found = progress_.find(device);
  const auto* known = table_.find(device);
  const std::size_t answers = known == nullptr ? 0 : known->entries.size();
  switch (state(device)) {
    case ProbeState::unsuited:
      return "not tried: it does not have the feature esp-hw-offload";
    case ProbeState::waiting:
      if (!allowed_) return fmt::format("not tried: probe = no; {} answers are known", answers);
      if (const auto& all = table_.devices(); all.contains(device) && !all.at(device).up) {
        return fmt::format("not tried while its link is down, {} answers are known", answers);
      }
      return fmt::format("not tried yet, {} answers are known", answers);
    case ProbeState::trying:
      return fmt::format("being tried, {} answers are known", answers);
    case ProbeState::done:
      return fmt::format("all rows of the plan are known, {} answers", answers);
    case ProbeState::pruned:
      return "the usual SA runs in software silently: a device without ESP offload, the rest was not tried";
    case ProbeState::full:
    case ProbeState::failed:
      break;
  }
  return "not tried further for now: " + found->second.why;
}

void DeviceProbe::say(Notice::Level level, std::string text) {
  notices_.push_back({level, {}, {}, Reason::none, std::move(text)});
}

std::vector<Notice> DeviceProbe::take_notices() { return std::exchange(notices_, {}); }

}  // namespace espgate::sad
