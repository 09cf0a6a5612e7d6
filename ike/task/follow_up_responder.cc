// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "ike/task/child_create.h"
#include "ike/task/exchange.h"
#include "ike/task/follow_up.h"
#include "ike/task/rekey_child.h"
#include "ike/task/rekey_ike.h"

namespace espgate::ike {

namespace {

constexpr char kStep[] = "IKE_FOLLOWUP_KE";
constexpr auto kExchange = wire::ExchangeType::ike_followup_ke;
constexpr base::Duration kPatience = std::chrono::seconds(20);  // RFC 9370 2.2.4: 5 to 20 s
constexpr std::size_t kLinkOctets = 16;

void refuse(Context& ctx, IkeSa& sa, const Refusal& refusal) {
  ctx.event(Event::Kind::peer_refused, sa, Failure{refusal.reason, kStep, refusal.text, {}});
  send_response(ctx, sa, kExchange, {wire::notify(refusal.notify)});
  run_queue(ctx, sa);
}

wire::NotifyPayload new_link(Context& ctx, IkeSa& sa) {
  sa.follow_up->link = ctx.rng.bytes(kLinkOctets);
  sa.follow_up_until = ctx.now + kPatience;
  ctx.touch(sa);
  return wire::notify(wire::NotifyType::additional_key_exchange, sa.follow_up->link);
}

// The one that the peer means, with its key exchange answered; what is wrong with it otherwise.
std::expected<wire::KePayload, Refusal> answer_ke(Context& ctx, IkeSa& sa, const wire::Payloads& payloads) {
  const auto* link = wire::find_notify(payloads, wire::NotifyType::additional_key_exchange);
  if (!sa.follow_up || link == nullptr || link->data != sa.follow_up->link) {
    return std::unexpected(Refusal{wire::NotifyType::state_not_found, Reason::not_found,
                                   "the peer goes on with additional key exchanges that are not under way"});
  }
  auto& what = *sa.follow_up;
  const auto* ke = wire::find<wire::KePayload>(payloads);
  if (ke == nullptr || ke->group != what.to_come.front()) {
    return std::unexpected(
        Refusal{wire::NotifyType::invalid_syntax, Reason::invalid_ke,
                fmt::format("the peer's additional key exchange is not of method {}, which was to come",
                            what.to_come.front())});
  }
  auto answer = crypto::KeyExchange::answer(ke->group, ke->data, ctx.rng);
  if (!answer) {
    return std::unexpected(
        Refusal{wire::NotifyType::invalid_syntax, Reason::invalid_ke,
                fmt::format("the peer's additional key exchange: {}", crypto::text(answer.error()))});
  }
  append_secret(what.additional, answer->shared.view());
  what.to_come.erase(what.to_come.begin());
  return wire::KePayload{ke->group, std::move(answer->public_value)};
}

void finish(Context& ctx, IkeSa& sa, const FollowUp& what, const FollowUp::ForChild& child, wire::KePayload ours) {
  auto refusal = child.rekeys ? why_not_rekeyed(sa, *child.rekeys) : std::nullopt;
  if (!refusal) refusal = install_followed_up(ctx, sa, what, child, std::move(ours));
  if (!refusal) return;
  ctx.release(child.spi_in);
  refuse(ctx, sa, *refusal);
}

void finish(Context& ctx, IkeSa& sa, const FollowUp& what, const FollowUp::ForIke& ike, wire::KePayload ours) {
  if (auto refusal = complete_rekey_ike(ctx, sa, what, ike, std::move(ours))) refuse(ctx, sa, *refusal);
}

}  // namespace

wire::NotifyPayload begin_follow_up(Context& ctx, IkeSa& sa, FollowUp what) {
  drop_follow_up(ctx, sa);
  sa.follow_up = std::make_shared<FollowUp>(std::move(what));
  return new_link(ctx, sa);
}

void drop_follow_up(Context& ctx, IkeSa& sa) {
  if (!sa.follow_up) return;
  if (const auto* child = std::get_if<FollowUp::ForChild>(&sa.follow_up->what)) ctx.release(child->spi_in);
  sa.follow_up.reset();
  sa.follow_up_until.reset();
  ctx.touch(sa);
}

void on_follow_up_request(Context& ctx, IkeSa& sa, const wire::Payloads& payloads) {
  if (sa.state != State::established) {
    return refuse(ctx, sa, {wire::NotifyType::temporary_failure, Reason::busy, "this IKE SA is being deleted"});
  }
  auto ours = answer_ke(ctx, sa, payloads);
  if (!ours) {
    if (ours.error().notify != wire::NotifyType::state_not_found) drop_follow_up(ctx, sa);
    return refuse(ctx, sa, ours.error());
  }
  if (!sa.follow_up->to_come.empty()) {
    auto link = new_link(ctx, sa);
    return send_response(ctx, sa, kExchange, {std::move(*ours), std::move(link)});
  }
  const auto what = std::exchange(sa.follow_up, nullptr);
  sa.follow_up_until.reset();
  ctx.touch(sa);
  std::visit([&](const auto& one) { finish(ctx, sa, *what, one, std::move(*ours)); }, what->what);
}

bool waits_for_follow_up(const IkeSa& sa, const Operation& next) {
  if (!sa.follow_up) return false;
  const auto* rekey = std::get_if<DoRekeyChild>(&next);
  const auto* child = std::get_if<FollowUp::ForChild>(&sa.follow_up->what);
  if (child != nullptr) return rekey != nullptr && child->rekeys == rekey->old;
  // RFC 7296 2.25.2: while the IKE SA is being rekeyed, nothing is begun on it.
  return rekey != nullptr || std::holds_alternative<DoCreateChild>(next) || std::holds_alternative<DoRekeyIke>(next);
}

}  // namespace espgate::ike
