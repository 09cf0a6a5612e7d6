// SPDX-License-Identifier: Apache-2.0
// How a child's installation ends: the ledger, the answer to ike/, the line in the log.
#include <fmt/format.h>

#include "sad/children.h"

namespace espgate::sad {
namespace {

std::string on_device(const InstallContext& context) {
  return context.device.empty() ? std::string{} : " on " + context.device.str();
}

std::string listed(const std::set<std::string>& suites) {
  std::string out;
  for (const auto& suite : suites) out += (out.empty() ? "" : ", ") + suite;
  return out;
}

}  // namespace

ike::OffloadState offload_state(const Child& child, base::Direction direction) {
  auto record = record_of(child, direction);
  if (record.actual == base::OffloadActual::none) record.device.clear();
  return {record.actual, std::move(record.device), std::move(record.reason_code), std::move(record.reason)};
}

void Children::finish(Child& child) {
  enter(child, ChildState::up);
  for (const auto direction : {base::Direction::in, base::Direction::out}) {
    if (child.half(direction).recorded) continue;  // by wait_for_outbound()
    record(child, direction);
    say_direction(child, direction);
  }
  work_.emit(carried(child));
  answer_up(child);
}

Carried Children::carried(const Child& child) const {
  const Verdict& in = child.in.verdict;
  const Verdict& out = child.out.verdict;
  Carried told{child.spec.id, child.context.device};
  told.wanted = child.spec.offload != base::OffloadWanted::no;
  told.hardware = in.actual != base::OffloadActual::none || out.actual != base::OffloadActual::none;
  const bool packet = in.actual == base::OffloadActual::packet || out.actual == base::OffloadActual::packet;
  told.mode = packet ? xfrm::OffloadKind::packet : xfrm::OffloadKind::crypto;
  // That the device was full says more than that the other direction was refused.
  told.reason = in.reason == Reason::none || in.reason == Reason::other_direction ? out.reason : in.reason;
  if (told.reason == Reason::device_full) {
    const Held held = this->held()[child.context.device];
    told.used = in.reason == Reason::device_full ? held.in : held.out;
  }
  return told;
}

void Children::record(Child& child, base::Direction direction) {
  Half& half = child.half(direction);
  half.recorded = true;
  if (half.verdict.actual != base::OffloadActual::none) taken_[child.context.device].insert(child.spec.suite.name());
  work_.emit(UpdateSlot{half.slot, record_of(child, direction)});
}

void Children::say_direction(const Child& child, base::Direction direction) {
  if (child.spec.offload == base::OffloadWanted::no) return;
  const Half& half = child.half(direction);
  const auto record = record_of(child, direction);
  Notice out{Notice::Level::info, child.named.conn, child.named.child, half.verdict.reason, {}};
  out.text = fmt::format("{} {}: wanted offload {}{}, ", child.name(), to_string(direction),
                         to_string(child.spec.offload), on_device(child.context));
  if (half.verdict.reason == Reason::none) {
    out.text += fmt::format("running in hardware ({} mode) with {}", to_string(record.actual), record.suite);
    if (!record.reason.empty()) out.text += "; " + record.reason;
  } else {
    out.level = Notice::Level::warning;
    out.text += "running in software: " + half.verdict.text.str();
    if (const auto known = taken_.find(child.context.device); known != taken_.end()) {
      auto others = known->second;
      others.erase(record.suite);
      const bool by_suite = half.verdict.reason == Reason::offload_refused;
      if (by_suite && !others.empty()) out.text += fmt::format("; {} is offloadable here", listed(others));
    }
  }
  work_.emit(std::move(out));
}

void Children::answer_up(Child& child) {
  if (!child.unanswered) return;
  work_.emit(ike::ChildAnswer{*child.unanswered, ike::ChildInstalled{offload_state(child, base::Direction::in),
                                                                     offload_state(child, base::Direction::out)}});
  child.unanswered.reset();
}

void Children::refuse(Child& child, Reason reason, std::string text) {
  Notice notice{Notice::Level::error, child.named.conn, child.named.child, reason, {}};
  notice.text = fmt::format("{}: wanted offload {}{}, refused, nothing is left installed: {}", child.name(),
                            to_string(child.spec.offload), on_device(child.context), text);
  child.refusal.emplace(reason, std::move(text));
  work_.emit(std::move(notice));
  undo(child);
}

void Children::answer_refused(Child& child) {
  if (!child.unanswered) return;
  auto [reason, text] = child.refusal.value_or(std::pair{Reason::cancelled, "removed while it was being installed"});
  if (stopping_ && !child.refusal) reason = Reason::stopping;
  work_.emit(ike::ChildAnswer{*child.unanswered, ike::ChildRefused{std::string(code(reason)), std::move(text)}});
  child.unanswered.reset();
}

void Children::refuse_unborn(Work& work, const ike::InstallChild& install, Reason reason, const std::string& text) {
  const auto& spec = install.child;
  work.emit(Notice{Notice::Level::error, spec.conn, spec.child, reason,
                   fmt::format("{}/{}: wanted offload {}, refused, nothing was installed: {}", spec.conn, spec.child,
                               to_string(spec.offload), text)});
  work.emit(ike::ChildAnswer{install.id, ike::ChildRefused{std::string(code(reason)), text}});
}

}  // namespace espgate::sad
