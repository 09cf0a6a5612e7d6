// SPDX-License-Identifier: Apache-2.0
#include "sad/children.h"

#include <fmt/format.h>

#include <cerrno>

#include "sad/packet_mode.h"

namespace espgate::sad {

using base::Direction;

namespace {
constexpr std::string_view kAhInSoftware =
    "AH is not offloadable: no device takes it, and neither does the kernel's offload";
}  // namespace

void Children::install(ike::InstallChild install, const InstallContext& context, const Handling& handling,
                       bool inbound_first, std::uint32_t larval) {
  if (children_.contains(install.child.id)) {
    return refuse_unborn(work_, install, Reason::cancelled, "a child with this number is there already");
  }
  // Whoever gave it a place takes that back.
  const auto refused = [&](Reason reason, const std::string& text) {
    refuse_unborn(work_, install, reason, text);
    work_.emit(Gone{install.child.id});
  };
  if (stopping_) return refused(Reason::stopping, "espgate is going down");
  const auto wanted = install.child.offload;
  const bool strict = wanted == base::OffloadWanted::crypto || wanted == base::OffloadWanted::packet;
  if (strict && install.child.suite.ah()) {
    return refused(Reason::ah_in_software, std::string(kAhInSoftware));
  }
  if (strict && context.ifindex == 0) {
    return refused(Reason::no_device, fmt::format("no device to offload to: there is no route to {}",
                                                  install.child.remote.address.text()));
  }
  if (strict && context.placement.reason == Reason::distrusted) {
    return refused(Reason::distrusted, context.placement.text);
  }
  const auto reqid = reqid_for(install.child);
  if (slots_.left() < 2 || !reqid) {
    if (reqid) reqids_.give_back(*reqid);
    return refused(Reason::ledger_full, "the ledger has no room for two more SAs");
  }
  Child& child = children_[install.child.id];
  child.named = {base::ChildUid::of(install.child.conn, install.child.child), install.child.conn, install.child.child};
  child.spec = std::move(install.child);
  child.context = context;
  child.unanswered = install.id;
  child.reqid = *reqid;
  child.handling = handling;
  child.larval = larval;
  child.inbound_first = inbound_first;
  for (const auto direction : {Direction::in, Direction::out}) {
    Half& half = child.half(direction);
    half.slot = *slots_.take();
    owners_.insert_or_assign(sa_id(child, direction), child.spec.id);
    if (direction == Direction::in || !inbound_first) assign(child, direction);
  }
  if (wanted == base::OffloadWanted::packet) {
    if (auto obstacle = packet_obstacle(child); !obstacle.empty()) {
      return refuse(child, Reason::unsupported_mode, std::move(obstacle));
    }
  }
  plan_offload(child);
  try_next(child);
}

void Children::try_next(Child& child) {
  if (child.left.empty()) return try_software(child);
  const auto kind = child.left.front();
  child.left.erase(child.left.begin());
  try_offload(child, kind);
}

void Children::remove(base::ChildId id) {
  const auto found = children_.find(id);
  if (found == children_.end() || found->second.removing) return;
  Child& child = found->second;
  child.removing = true;
  if (!child.at_rest()) return;  // advance() sees to it when the step's results are there
  undo(child);
}

void Children::stop() {
  stopping_ = true;
  std::vector<base::ChildId> ids;
  for (const auto& [id, child] : children_) ids.push_back(id);
  for (const auto id : ids) remove(id);
}

void Children::rename(std::uint32_t ifindex, const std::string& device) {
  for (auto& [id, child] : children_) {
    if (child.context.ifindex != ifindex || child.context.device == device) continue;
    child.context.device = device;
    for (const auto direction : {Direction::in, Direction::out}) {
      const Half& half = child.half(direction);
      const auto record = record_of(child, direction);
      if (half.assigned && !record.device.empty()) work_.emit(UpdateSlot{half.slot, record});
    }
  }
}

void Children::ask(Child& child, Role role, xfrm::Request request) {
  ++child.awaited;
  work_.ask(std::move(request), ForChild{child.spec.id, role});
}

void Children::try_offload(Child& child, xfrm::OffloadKind kind) {
  enter(child, ChildState::trying_offload);
  child.kind = kind;
  const xfrm::Offload offload{kind, child.context.ifindex};
  end_trial(child);
  if (child.in.in_kernel) ask(child, Role::del_in, xfrm::DelSa{sa_id(child, Direction::in)});
  child.in.in_kernel = false;
  const auto in = sa_id(child, Direction::in);
  const auto out = sa_id(child, Direction::out);
  if (kind == xfrm::OffloadKind::packet) ask(child, Role::add_anchor, xfrm::AddSa{anchor_of(child)});
  if (kind != xfrm::OffloadKind::packet) weigh_anchor(child);
  ask(child, Role::add_in, xfrm::AddSa{sa_spec(child, Direction::in, offload)});
  ask(child, Role::get_in, xfrm::GetSa{in});
  ask(child, Role::add_trial, xfrm::AddSa{trial_of(child, offload)});
  ask(child, Role::get_trial, xfrm::GetSa{out});
}

// Only now, since it was seen to be ours: an SA of somebody else may have the same destination and SPI.
void Children::end_trial(Child& child) {
  if (child.trial_in_kernel) ask(child, Role::del_trial, xfrm::DelSa{sa_id(child, Direction::out)});
  child.trial_in_kernel = false;
}

void Children::commit(Child& child) {
  enter(child, ChildState::committing);
  const xfrm::Offload offload{child.kind, child.context.ifindex};
  end_trial(child);
  ask(child, Role::add_out, xfrm::AddSa{sa_spec(child, Direction::out, offload)});
  ask(child, Role::get_out, xfrm::GetSa{sa_id(child, Direction::out)});
  if (child.kind != xfrm::OffloadKind::packet) claim_after_packet_mode(child);
}

// Inbound a key may be added again: it only decrypts. An outbound SA that is there stays as it is.
void Children::try_software(Child& child) {
  enter(child, ChildState::trying_software);
  end_trial(child);
  weigh_anchor(child);
  if (child.in.in_kernel) ask(child, Role::del_in, xfrm::DelSa{sa_id(child, Direction::in)});
  ask(child, Role::add_in, xfrm::AddSa{sa_spec(child, Direction::in, {})});
  ask(child, Role::get_in, xfrm::GetSa{sa_id(child, Direction::in)});
  if (child.out.in_kernel || child.inbound_first) return;
  ask(child, Role::add_out, xfrm::AddSa{sa_spec(child, Direction::out, {})});
  ask(child, Role::get_out, xfrm::GetSa{sa_id(child, Direction::out)});
  claim_after_packet_mode(child);
}

void Children::put_policies(Child& child) {
  enter(child, ChildState::policies);
  if (!child.inbound_first) child.spec.keys = {};  // no SA is added any more
  claim_policies(child);
  if (child.awaited == 0) after_policies(child);
}

void Children::claim_policies(Child& child) {
  const Owner owner{Owner::Kind::child, child.spec.id.value};
  for (const auto& policy : child_policies(child)) {
    if (child.inbound_first && policy.id.direction == xfrm::PolicyDirection::out) continue;
    const auto claimed = spd_.claim(owner, policy, child.named, child.spec.id);
    if (claimed == Spd::Claimed::asked) ++child.awaited;
    if (claimed == Spd::Claimed::no_room)
      child.policy_error = base::Error{"record its policies (see gateway.max_sas)", ENOSPC, {}};
  }
}

void Children::undo(Child& child) {
  enter(child, ChildState::undoing);
  child.spec.keys = {};
  spd_.release_all({Owner::Kind::child, child.spec.id.value});
  end_trial(child);
  if (child.out.in_kernel) ask_to_delete(child, Direction::out);
  if (child.in.in_kernel) ask_to_delete(child, Direction::in);
  weigh_anchor(child);
  if (child.awaited == 0) after_undo(child);
}

void Children::arrived(const ForChild& what, xfrm::Result result) {
  const auto found = children_.find(what.child);
  if (found == children_.end()) return;
  found->second.results.insert_or_assign(what.role, std::move(result));
  --found->second.awaited;
  advance(what.child);
}

void Children::policy_arrived(base::ChildId id, const xfrm::Result& result) {
  const auto found = children_.find(id);
  if (found == children_.end()) return;
  if (!result && !found->second.policy_error) found->second.policy_error = result.error();
  --found->second.awaited;
  advance(id);
}

void Children::advance(base::ChildId id) {
  Child& child = children_.at(id);
  if (child.awaited != 0) return;
  switch (child.state) {
    case ChildState::trying_offload:
      return after_trial(child);
    case ChildState::committing:
      return after_commit(child);
    case ChildState::trying_software:
      return after_software(child);
    case ChildState::policies:
      return after_policies(child);
    case ChildState::switching:
      return after_switch(child);
    case ChildState::retiring:
      return after_retire(child);
    case ChildState::undoing:
      return after_undo(child);
    case ChildState::up:
    case ChildState::waiting:
    case ChildState::receiving:
      return;
  }
}

Verdict Children::verdict(const Child& child, Role add, Role read, bool offloaded) const {
  Attempt attempt;
  if (offloaded) attempt.asked = child.kind;
  attempt.device = child.context.device;
  attempt.suite = child.spec.suite.name();
  const auto& added = child.results.at(add);
  if (offloaded) {
    const auto row = row_of(child, add == Role::add_in ? Direction::in : Direction::out, *attempt.asked);
    work_.emit(
        DeviceVerdict{child.context.device, child.context.ifindex, row, judge(row, added, child.results.at(read))});
  }
  return judge(attempt, added, child.results.at(read));
}

void Children::after_trial(Child& child) {
  const Verdict in = verdict(child, Role::add_in, Role::get_in, true);
  const Verdict out = verdict(child, Role::add_trial, Role::get_trial, true);
  child.in.in_kernel = in.added;
  child.trial_in_kernel = out.added;
  if (const auto anchor = child.results.find(Role::add_anchor); anchor != child.results.end()) {
    child.anchored = anchor->second.has_value();
  }
  child.results.clear();
  if (child.removing) return undo(child);
  if (in.reason != Reason::none || out.reason != Reason::none) return fall_back(child, in, out);
  child.in.verdict = in;
  if (child.inbound_first) {
    child.out.verdict = out;
    end_trial(child);
    return put_policies(child);
  }
  commit(child);
}

void Children::after_commit(Child& child) {
  const Verdict out = verdict(child, Role::add_out, Role::get_out, true);
  child.out.in_kernel = out.added;
  child.results.clear();
  if (child.removing) return undo(child);
  if (out.reason != Reason::none) return fall_back(child, child.in.verdict, out);
  child.out.verdict = out;
  put_policies(child);
}

void Children::fall_back(Child& child, const Verdict& in, const Verdict& out) {
  const auto reason_for = [&](const Verdict& own, const Verdict& other, Direction other_direction) {
    Verdict result;
    result.reason = own.reason != Reason::none ? own.reason : Reason::other_direction;
    result.text = own.text;
    if (own.reason == Reason::none)
      result.text = fmt::format("both directions go the same way, and {}: {}", to_string(other_direction), other.text);
    return result;
  };
  // Its outbound SA, once it was there with its key, is not asked for in another way: what is left is then no choice.
  if (!child.strict() && !child.left.empty() && !child.out.in_kernel) {
    if (child.kind == xfrm::OffloadKind::packet) packet_refused(child, in, out);
    return try_next(child);
  }
  child.in.verdict = reason_for(in, out, Direction::out);
  child.out.verdict = reason_for(out, in, Direction::in);
  if (!child.strict()) return try_software(child);
  const bool in_first = in.reason != Reason::none;
  const Verdict& cause = in_first ? in : out;
  const bool both = in.reason == out.reason;
  const std::string_view where = both ? "in and out" : in_first ? "in" : "out";
  refuse(child, cause.reason, fmt::format("{}: {}", where, cause.text));
}

void Children::after_software(Child& child) {
  const Verdict in = verdict(child, Role::add_in, Role::get_in, false);
  Verdict out;
  out.added = true;
  if (child.results.contains(Role::add_out)) out = verdict(child, Role::add_out, Role::get_out, false);
  child.in.in_kernel = in.added;
  child.out.in_kernel = out.added && !child.inbound_first;
  child.results.clear();
  if (child.removing) return undo(child);
  if (!in.added) return refuse(child, in.reason, fmt::format("in: {}", in.text));
  if (!out.added) return refuse(child, out.reason, fmt::format("out: {}", out.text));
  if (auto why = untried(child)) {
    for (Half* half : {&child.in, &child.out}) half->verdict = *why;
  }
  put_policies(child);
}

// Why offload was wanted and not even tried; nullopt: it was, or was not wanted.
std::optional<Verdict> Children::untried(const Child& child) {
  if (child.spec.offload == base::OffloadWanted::no) return std::nullopt;
  Verdict out;
  const auto& placement = child.context.placement;
  if (child.spec.suite.ah()) {
    out.reason = Reason::ah_in_software;
    out.text = std::string(kAhInSoftware);
  } else if (child.context.ifindex == 0) {
    out.reason = Reason::no_device;
    out.text = fmt::format("no device to offload to: there is no route to {}", child.spec.remote.address.text());
  } else if (!placement.hardware && !child.strict()) {
    out.reason = placement.reason;
    out.text = placement.text;
  } else {
    return std::nullopt;
  }
  return out;
}

void Children::after_policies(Child& child) {
  if (child.removing) return undo(child);
  if (child.policy_error) {
    const base::Error& error = *child.policy_error;
    // The outbound SA may be in use by the policies that were taken, so that this attempt is over; the next goes
    // without.
    if (child.in.verdict.actual == base::OffloadActual::packet) no_policies_[child.context.device] = words_of(error);
    return refuse(child, Reason::kernel_refused,
                  fmt::format("kernel refused to {}: {}", error.operation, words_of(error)));
  }
  child.results.clear();
  child.inbound_first ? wait_for_outbound(child) : finish(child);
}

void Children::after_undo(Child& child) {
  for (const auto role : {Role::del_out, Role::del_in}) {
    const auto found = child.results.find(role);
    Half& half = child.half(role == Role::del_in ? Direction::in : Direction::out);
    release(child, half, found != child.results.end() ? &found->second : nullptr);
  }
  answer_refused(child);
  work_.emit(Gone{child.spec.id});
  reqids_.give_back(child.reqid);
  for (const auto direction : {Direction::in, Direction::out}) {
    const auto owner = owners_.find(sa_id(child, direction));
    if (owner != owners_.end() && owner->second == child.spec.id) owners_.erase(owner);
  }
  children_.erase(child.spec.id);
}

std::vector<std::pair<std::uint32_t, base::ChildId>> Children::slots() const {
  std::vector<std::pair<std::uint32_t, base::ChildId>> out;
  for (const auto& [id, child] : children_) {
    for (const Half* half : {&child.in, &child.out}) {
      if (half->assigned) out.emplace_back(half->slot, id);
    }
  }
  return out;
}

std::map<std::string, Held> Children::held() const {
  std::map<std::string, Held> out;
  for (const auto& [id, child] : children_) {
    if (child.in.verdict.actual == base::OffloadActual::none && child.out.verdict.actual == base::OffloadActual::none) {
      continue;
    }
    Held& device = out[child.context.device];
    device.in += child.in.in_kernel && child.in.verdict.actual != base::OffloadActual::none;
    device.out += child.out.in_kernel && child.out.verdict.actual != base::OffloadActual::none;
  }
  return out;
}

std::map<std::uint32_t, maps::SaRecord> Children::records(std::optional<base::ChildId> only) const {
  std::map<std::uint32_t, maps::SaRecord> out;
  for (auto at = only ? children_.find(*only) : children_.begin(); at != children_.end(); ++at) {
    if (only && at->first != *only) break;
    for (const auto direction : {Direction::in, Direction::out}) {
      const Half& half = at->second.half(direction);
      if (half.assigned) out.emplace(half.slot, record_of(at->second, direction));
    }
  }
  return out;
}

}  // namespace espgate::sad
