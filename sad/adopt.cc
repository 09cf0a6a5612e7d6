// SPDX-License-Identifier: Apache-2.0
// Children of a former self that go on: what the kernel holds of them is left as it is, with its slots, and known
// again. What is not whole is not adopted, and goes like everything else that a former self left.
#include <algorithm>
#include <utility>

#include "sad/children.h"
#include "sad/estate.h"
#include "sad/packet_mode.h"

namespace espgate::sad {

using base::Direction;
using Was = ike::KeptChild::Was;

// ------------------------------------------------------------------------------------------------ Estate

Estate::Estate(const Leftover& left) : left_(left) {
  for (const auto& state : left.kernel_sas) states_.emplace(state.id, &state);
  for (const auto& [slot, record] : left.sas) slots_.emplace(std::pair(record.dst, record.spi), slot);
}

// `--kernel null` holds nothing that could be looked at.
const xfrm::SaState* Estate::believe(const xfrm::SaId& id, const maps::SaRecord* record, base::ChildId child) {
  auto& state = believed_.emplace_back();
  state.id = id;
  state.reqid =
      record != nullptr ? record->reqid : kReqidBase + 2 + static_cast<std::uint32_t>(child.value % (kReqids - 2));
  return &state;
}

Estate::Found Estate::find(const Child& child, Direction direction, Was was) {
  const auto id = sa_id(child, direction);
  Found out;
  if (const auto at = slots_.find({id.destination, id.spi}); at != slots_.end()) {
    out.slot = at->second;
    out.record = &left_.sas.at(at->second);
  }
  if (const auto at = states_.find(id); at != states_.end()) out.state = at->second;
  const bool there = was == Was::up || was == Was::retiring || (direction == Direction::in && was != Was::installing);
  if (left_.believed && there) out.state = believe(id, out.record, child.spec.id);
  if (out.record != nullptr && out.state != nullptr && out.record->reqid != out.state->reqid) {
    out.slot.reset();  // another's SA by that name
    out.record = nullptr;
    out.state = nullptr;
  }
  return out;
}

void Estate::keep(const Found& found) {
  if (found.slot) kept_slots_.insert(*found.slot);
  if (found.state != nullptr) kept_sas_.insert(found.state->id);
}

// ------------------------------------------------------------------------------------------------ adoption

namespace {

base::OffloadActual actual_of(const xfrm::SaState& state) {
  if (!state.offload) return base::OffloadActual::none;
  return state.offload->kind == xfrm::OffloadKind::packet ? base::OffloadActual::packet : base::OffloadActual::crypto;
}

bool is_old(Was was) { return was == Was::retiring || was == Was::retired; }

std::optional<ChildState> state_of(Was was, const Estate::Found& in, const Estate::Found& out, bool ledger_lost,
                                   bool keys) {
  if (in.state == nullptr) return std::nullopt;
  if (out.state != nullptr) return out.state->reqid == in.state->reqid ? std::optional(ChildState::up) : std::nullopt;
  if (is_old(was)) return ChildState::receiving;
  // The ledger is written before the kernel is asked: without an entry there the key was never in the kernel.
  const bool never = was == Was::waiting || (was == Was::switching && !ledger_lost && out.record == nullptr);
  return never && keys ? std::optional(ChildState::waiting) : std::nullopt;
}

InstallContext context_of(const Estate::Found& in) {
  InstallContext out;
  if (in.record != nullptr) {
    out.device = in.record->device;
    out.ifindex = in.record->ifindex;
    out.wall_clock = in.record->installed_at;
  }
  if (in.state->offload) out.ifindex = in.state->offload->ifindex;
  return out;
}

}  // namespace

// The kernel is the truth about where it is, the ledger about why.
void Children::adopt_half(Child& child, Direction direction, const Estate::Found& found) {
  Half& half = child.half(direction);
  half.in_kernel = half.assigned = half.recorded = true;
  half.verdict.added = true;
  half.verdict.actual = actual_of(*found.state);
  if (found.record != nullptr) {
    half.verdict.reason = reason_of(found.record->reason_code);
    half.verdict.text = found.record->reason;
  }
  if (found.slot) {
    half.slot = *found.slot;
  } else {
    half.slot = *slots_.take();
    work_.emit(AssignSlot{half.slot, record_of(child, direction)});
  }
  if (found.record == nullptr || found.record->actual == half.verdict.actual) return;
  // The former self died between asking and writing down what came of it.
  work_.emit(UpdateSlot{half.slot, record_of(child, direction)});
}

ike::Kept Children::adopt(ike::KeptChild kept, const Handling& handling, Estate& estate) {
  Child fresh;
  fresh.named = {base::ChildUid::of(kept.spec.conn, kept.spec.child), kept.spec.conn, kept.spec.child};
  fresh.spec = std::move(kept.spec);
  fresh.handling = handling;
  const auto in = estate.find(fresh, Direction::in, kept.was);
  const auto out = estate.find(fresh, Direction::out, kept.was);
  const bool keys = !fresh.spec.keys.cipher_out.empty() || !fresh.spec.keys.auth_out.empty();
  const auto state = state_of(kept.was, in, out, estate.ledger_lost(), keys);
  if (!state || children_.contains(fresh.spec.id) || slots_.left() < 2) return {};
  const auto reqid = in.state->reqid;
  if (reqid <= kTrialReqid || reqid - kReqidBase >= kReqids) return {};

  Child& child = children_[fresh.spec.id] = std::move(fresh);
  child.reqid = reqid;
  reqids_.share(reqid, child.spec);
  enter(child, *state);
  child.inbound_first = *state == ChildState::waiting;
  child.context = context_of(in);
  if (in.state->offload) child.kind = in.state->offload->kind;
  adopt_half(child, Direction::in, in);
  estate.keep(in);
  if (out.state != nullptr) {
    adopt_half(child, Direction::out, out);
    estate.keep(out);
  } else if (child.inbound_first) {
    child.out.slot = *slots_.take();
  }
  for (const auto direction : {Direction::in, Direction::out}) {
    owners_.insert_or_assign(sa_id(child, direction), child.spec.id);
  }
  if (const auto anchor = anchor_of(child).id(); estate.holds(anchor)) {
    child.anchored = true;
    estate.keep(anchor);
  }
  if (!child.inbound_first) child.spec.keys = {};
  if (child.state != ChildState::receiving) claim_policies(child);
  if (child.state == ChildState::up) work_.emit(carried(child));
  const auto id = child.spec.id;
  const ike::Kept answer{child.inbound_first ? ike::Kept::State::waiting : ike::Kept::State::up,
                         offload_state(child, Direction::in), offload_state(child, Direction::out)};
  if (kept.was == Was::retired && child.state == ChildState::up) retire({id, ike::RetireSa::Part::outbound});
  return answer;
}

}  // namespace espgate::sad
