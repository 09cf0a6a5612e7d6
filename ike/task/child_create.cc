// SPDX-License-Identifier: Apache-2.0
#include "ike/task/child_create.h"

#include <utility>

#include "ike/task/child_negotiate.h"
#include "ike/task/exchange.h"
#include "ike/task/reasons.h"
#include "ike/task/teardown.h"

namespace espgate::ike {

namespace {
constexpr char kStep[] = "CREATE_CHILD_SA";
constexpr std::size_t kNonceOctets = 32;  // at least half the prf's key (RFC 7296 2.10)

void refuse(Context& ctx, IkeSa& sa, wire::NotifyPayload notify, Reason code, std::string text) {
  ctx.event(Event::Kind::peer_refused, sa, Failure{code, kStep, std::move(text), {}});
  send_response(ctx, sa, wire::ExchangeType::create_child_sa, {std::move(notify)});
}
}  // namespace

void start_create_child(Context& ctx, IkeSa& sa, DoCreateChild what) {
  complete_offer(ctx, sa, what.offer);
  what.offer.nonce = ctx.rng.bytes(kNonceOctets);
  const auto payloads = offer_payloads(what.offer);
  send_request(ctx, sa, wire::ExchangeType::create_child_sa, payloads, std::move(what));
}

void on_create_child_response(Context& ctx, IkeSa& sa, DoCreateChild what, const wire::Payloads& payloads) {
  const auto* nonce = wire::find<wire::NoncePayload>(payloads);
  const auto ours = what.offer.nonce;
  const Nonces nonces{ours, nonce != nullptr ? base::ByteView(nonce->data) : base::ByteView()};
  on_child_answer(ctx, sa, std::move(what.offer), payloads, nonces, kStep);
}

void on_child_answer(Context& ctx, IkeSa& sa, ChildOffer offer, const wire::Payloads& payloads, const Nonces& nonces,
                     const char* step) {
  auto agreed = check_child_answer(offer, payloads);
  if (agreed && nonces.r.empty()) {
    agreed = std::unexpected(
        Refusal{wire::NotifyType::invalid_syntax, Reason::invalid_syntax, "the peer's answer lacks a nonce", false});
  }
  if (agreed) {
    InstallOrder order{offer.spi_in, true, sa.children.empty() && step != kStep, std::move(offer.initiates)};
    auto installing = install(ctx, sa, *agreed, nonces, std::move(order));
    if (installing) return;
    agreed = std::unexpected(Refusal{{}, Reason::unexpected, installing.error(), false});
  }
  const auto& refusal = agreed.error();
  const Failure why{refusal.reason, step, refusal.text,
                    refusal.by_peer ? wire::name_of(refusal.notify) : std::string()};
  const auto spi_in = offer.spi_in;
  child_failed(ctx, sa, offer, why);
  close_if_useless(ctx, sa, why);
  if (refusal.by_peer || sa.state != State::established) return;
  sa.queue.emplace_back(DoDeleteChild{spi_in, {}, why.code});  // the peer thinks that it has a child
  run_queue(ctx, sa);
}

void on_create_child_request(Context& ctx, IkeSa& sa, const wire::Payloads& payloads) {
  using enum wire::NotifyType;
  if (sa.state == State::deleting) {  // RFC 7296 2.25.2
    return refuse(ctx, sa, wire::notify(temporary_failure), Reason::unexpected, "this IKE SA is being deleted");
  }
  const auto* offered = wire::find<wire::SaPayload>(payloads);
  const auto* nonce = wire::find<wire::NoncePayload>(payloads);
  if (offered == nullptr || nonce == nullptr) {
    refuse(ctx, sa, wire::notify(invalid_syntax), Reason::invalid_syntax, "the request lacks SA or nonce");
    return close(ctx, sa, Failure{Reason::invalid_syntax, kStep, "the request lacks SA or nonce", {}}, Linger::yes);
  }
  if (const auto* rekey = wire::find_notify(payloads, rekey_sa)) {
    base::ByteReader reader(rekey->spi);
    const auto spi = reader.u32();
    if (!spi || sa.child_by_spi_out({*spi}) == nullptr) {  // RFC 7296 2.25.1; carries the SPI it is about
      return refuse(ctx, sa, wire::notify(child_sa_not_found, base::Spi{spi.value_or(0)}), Reason::not_found,
                    "the peer wants to rekey a child that is not here");
    }
    return refuse(ctx, sa, wire::notify(no_additional_sas), Reason::no_additional_sas,
                  "the peer wants to rekey a child, which is not supported yet");
  }
  if (!offered->proposals.empty() && offered->proposals.front().protocol == Protocol::ike) {
    return refuse(ctx, sa, wire::notify(no_additional_sas), Reason::no_additional_sas,
                  "the peer wants to rekey the IKE SA, which is not supported yet");
  }
  const auto ours = ctx.rng.bytes(kNonceOctets);
  answer_child_request(ctx, sa, wire::ExchangeType::create_child_sa, payloads, {}, Nonces{nonce->data, ours},
                       {wire::NoncePayload{ours}});
}

void answer_child_request(Context& ctx, IkeSa& sa, wire::ExchangeType exchange, const wire::Payloads& payloads,
                          wire::Payloads before, const Nonces& nonces, wire::Payloads with) {
  const bool first = exchange == wire::ExchangeType::ike_auth;
  auto agreed = answer_offer(sa, payloads);
  if (agreed) {
    const auto spi_in = ctx.new_esp_spi();
    auto installing = install(ctx, sa, *agreed, nonces, InstallOrder{spi_in, false, first, {}});
    if (installing) {
      auto accepted = answer_payloads(*agreed, spi_in);
      for (auto& payload : with) accepted.insert(accepted.begin() + 1, std::move(payload));
      sa.held = HeldReply{exchange, std::move(before), std::move(accepted), *installing};
      return;
    }
    ctx.release(spi_in);
    agreed =
        std::unexpected(Refusal{wire::NotifyType::temporary_failure, Reason::unexpected, installing.error(), false});
  }
  const auto& refusal = agreed.error();
  ctx.event(Event::Kind::peer_refused, sa, Failure{refusal.reason, wire::name_of(exchange), refusal.text, {}});
  before.emplace_back(wire::notify(refusal.notify));
  send_response(ctx, sa, exchange, before);
  run_queue(ctx, sa);
}

}  // namespace espgate::ike
