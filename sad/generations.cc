// SPDX-License-Identifier: Apache-2.0
// Two generations of a child at once: the new one's inbound half first, its outbound half when the peer is ready, and
// the old one going in two steps. Both have slots, a ledger entry each, and claims on the same policies.
#include <fmt/format.h>

#include <cerrno>

#include "sad/children.h"

namespace espgate::sad {

using base::Direction;

// A generation has the reqid of the one that it replaces, so that the policies take both.
std::optional<std::uint32_t> Children::reqid_for(const ike::ChildSpec& spec) {
  const auto old = spec.replaces ? children_.find(*spec.replaces) : children_.end();
  if (old == children_.end()) return reqids_.take(spec);
  reqids_.share(old->second.reqid, spec);
  return old->second.reqid;
}

void Children::assign(Child& child, Direction direction) {
  Half& half = child.half(direction);
  half.assigned = true;
  work_.emit(AssignSlot{half.slot, record_of(child, direction)});
}

void Children::ask_to_delete(Child& child, Direction direction) {
  const bool in = direction == Direction::in;
  const auto id = sa_id(child, direction);
  if (child.half(direction).verdict.actual == base::OffloadActual::packet) {
    ask(child, in ? Role::last_in : Role::last_out, xfrm::GetSa{id});
  }
  ask(child, in ? Role::del_in : Role::del_out, xfrm::DelSa{id});
}

// `deleted`: what DELSA said; nullptr if the kernel had nothing to let go of.
void Children::release(const Child& child, Half& half, const xfrm::Result* deleted) {
  if (!half.assigned) {
    if (half.slot != kNoSlot) slots_.give_back(half.slot);
    half.slot = kNoSlot;
    return;
  }
  if (deleted != nullptr && !*deleted && deleted->error().code != ESRCH) {
    // The ledger keeps it, and so does its slot: the next start tries again.
    work_.emit(Notice{Notice::Level::error, child.named.conn, child.named.child, Reason::kernel_refused,
                      fmt::format("{}: an SA could not be removed: {}", child.name(), deleted->error().text())});
    return;
  }
  ReleaseSlot out{half.slot};
  const auto last = child.results.find(&half == &child.in ? Role::last_in : Role::last_out);
  const auto* counted =
      last != child.results.end() && last->second ? std::get_if<xfrm::SaState>(&*last->second) : nullptr;
  if (counted != nullptr) {
    out.driver_packets = counted->packets;
    out.driver_bytes = counted->bytes;
  }
  work_.emit(out);
  slots_.give_back(half.slot);
  half.assigned = false;
  half.slot = kNoSlot;
}

// AddInbound is done: its slot and device place for the outbound half were found good on trial.
void Children::wait_for_outbound(Child& child) {
  enter(child, ChildState::waiting);
  record(child, Direction::in);
  say_direction(child, Direction::in);
  answer_up(child);
}

void Children::switch_outbound(const ike::SwitchOutbound& order) {
  const auto found = children_.find(order.child);
  if (found == children_.end() || found->second.state != ChildState::waiting || found->second.removing) {
    work_.emit(ike::ChildAnswer{order.id, ike::ChildRefused{std::string(code(Reason::cancelled)),
                                                            "there is no child that waits for its outbound SA"}});
    return;
  }
  Child& child = found->second;
  child.unanswered = order.id;
  child.inbound_first = false;
  assign(child, Direction::out);
  std::optional<xfrm::Offload> offload;
  if (child.in.verdict.actual != base::OffloadActual::none) {
    offload = xfrm::Offload{child.kind, child.context.ifindex};
  }
  add_outbound(child, offload);
}

void Children::add_outbound(Child& child, std::optional<xfrm::Offload> offload) {
  enter(child, ChildState::switching);
  child.switch_offloaded = offload.has_value();
  ask(child, Role::add_out, xfrm::AddSa{sa_spec(child, Direction::out, offload)});
  ask(child, Role::get_out, xfrm::GetSa{sa_id(child, Direction::out)});
  if (!offload || offload->kind != xfrm::OffloadKind::packet) claim_after_packet_mode(child);
}

// Refused though the trial was good: the inbound half stays where it is, as moving it would open its replay window.
void Children::after_switch(Child& child) {
  Verdict out = verdict(child, Role::add_out, Role::get_out, child.switch_offloaded);
  child.out.in_kernel = out.added;
  child.results.clear();
  if (child.removing) return undo(child);
  const bool short_of_it = out.reason != Reason::none;
  if (child.switch_offloaded) {
    child.out.verdict = out;
    if (short_of_it && child.strict()) return refuse_outbound(child, out);
    if (!out.added) return add_outbound(child, {});
  } else if (!out.added) {
    return refuse_outbound(child, out);
  }
  put_policies(child);
}

void Children::refuse_outbound(Child& child, const Verdict& why) {
  work_.emit(Notice{Notice::Level::error, child.named.conn, child.named.child, why.reason,
                    fmt::format("{} out: wanted offload {}, refused when the new SA was to be sent on; another one is "
                                "asked for: {}",
                                child.name(), to_string(child.spec.offload), why.text)});
  child.refusal.emplace(why.reason, why.text);
  child.spec.keys = {};
  enter(child, ChildState::retiring);
  if (child.out.in_kernel) {
    ask_to_delete(child, Direction::out);
  } else {
    after_retire(child);
  }
}

void Children::retire(const ike::RetireSa& order) {
  const auto found = children_.find(order.id);
  if (found == children_.end()) return;
  Child& child = found->second;
  const bool has_outbound = child.state == ChildState::up;
  if (order.part == ike::RetireSa::Part::all || !(has_outbound || child.state == ChildState::waiting)) {
    return remove(order.id);
  }
  enter(child, ChildState::retiring);
  child.spec.keys = {};
  spd_.release_all({Owner::Kind::child, child.spec.id.value});
  if (child.out.in_kernel) {
    ask_to_delete(child, Direction::out);
  } else {
    after_retire(child);
  }
}

void Children::after_retire(Child& child) {
  const auto found = child.results.find(Role::del_out);
  release(child, child.out, found != child.results.end() ? &found->second : nullptr);
  child.out.in_kernel = false;
  child.results.clear();
  answer_refused(child);
  child.refusal.reset();
  if (child.removing) return undo(child);
  enter(child, ChildState::receiving);
}

std::optional<base::ChildId> Children::owner_of(const xfrm::SaId& id) const {
  const auto found = owners_.find(id);
  return found == owners_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<std::pair<base::ChildId, xfrm::SaId>> Children::expected() const {
  std::vector<std::pair<base::ChildId, xfrm::SaId>> out;
  for (const auto& [each, child] : children_) {
    if (child.state != ChildState::up || child.removing) continue;
    for (const auto direction : {Direction::in, Direction::out}) out.emplace_back(each, sa_id(child, direction));
  }
  return out;
}

std::optional<xfrm::SaId> Children::outbound_of(base::ChildId id) const {
  const auto found = children_.find(id);
  if (found == children_.end() || found->second.state != ChildState::up || found->second.removing) return std::nullopt;
  return sa_id(found->second, Direction::out);
}

void Children::enter(Child& child, ChildState state) {
  if (child.state == ChildState::waiting) waiting_.erase(child.spec.id);
  child.state = state;
  if (state == ChildState::waiting) waiting_.insert(child.spec.id);
}

std::vector<std::pair<base::ChildId, xfrm::SaId>> Children::waiting() const {
  std::vector<std::pair<base::ChildId, xfrm::SaId>> out;
  for (const auto each : waiting_) out.emplace_back(each, sa_id(children_.at(each), Direction::in));
  return out;
}

}  // namespace espgate::sad
