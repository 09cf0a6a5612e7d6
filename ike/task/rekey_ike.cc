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

// The new SA by the peer's answer; or what is wrong with it.
std::expected<IkeSa*, std::pair<Reason, std::string>> take_answer(Context& ctx, const IkeSa& sa, const DoRekeyIke& what,
                                                                  const wire::Payloads& payloads) {
  const auto bad = [](Reason code, const char* text) { return std::unexpected(std::pair(code, std::string(text))); };
  const auto* answer = wire::find<wire::SaPayload>(payloads);
  const auto* ke = wire::find<wire::KePayload>(payloads);
  const auto* nonce = wire::find<wire::NoncePayload>(payloads);
  if (answer == nullptr || ke == nullptr || nonce == nullptr) {
    return bad(Reason::invalid_syntax, "the peer's answer lacks SA, KE or nonce");
  }
  const auto chosen = check_answer(sa.conn->proposals, *answer);
  const auto suite = chosen ? ike_suite(chosen->proposal) : std::nullopt;
  const auto spi = chosen ? spi_of(*chosen) : std::nullopt;
  if (!suite || !spi) return bad(Reason::no_proposal, "the peer chose a proposal that we did not offer");
  if (ke->group != suite->group || suite->group != what.ke->group()) {
    return bad(Reason::invalid_ke, "the peer's key exchange is not of the group it chose");
  }
  const auto shared = what.ke->derive(ke->data);
  if (!shared) return bad(Reason::invalid_ke, "the peer's key exchange is not valid");
  auto& fresh = ctx.create_rekeyed(sa, true, what.spi, *spi);
  fresh.spare = true;
  fresh.suite = *suite;
  if (derive_rekeyed(sa, fresh, shared->view(), what.nonce, nonce->data)) return &fresh;
  fresh.dead = true;
  return bad(Reason::unexpected, "the new keys could not be made");
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
    if (error->type == wire::NotifyType::invalid_ke_payload && sa.state == State::established &&
        follow_group(sa, what, *error)) {
      return start_rekey_ike(ctx, sa, std::move(what));
    }
    return failed(ctx, sa, what,
                  Failure{reason_of(error->type), kStep, refusal_text(error->type, "our rekey of the IKE SA"),
                          wire::name_of(error->type)});
  }
  const auto taken = take_answer(ctx, sa, what, payloads);
  if (!taken) {
    // The peer believes in an SA that we cannot speak on: only ending both sides' old one brings them together again.
    return close(ctx, sa, Failure{taken.error().first, kStep, taken.error().second, {}}, Linger::no);
  }
  auto& fresh = **taken;
  const auto& theirs = wire::find<wire::NoncePayload>(payloads)->data;
  if (what.met && ours_is_redundant(ctx, *what.met, what.nonce, theirs)) {
    ctx.done(what.waiting);
    start_informational(ctx, fresh, DoDeleteIke{Failure{Reason::rekeyed, kStep, "both sides rekeyed at once", {}}});
    if (auto* winner = met_sa(ctx, what)) {
      inherit(ctx, sa, *winner);
    } else if (sa.state == State::established) {
      sa.rekey_at = retry_at(ctx);  // the peer has deleted that one already
      ctx.touch(sa);
    }
    return;
  }
  const bool closing = sa.state == State::deleting;
  inherit(ctx, sa, fresh);
  ctx.done(what.waiting);
  if (!closing) sa.queue.emplace_back(DoDeleteIke{Failure{Reason::rekeyed, kStep, "replaced by a newer IKE SA", {}}});
}

}  // namespace espgate::ike
