// SPDX-License-Identifier: Apache-2.0
#include "ike/task/informational.h"

#include <fmt/core.h>

#include <utility>

#include "ike/task/exchange.h"
#include "ike/task/reasons.h"
#include "ike/task/teardown.h"

namespace espgate::ike {

namespace {

constexpr char kStep[] = "INFORMATIONAL";

wire::Payloads payloads_of(const Operation& what) {
  if (const auto* child = std::get_if<DoDeleteChild>(&what)) {
    return {wire::DeletePayload{Protocol::esp, {child->spi_in}}};
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

// RFC 7296 1.4.1: the answer names our halves of the pairs. For a child that we are deleting ourselves, too, it does
// not: both requests crossed, and each names its own half already.
wire::Payloads delete_children(Context& ctx, IkeSa& sa, const wire::Payloads& payloads) {
  std::vector<base::Spi> ours;
  for (const auto& payload : payloads) {
    const auto* request = std::get_if<wire::DeletePayload>(&payload);
    if (request == nullptr || request->protocol != Protocol::esp) continue;
    for (auto spi : request->spis) {
      auto* child = sa.child_by_spi_out(spi);
      if (child == nullptr) continue;
      if (child->state != ChildState::deleting) ours.push_back(child->spi_in);
      remove_child(ctx, sa, child->id, Failure{Reason::peer_deleted, kStep, "the peer deleted the child", {}});
    }
  }
  if (ours.empty()) return {};
  return {wire::DeletePayload{Protocol::esp, std::move(ours)}};
}

}  // namespace

void start_informational(Context& ctx, IkeSa& sa, Operation what) {
  if (auto* remove = std::get_if<DoDeleteChild>(&what); remove != nullptr && remove->child) {
    auto it = sa.children.find(*remove->child);
    if (it == sa.children.end()) return run_queue(ctx, sa);  // gone while it was queued
    it->second.state = ChildState::deleting;
  }
  const auto payloads = payloads_of(what);
  send_request(ctx, sa, wire::ExchangeType::informational, payloads, std::move(what));
}

void on_informational_response(Context& ctx, IkeSa& sa, Operation what, const wire::Payloads& payloads) {
  (void)payloads;  // nothing in an answer changes what happens: deleted is deleted
  if (auto* ike = std::get_if<DoDeleteIke>(&what)) {
    return close(ctx, sa, std::move(ike->why), Linger::yes);
  }
  if (auto* tell = std::get_if<DoTellAuthFailed>(&what)) {
    return close(ctx, sa, std::move(tell->why), Linger::no);
  }
  if (auto* child = std::get_if<DoDeleteChild>(&what); child != nullptr && child->child) {
    remove_child(ctx, sa, *child->child, Failure{child->reason, kStep, "deleted", {}});
  }
  run_queue(ctx, sa);
}

void on_informational_request(Context& ctx, IkeSa& sa, const wire::Payloads& payloads) {
  if (find_delete(payloads, Protocol::ike) != nullptr) {
    const bool crossing =
        sa.state == State::deleting && sa.outgoing && std::holds_alternative<DoDeleteIke>(sa.outgoing->what);
    Failure why{Reason::peer_deleted, kStep, "the peer deleted the IKE SA", {}};
    if (crossing) why = std::get<DoDeleteIke>(sa.outgoing->what).why;
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
  send_response(ctx, sa, wire::ExchangeType::informational, delete_children(ctx, sa, payloads));
  run_queue(ctx, sa);
}

void on_liveness_due(Context& ctx, IkeSa& sa) {
  sa.queue.emplace_front(DoLiveness{});
  run_queue(ctx, sa);
}

}  // namespace espgate::ike
