// SPDX-License-Identifier: Apache-2.0
#include "sad/watch_text.h"

#include <fmt/format.h>

namespace espgate::sad {

namespace {

bool integrity(const Evidence& evidence) { return evidence.kind == Evidence::Kind::integrity; }

long whole_seconds(base::Duration length) { return std::chrono::duration_cast<std::chrono::seconds>(length).count(); }

std::string failed_of(const Traffic& traffic) {
  return fmt::format("{} of {} packets failed the integrity check", traffic.failed, traffic.in + traffic.failed);
}

// Which side and which direction it may be.
std::string suspects(const WatchNames& names, const Evidence& evidence) {
  if (integrity(evidence)) {
    return fmt::format("{} may decrypt {} wrong (in), or the peer {} encrypts it wrong (its out)", names.device,
                       names.suite, names.peer);
  }
  return fmt::format("{} may encrypt {} wrong or lose it (out), or lose what comes (in), or the peer {} does",
                     names.device, names.suite, names.peer);
}

}  // namespace

std::string seen_text(const Evidence& evidence) {
  if (integrity(evidence)) return failed_of(evidence.traffic) + " in hardware";
  return fmt::format("{} packets went out in hardware in {} s and none came in", evidence.gap.packets,
                     whole_seconds(evidence.gap.length));
}

std::string on_trial_text(const WatchNames& names, const Evidence& evidence) {
  return fmt::format("on trial whether {} gets {} wrong: {}", names.device, names.suite, seen_text(evidence));
}

std::string trying_text(const WatchNames& names, const Evidence& evidence, std::chrono::seconds trial) {
  return fmt::format("{}: {}: {}. Trying it in software for {} s", names.child, seen_text(evidence),
                     suspects(names, evidence), trial.count());
}

std::string strict_text(const WatchNames& names, const Evidence& evidence) {
  return fmt::format("{}: {}: {}. It must be offloaded (hw_offload), so software is not tried: auto would allow it",
                     names.child, seen_text(evidence), suspects(names, evidence));
}

std::string called_off_text(const WatchNames& names, const std::string& why) {
  return fmt::format("{}: not tried in software after all: {}", names.child, why);
}

std::string unchanged_text(const WatchNames& names, const Evidence& evidence, const Traffic& trial) {
  if (integrity(evidence) && trial.failed != 0) {
    return fmt::format(
        "{} in: {} in software, too: not {}'s doing, but that of the peer {} (its device, out) or of the "
        "way from it. Back to hardware; the next trial is in an hour at the soonest",
        names.child, failed_of(trial), names.device, names.peer);
  }
  if (integrity(evidence)) {
    return fmt::format(
        "{} in: too few packets came in software ({}) to tell whether {} gets them wrong. Back to "
        "hardware; the next trial is in an hour at the soonest",
        names.child, trial.in, names.device);
  }
  return fmt::format(
      "{}: nothing came in software either, {} packets went out: not {}'s doing, but {} (or its device) "
      "answers nothing. Back to hardware; the next trial is in an hour at the soonest",
      names.child, trial.out, names.device, names.peer);
}

std::string second_look_text(const WatchNames& names, const Evidence& evidence) {
  return fmt::format("{}: {} in software. That may be a coincidence: hardware on {} gets a second look", names.child,
                     integrity(evidence) ? "no packet fails the integrity check" : "packets come in", names.device);
}

std::string acquitted_text(const WatchNames& names, const Evidence& evidence) {
  return fmt::format("{}: {} in hardware now, too: {} is not to blame. The next trial is in an hour at the soonest",
                     names.child, integrity(evidence) ? "packets are good" : "packets come in", names.device);
}

std::string proof_text(const Evidence& evidence, const Traffic& trial) {
  if (integrity(evidence))
    return fmt::format("{}, in software {} of {}", seen_text(evidence), trial.failed, trial.in + trial.failed);
  return fmt::format("{}, in software {} came", seen_text(evidence), trial.in);
}

std::string complaint_text(const WatchNames& names, const Traffic& seen) {
  return fmt::format(
      "{} in: {}, decrypted in software: the peer {} (its device, out) or the way from it gets them "
      "wrong; nothing here can mend that",
      names.child, failed_of(seen), names.peer);
}

}  // namespace espgate::sad
