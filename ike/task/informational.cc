// SPDX-License-Identifier: Apache-2.0
#include "ike/task/informational.h"

#include <fmt/core.h>

#include <map>
#include <utility>

#include "ike/task/exchange.h"
#include "ike/task/generation.h"
#include "ike/task/reasons.h"
#include "ike/task/rekey_ike.h"
#include "ike/task/teardown.h"

namespace espgate::ike {

namespace {

constexpr char kStep[] = "INFORMATIONAL";
constexpr base::Duration kDeleteAgain = std::chrono::seconds(5);

wire::Payloads payloads_of(const Operation& what) {
  if (const auto* child = std::get_if<DoDeleteChild>(&what)) {
    return {wire::DeletePayload{child->protocol, {child->spi_in}}};
  }
  if (std::holds_alternative<DoDeleteIke>(what)) return {wire::DeletePayload{Protocol::ike, {}}};
  return {};
}

const wire::DeletePayload* find_delete(const wire::Payloads& payloads, Protocol protocol) {
  for (const auto& payload : payloads) {
    const auto* found = std::get_if<wire::DeletePayload>(&payload);
    if (found != nullptr && found->protocol == protocol) return found;
  }
  return nullptr;
}

Child* find(IkeSa& sa, base::ChildId id) {
  auto it = sa.children.find(id);
  return it == sa.children.end() ? nullptr : &it->second;
}

// What the peer's DELETE of a child means: it was replaced, or it is over. The child whose outbound SA the reply waits
// for, if there is one.
std::optional<base::ChildId> deleted_by_peer(Context& ctx, IkeSa& sa, Child& child) {
  auto* next = child.replaced_by ? find(sa, *child.replaced_by) : sa.successor_of(child.id);
  if (next == nullptr || next->state != ChildState::installed) {
    remove_child(ctx, sa, child.id, Failure{Reason::peer_deleted, kStep, "the peer deleted the child", {}});
    return std::nullopt;
  }
  announce(ctx, sa, *next);
  start_switch(ctx, sa, *next);
  retire(ctx, sa, child);
  if (next->outbound == Outbound::switching) return next->id;
  return std::nullopt;
}

struct Deleted {
  wire::Payloads answer;
  std::optional<base::ChildId> waits_for;
};

// RFC 7296 1.4.1: the answer names our halves of the pairs. For a child that we are deleting ourselves, too, it does
// not: both requests crossed, and each names its own half already.
Deleted delete_children(Context& ctx, IkeSa& sa, const wire::Payloads& payloads) {
  std::map<Protocol, std::vector<base::Spi>> ours;
  Deleted out;
  for (const auto& payload : payloads) {
    const auto* request = std::get_if<wire::DeletePayload>(&payload);
    if (request == nullptr || request->protocol == Protocol::ike) continue;
    for (auto spi : request->spis) {
      auto* child = sa.child_by_spi_out(spi);
      if (child == nullptr || protocol_of(child->suite) != request->protocol) continue;
      if (child->state != ChildState::deleting) ours[request->protocol].push_back(child->spi_in);
      if (auto waits_for = deleted_by_peer(ctx, sa, *child)) out.waits_for = waits_for;
    }
  }
  for (auto& [protocol, spis] : ours) out.answer.emplace_back(wire::DeletePayload{protocol, std::move(spis)});
  return out;
}

}  // namespace

void start_informational(Context& ctx, IkeSa& sa, Operation what) {
  if (auto* remove = std::get_if<DoDeleteChild>(&what); remove != nullptr && remove->child) {
    auto it = sa.children.find(*remove->child);
    if (it == sa.children.end()) return run_queue(ctx, sa);  // gone while it was queued
    it->second.state = ChildState::deleting;
    it->second.rekey_at.reset();
    remove->unsure = unknown_to_peer(ctx, it->second);
    remove->protocol = protocol_of(it->second.suite);
  }
  const auto payloads = payloads_of(what);
  send_request(ctx, sa, wire::ExchangeType::informational, payloads, std::move(what));
}

void on_informational_response(Context& ctx, IkeSa& sa, Operation what, const wire::Payloads& payloads) {
  confirm(ctx, sa, Shown::answer);
  if (auto* ike = std::get_if<DoDeleteIke>(&what)) {
    return close(ctx, sa, std::move(ike->why), Linger::yes);
  }
  if (auto* tell = std::get_if<DoTellAuthFailed>(&what)) {
    return close(ctx, sa, std::move(tell->why), Linger::no);
  }
  if (auto* child = std::get_if<DoDeleteChild>(&what); child != nullptr && child->child) {
    auto it = sa.children.find(*child->child);
    if (it != sa.children.end() && child->unsure && find_delete(payloads, child->protocol) == nullptr) {
      it->second.delete_at = ctx.now + kDeleteAgain;
      it->second.delete_reason = child->reason;
      ctx.touch(sa);
      return run_queue(ctx, sa);
    }
    const bool there = it != sa.children.end() && it->second.state != ChildState::retired;
    const bool replaced = there && it->second.replaced_by && sa.children.contains(*it->second.replaced_by);
    if (replaced) {
      retire(ctx, sa, it->second);
    } else if (there) {
      if (auto* next = sa.successor_of(it->first)) {  // the operator closed the old generation alone
        announce(ctx, sa, *next);
        start_switch(ctx, sa, *next);
      }
      remove_child(ctx, sa, *child->child, Failure{child->reason, kStep, "deleted", {}});
    }
  }
  run_queue(ctx, sa);
}

void on_informational_request(Context& ctx, IkeSa& sa, const wire::Payloads& payloads) {
  if (find_delete(payloads, Protocol::ike) != nullptr) {
    const bool crossing =
        sa.state == State::deleting && sa.outgoing && std::holds_alternative<DoDeleteIke>(sa.outgoing->what);
    Failure why{Reason::peer_deleted, kStep, "the peer deleted the IKE SA", {}};
    if (crossing) why = std::get<DoDeleteIke>(sa.outgoing->what).why;
    give_way(ctx, sa);
    send_response(ctx, sa, wire::ExchangeType::informational, {});
    if (sa.state != State::closed) close(ctx, sa, std::move(why), Linger::yes);
    return;
  }
  if (const auto* error = wire::find_error(payloads);
      error != nullptr &&
      (error->type == wire::NotifyType::authentication_failed || error->type == wire::NotifyType::invalid_syntax)) {
    send_response(ctx, sa, wire::ExchangeType::informational, {});
    if (sa.state == State::closed) return;
    close(ctx, sa, Failure{reason_of(error->type), kStep, refusal_text(error->type, "us"), wire::name_of(error->type)},
          Linger::yes);
    return;
  }
  auto deleted = delete_children(ctx, sa, payloads);
  if (deleted.waits_for) {
    // What we send goes by the new generation before the peer may let go of the old one.
    sa.held = HeldReply{wire::ExchangeType::informational, {}, std::move(deleted.answer), *deleted.waits_for, true};
    return ctx.touch(sa);
  }
  send_response(ctx, sa, wire::ExchangeType::informational, deleted.answer);
  run_queue(ctx, sa);
}

void ask_whether_alive(Context& ctx, IkeSa& sa) {
  sa.queue.emplace_front(DoLiveness{});
  run_queue(ctx, sa);
}

}  // namespace espgate::ike
