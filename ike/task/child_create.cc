// SPDX-License-Identifier: Apache-2.0
#include "ike/task/child_create.h"

#include <algorithm>
#include <utility>

#include "ike/additional.h"
#include "ike/task/child_negotiate.h"
#include "ike/task/exchange.h"
#include "ike/task/pfs.h"
#include "ike/task/reasons.h"
#include "ike/task/rekey_child.h"
#include "ike/task/rekey_ike.h"
#include "ike/task/teardown.h"

namespace espgate::ike {

namespace {

constexpr char kStep[] = "CREATE_CHILD_SA", kFollowUp[] = "IKE_FOLLOWUP_KE";

Failure failure_of(const Refusal& refusal, const char* step) {
  return {refusal.reason, step, refusal.text, refusal.by_peer ? wire::name_of(refusal.notify) : std::string()};
}

void send(Context& ctx, IkeSa& sa, DoCreateChild what) {
  what.offer.nonce = ctx.rng.bytes(kNonceOctets);
  if (auto made = make_share(ctx, what.offer); !made) {
    child_failed(ctx, sa, what.offer, failure_of(made.error(), kStep));
    return run_queue(ctx, sa);
  }
  const auto payloads = offer_payloads(what.offer);
  send_request(ctx, sa, wire::ExchangeType::create_child_sa, payloads, std::move(what));
}

// The child did not come to be on our side. Unless the peer said so, it thinks that it has one.
void give_up_offer(Context& ctx, IkeSa& sa, ChildOffer& offer, const Refusal& refusal, const char* step) {
  const auto why = failure_of(refusal, step);
  const auto spi_in = offer.spi_in;
  child_failed(ctx, sa, offer, why);
  close_if_useless(ctx, sa, why);
  if (refusal.by_peer || sa.state != State::established) return;
  sa.queue.emplace_back(DoDeleteChild{spi_in, {}, why.code, false, protocol_of(offer)});
  run_queue(ctx, sa);
}

void install_offer(Context& ctx, IkeSa& sa, ChildOffer& offer, const Agreed& agreed, const Nonces& nonces,
                   InstallOrder order, const char* step) {
  order.spi_in = offer.spi_in;
  order.initiator = true;
  order.initiates = std::move(offer.initiates);
  auto installing = install(ctx, sa, agreed, nonces, order);
  if (installing) return;
  offer.initiates = std::move(order.initiates);
  give_up_offer(ctx, sa, offer, Refusal{{}, Reason::unexpected, installing.error()}, step);
}

}  // namespace

void refuse_create(Context& ctx, IkeSa& sa, wire::NotifyPayload notify, Reason code, std::string text) {
  if (notify.type != wire::NotifyType::invalid_ke_payload) {  // that one is no failure, the peer comes again
    ctx.event(Event::Kind::peer_refused, sa, Failure{code, kStep, std::move(text), {}});
  }
  send_response(ctx, sa, wire::ExchangeType::create_child_sa, {std::move(notify)});
  run_queue(ctx, sa);
}

void start_create_child(Context& ctx, IkeSa& sa, DoCreateChild what) {
  complete_offer(ctx, sa, what.offer);
  send(ctx, sa, std::move(what));
}

std::expected<Created, Refusal> check_create_answer(const ChildOffer& offer, const wire::Payloads& payloads) {
  auto agreed = check_child_answer(offer, payloads);
  if (!agreed) return std::unexpected(std::move(agreed.error()));
  const auto* nonce = wire::find<wire::NoncePayload>(payloads);
  if (nonce == nullptr) {
    return std::unexpected(
        Refusal{wire::NotifyType::invalid_syntax, Reason::invalid_syntax, "the peer's answer lacks a nonce"});
  }
  auto shared = take_share(offer, *agreed, payloads);
  if (!shared) return std::unexpected(std::move(shared.error()));
  return Created{std::move(*agreed), std::move(*shared), nonce->data};
}

void on_create_child_response(Context& ctx, IkeSa& sa, DoCreateChild what, const wire::Payloads& payloads) {
  auto& further = what.offer.further;
  const auto* error = wire::find_notify(payloads, wire::NotifyType::invalid_ke_payload);
  if (error != nullptr && !further && sa.state == State::established) {
    if (auto follows = follow_group(what.offer, *error)) return send(ctx, sa, std::move(what));
  }
  if (sa.state == State::deleting) {  // goes with its IKE SA: nothing may be sent on what is about to end
    return child_failed(ctx, sa, what.offer, why_deleting(sa));
  }
  auto created = check_create_answer(what.offer, first_answer(further, payloads));
  if (!created) return give_up_offer(ctx, sa, what.offer, created.error(), kStep);
  const auto next = next_follow_up(ctx, further, created->agreed.chosen.proposal, payloads);
  if (!next) return give_up_offer(ctx, sa, what.offer, next.error(), kFollowUp);
  if (*next) return send_request(ctx, sa, wire::ExchangeType::ike_followup_ke, **next, std::move(what));
  install_created(ctx, sa, std::move(what.offer), *created, {});
}

void install_created(Context& ctx, IkeSa& sa, ChildOffer offer, const Created& created,
                     std::optional<base::ChildId> rekeys) {
  const auto ours = offer.nonce;
  InstallOrder order;
  const auto further = std::exchange(offer.further, std::nullopt);
  order.shared = {created.shared.view(), additional_shared(further)};
  order.rekeys = rekeys;
  install_offer(ctx, sa, offer, created.agreed, Nonces{ours, created.nonce}, std::move(order), kStep);
}

void on_first_child_answer(Context& ctx, IkeSa& sa, ChildOffer offer, const wire::Payloads& payloads,
                           const Nonces& nonces) {
  constexpr char step[] = "IKE_AUTH";
  auto agreed = check_child_answer(offer, payloads);
  if (!agreed) return give_up_offer(ctx, sa, offer, agreed.error(), step);
  InstallOrder order;
  order.first = sa.children.empty();
  install_offer(ctx, sa, offer, *agreed, nonces, std::move(order), step);
}

void on_create_child_request(Context& ctx, IkeSa& sa, const wire::Payloads& payloads) {
  using enum wire::NotifyType;
  if (sa.state != State::established) {  // RFC 7296 2.25.2
    return refuse_create(ctx, sa, wire::notify(temporary_failure), Reason::busy, "this IKE SA is being deleted");
  }
  const auto* offered = wire::find<wire::SaPayload>(payloads);
  const auto* nonce = wire::find<wire::NoncePayload>(payloads);
  if (offered == nullptr || nonce == nullptr) {
    ctx.count(Reason::invalid_syntax);
    send_response(ctx, sa, wire::ExchangeType::create_child_sa, {wire::notify(invalid_syntax)});
    if (sa.state == State::closed) return;
    return close(ctx, sa, Failure{Reason::invalid_syntax, kStep, "the request lacks SA or nonce", {}}, Linger::yes);
  }
  if (const auto* rekey = wire::find_notify(payloads, rekey_sa)) {
    return on_rekey_child_request(ctx, sa, payloads, *rekey);
  }
  if (!offered->proposals.empty() && offered->proposals.front().protocol == Protocol::ike) {
    return on_rekey_ike_request(ctx, sa, payloads);
  }
  if (sa.doing<DoRekeyIke>() != nullptr) {
    return refuse_create(ctx, sa, wire::notify(temporary_failure), Reason::busy, "the IKE SA is being rekeyed");
  }
  const auto ours = ctx.rng.bytes(kNonceOctets);
  answer_child_request(ctx, sa, payloads,
                       ChildReply{.exchange = wire::ExchangeType::create_child_sa,
                                  .before = {},
                                  .nonces = {nonce->data, ours},
                                  .with = {wire::NoncePayload{ours}}});
}

namespace {

// What the reply has in it for the child, and the child, if the reply is to wait for it.
struct Accepted {
  wire::Payloads payloads;
  std::optional<base::ChildId> installing;
};

// The child is there when its additional key exchanges are over.
Accepted go_on_later(Context& ctx, IkeSa& sa, FollowUp what, wire::Payloads payloads) {
  payloads.emplace_back(begin_follow_up(ctx, sa, std::move(what)));
  return {std::move(payloads), std::nullopt};
}

wire::Payloads accepted_payloads(const Agreed& agreed, base::Spi spi_in, const ChildReply& reply,
                                 const std::optional<wire::KePayload>& ke) {
  auto out = answer_payloads(agreed, spi_in);
  auto with = reply.with;
  if (ke) with.emplace_back(*ke);
  const auto sa_at =
      std::ranges::find_if(out, [](const auto& payload) { return std::holds_alternative<wire::SaPayload>(payload); });
  out.insert(std::next(sa_at), with.begin(), with.end());
  return out;
}

base::Bytes copy(base::ByteView octets) { return {octets.begin(), octets.end()}; }

// Everything the reply needs, or why there is no child.
std::expected<Accepted, Refusal> agree(Context& ctx, IkeSa& sa, const wire::Payloads& payloads,
                                       const ChildReply& reply) {
  const bool first = reply.exchange == wire::ExchangeType::ike_auth;
  const Child* old = nullptr;
  if (reply.rekeys) old = &sa.children.at(*reply.rekeys);
  auto agreed = answer_offer(sa, payloads, first ? Groups::left_out : Groups::pfs, old);
  if (!agreed) return std::unexpected(std::move(agreed.error()));
  auto share = answer_share(ctx, *agreed, payloads);
  if (!share) return std::unexpected(std::move(share.error()));
  InstallOrder order;
  order.spi_in = ctx.new_esp_spi();
  auto accepted = accepted_payloads(*agreed, order.spi_in, reply, share->ours);
  if (auto methods = additional_methods(agreed->chosen.proposal); !methods.empty()) {
    return go_on_later(ctx, sa,
                       FollowUp{.to_come = std::move(methods),
                                .shared = std::move(share->shared),
                                .nonce_i = copy(reply.nonces.i),
                                .nonce_r = copy(reply.nonces.r),
                                .what = FollowUp::ForChild{std::move(*agreed), order.spi_in, reply.rekeys}},
                       std::move(accepted));
  }
  order.first = first;
  order.shared = {share->shared.view(), {}};
  order.rekeys = reply.rekeys;
  auto installing = install(ctx, sa, *agreed, reply.nonces, order);
  if (!installing) {
    ctx.release(order.spi_in);
    return std::unexpected(
        Refusal{wire::NotifyType::temporary_failure, Reason::unexpected, std::move(installing.error())});
  }
  return Accepted{std::move(accepted), *installing};
}

}  // namespace

void answer_child_request(Context& ctx, IkeSa& sa, const wire::Payloads& payloads, ChildReply reply) {
  auto agreed = agree(ctx, sa, payloads, reply);
  if (agreed && agreed->installing) {
    sa.held = HeldReply{reply.exchange, std::move(reply.before), std::move(agreed->payloads), *agreed->installing};
    return;
  }
  if (agreed) {
    send_response(ctx, sa, reply.exchange, agreed->payloads);
    return run_queue(ctx, sa);
  }
  auto& refusal = agreed.error();
  if (auto* own = sa.doing<DoRekeyChild>(); own != nullptr && reply.rekeys == own->old) own->met.reset();
  if (refusal.notify != wire::NotifyType::invalid_ke_payload) {
    ctx.event(Event::Kind::peer_refused, sa, Failure{refusal.reason, wire::name_of(reply.exchange), refusal.text, {}});
  }
  reply.before.emplace_back(wire::notify(refusal.notify, std::move(refusal.data)));
  send_response(ctx, sa, reply.exchange, reply.before);
  run_queue(ctx, sa);
}

std::optional<Refusal> install_followed_up(Context& ctx, IkeSa& sa, const FollowUp& what,
                                           const FollowUp::ForChild& child, wire::KePayload last) {
  using enum wire::NotifyType;
  if (sa.doing<DoRekeyIke>() != nullptr) {
    return Refusal{temporary_failure, Reason::busy, "the IKE SA is being rekeyed"};
  }
  InstallOrder order;
  order.spi_in = child.spi_in;
  order.shared = {what.shared.view(), what.additional.view()};
  order.rekeys = child.rekeys;
  auto installing = install(ctx, sa, child.agreed, {what.nonce_i, what.nonce_r}, order);
  if (!installing) return Refusal{temporary_failure, Reason::unexpected, std::move(installing.error())};
  sa.held = HeldReply{wire::ExchangeType::ike_followup_ke, {}, {std::move(last)}, *installing};
  return std::nullopt;
}

}  // namespace espgate::ike
