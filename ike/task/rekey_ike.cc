// SPDX-License-Identifier: Apache-2.0
#include "ike/task/rekey_ike.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "ike/select.h"
#include "ike/task/child_create.h"
#include "ike/task/collision.h"
#include "ike/task/exchange.h"
#include "ike/task/informational.h"
#include "ike/task/lifetime.h"
#include "ike/task/reasons.h"
#include "ike/task/teardown.h"

namespace espgate::ike {

namespace {

constexpr char kStep[] = "CREATE_CHILD_SA";
constexpr std::uint32_t kMaxRestarts = 3;

base::Bytes octets(base::IkeSpi spi) {
  base::ByteWriter out;
  out.u64(spi.value);
  return out.take();
}

std::optional<base::IkeSpi> spi_of(const ChosenProposal& chosen) {
  if (chosen.spi.size() != 8) return std::nullopt;
  const base::IkeSpi spi{*base::ByteReader(chosen.spi).u64()};
  return spi.value != 0 ? std::optional(spi) : std::nullopt;
}

DoRekeyIke* pending(IkeSa& sa) {
  if (auto* ours = sa.doing<DoRekeyIke>()) return ours;
  for (auto& operation : sa.queue) {
    if (auto* ours = std::get_if<DoRekeyIke>(&operation)) return ours;
  }
  return nullptr;
}

IkeSa* met_sa(Context& ctx, const DoRekeyIke& what) {
  if (!what.met) return nullptr;
  auto* theirs = ctx.find(what.met_spi);
  return theirs != nullptr && theirs->spare && theirs->state == State::established ? theirs : nullptr;
}

// Ours did not come to be. If the peer's did, that one it is.
void failed(Context& ctx, IkeSa& sa, DoRekeyIke& what, const Failure& why) {
  if (auto* theirs = met_sa(ctx, what)) {
    ctx.done(what.waiting);
    return inherit(ctx, sa, *theirs);
  }
  ctx.done(what.waiting, why);
  if (sa.state != State::established) return;
  sa.rekey_at = retry_at(ctx);
  ctx.event(Event::Kind::rekey_failed, sa, why);
  ctx.touch(sa);
}

bool follow_group(const IkeSa& sa, DoRekeyIke& what, const wire::NotifyPayload& error) {
  const auto wanted = wire::notify_u16(error);
  if (!wanted || !offers_group(sa.conn->proposals, *wanted) || *wanted == what.group) return false;
  if (++what.restarts > kMaxRestarts) return false;
  what.group = *wanted;
  return true;
}

// What the peer's answer to CREATE_CHILD_SA says.
struct Taken {
  Proposal chosen;
  crypto::IkeSuite suite;
  base::IkeSpi spi;
  base::Secret shared;
  base::Bytes nonce;
};
using Wrong = std::pair<Reason, std::string>;

std::expected<Taken, Wrong> take_answer(const IkeSa& sa, const DoRekeyIke& what, const wire::Payloads& payloads) {
  const auto bad = [](Reason code, const char* text) { return std::unexpected(std::pair(code, std::string(text))); };
  const auto* answer = wire::find<wire::SaPayload>(payloads);
  const auto* ke = wire::find<wire::KePayload>(payloads);
  const auto* nonce = wire::find<wire::NoncePayload>(payloads);
  if (answer == nullptr || ke == nullptr || nonce == nullptr) {
    return bad(Reason::invalid_syntax, "the peer's answer lacks SA, KE or nonce");
  }
  auto chosen = check_answer(sa.conn->proposals, *answer);
  const auto suite = chosen ? ike_suite(chosen->proposal) : std::nullopt;
  const auto spi = chosen ? spi_of(*chosen) : std::nullopt;
  if (!suite || !spi) return bad(Reason::no_proposal, "the peer chose a proposal that we did not offer");
  if (ke->group != suite->group || suite->group != what.ke->group()) {
    return bad(Reason::invalid_ke, "the peer's key exchange is not of the group it chose");
  }
  auto shared = what.ke->derive(ke->data);
  if (!shared) return bad(Reason::invalid_ke, "the peer's key exchange is not valid");
  return Taken{std::move(chosen->proposal), *suite, *spi, std::move(*shared), nonce->data};
}

// The new SA once all key exchanges are over; nullptr: OpenSSL is out of order.
IkeSa* make_sa(Context& ctx, const IkeSa& sa, const DoRekeyIke& what, const Taken& taken) {
  auto& fresh = ctx.create_rekeyed(sa, true, what.spi, taken.spi);
  fresh.spare = true;
  fresh.suite = taken.suite;
  const auto additional = additional_shared(what.further);
  if (derive_rekeyed(sa, fresh, taken.shared.view(), additional, what.nonce, taken.nonce)) return &fresh;
  fresh.dead = true;
  return nullptr;
}

// Both sides rekey, and ours is the redundant one. The peer's is there, is about to be, or went already.
void stand_back(Context& ctx, IkeSa& sa, DoRekeyIke& what) {
  ctx.done(what.waiting);
  if (auto* winner = met_sa(ctx, what)) return inherit(ctx, sa, *winner);
  if (sa.state != State::established) return;
  sa.rekey_at = retry_at(ctx);
  ctx.touch(sa);
}

}  // namespace

void queue_ike_rekey(Context& ctx, IkeSa& sa, std::vector<RequestId> waiting) {
  sa.rekey_at.reset();
  ctx.touch(sa);
  if (auto* there = pending(sa)) {
    std::ranges::move(waiting, std::back_inserter(there->waiting));
    return;
  }
  DoRekeyIke what;
  what.waiting = std::move(waiting);
  sa.queue.emplace_back(std::move(what));
}

void start_rekey_ike(Context& ctx, IkeSa& sa, DoRekeyIke what) {
  if (!what.group) {
    const bool still = offers_group(sa.conn->proposals, sa.suite.group);
    what.group = still ? sa.suite.group : first_group(sa.conn->proposals).value_or(0);
  }
  auto made = crypto::KeyExchange::generate(*what.group, ctx.rng);
  if (!made) {
    failed(ctx, sa, what,
           Failure{Reason::invalid_ke, kStep, fmt::format("no key exchange in group {}", *what.group), {}});
    return run_queue(ctx, sa);
  }
  what.ke.emplace(std::move(*made));
  what.spi = ctx.new_ike_spi();
  what.nonce = ctx.rng.bytes(kNonceOctets);
  const wire::Payloads payloads{offer(sa.conn->proposals, octets(what.spi)), wire::NoncePayload{what.nonce},
                                wire::KePayload{what.ke->group(), what.ke->public_value()}};
  send_request(ctx, sa, wire::ExchangeType::create_child_sa, payloads, std::move(what));
}

void on_rekey_ike_response(Context& ctx, IkeSa& sa, DoRekeyIke what, const wire::Payloads& payloads) {
  const auto* error = wire::find_error(payloads);
  if (error != nullptr && wire::find<wire::SaPayload>(payloads) == nullptr) {
    if (error->type == wire::NotifyType::invalid_ke_payload && !what.further && sa.state == State::established &&
        follow_group(sa, what, *error)) {
      return start_rekey_ike(ctx, sa, std::move(what));
    }
    return failed(ctx, sa, what,
                  Failure{reason_of(error->type), kStep, refusal_text(error->type, "our rekey of the IKE SA"),
                          wire::name_of(error->type)});
  }
  const auto taken = take_answer(sa, what, first_answer(what.further, payloads));
  // The peer believes in an SA that we cannot speak on: only ending both sides' old one brings them together again.
  const auto end = [&](Reason code, std::string text) {
    close(ctx, sa, Failure{code, kStep, std::move(text), {}}, Linger::no);
  };
  if (!taken) return end(taken.error().first, taken.error().second);
  const bool redundant = what.met && ours_is_redundant(ctx, *what.met, what.nonce, taken->nonce);
  if (peer_waits(what.further, taken->chosen)) {  // it has no SA yet
    if (redundant) return stand_back(ctx, sa, what);
    if (sa.state == State::deleting) return failed(ctx, sa, what, why_deleting(sa));
  }
  const auto next = next_follow_up(ctx, what.further, taken->chosen, payloads);
  if (!next) return end(next.error().reason, next.error().text);
  if (*next) return send_request(ctx, sa, wire::ExchangeType::ike_followup_ke, **next, std::move(what));
  auto* fresh = make_sa(ctx, sa, what, *taken);
  if (fresh == nullptr) return end(Reason::unexpected, "the new keys could not be made");
  if (redundant) {
    start_informational(ctx, *fresh, DoDeleteIke{Failure{Reason::rekeyed, kStep, "both sides rekeyed at once", {}}});
    return stand_back(ctx, sa, what);
  }
  const bool closing = sa.state == State::deleting;
  inherit(ctx, sa, *fresh);
  ctx.done(what.waiting);
  if (!closing) sa.queue.emplace_back(DoDeleteIke{Failure{Reason::rekeyed, kStep, "replaced by a newer IKE SA", {}}});
}

}  // namespace espgate::ike
