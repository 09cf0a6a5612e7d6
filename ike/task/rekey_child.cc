// SPDX-License-Identifier: Apache-2.0
#include "ike/task/rekey_child.h"

#include <algorithm>
#include <utility>

#include "ike/task/child_create.h"
#include "ike/task/child_negotiate.h"
#include "ike/task/collision.h"
#include "ike/task/exchange.h"
#include "ike/task/generation.h"
#include "ike/task/lifetime.h"
#include "ike/task/pfs.h"
#include "ike/task/reasons.h"
#include "ike/task/teardown.h"

namespace espgate::ike {

namespace {

constexpr char kStep[] = "CREATE_CHILD_SA";

DoRekeyChild* pending(IkeSa& sa, base::ChildId id) {
  if (auto* ours = sa.doing<DoRekeyChild>(); ours != nullptr && ours->old == id) return ours;
  for (auto& operation : sa.queue) {
    if (auto* ours = std::get_if<DoRekeyChild>(&operation); ours != nullptr && ours->old == id) return ours;
  }
  return nullptr;
}

Child* find(IkeSa& sa, base::ChildId id) {
  auto it = sa.children.find(id);
  return it == sa.children.end() ? nullptr : &it->second;
}

// Whether `old` still wants to be replaced by us.
bool wanted(IkeSa& sa, const Child* old) {
  return old != nullptr && old->state == ChildState::installed && sa.successor_of(old->id) == nullptr;
}

// The rekey did not come to be; `old` stays, if it is still there.
void failed(Context& ctx, IkeSa& sa, DoRekeyChild& what, const Failure& why) {
  if (what.offer.spi_in.value != 0) ctx.release(what.offer.spi_in);
  auto* old = find(sa, what.old);
  if (old != nullptr && old->state == ChildState::installed && sa.successor_of(old->id) != nullptr) {
    return ctx.done(what.offer.initiates);  // the peer's own rekey came through
  }
  ctx.done(what.offer.initiates, why);
  if (!wanted(sa, old)) return;
  old->rekey_at = retry_at(ctx);
  ctx.event(Event::Kind::rekey_failed, sa, *old, why);
  ctx.touch(sa);
}

void send(Context& ctx, IkeSa& sa, DoRekeyChild what) {
  auto& offer = what.offer;
  offer.nonce = ctx.rng.bytes(kNonceOctets);
  what.unsure = unknown_to_peer(ctx, sa.children.at(what.old));
  if (auto made = make_share(ctx, offer); !made) {
    failed(ctx, sa, what, Failure{made.error().reason, kStep, made.error().text, {}});
    return run_queue(ctx, sa);
  }
  const auto& old = sa.children.at(what.old);
  auto rekey = wire::notify(wire::NotifyType::rekey_sa, old.spi_in);
  rekey.protocol = protocol_of(old.suite);
  wire::Payloads payloads{std::move(rekey)};
  for (auto& payload : offer_payloads(offer)) payloads.push_back(std::move(payload));
  send_request(ctx, sa, wire::ExchangeType::create_child_sa, payloads, std::move(what));
}

// RFC 7296 2.25.1: the peer does not know this child. Ours goes without a word, and a new one is asked for.
void start_afresh(Context& ctx, IkeSa& sa, DoRekeyChild& what, const Failure& why) {
  auto* old = find(sa, what.old);
  DoCreateChild create;
  create.offer.config = current_config(sa, *old);
  create.offer.initiates = std::move(what.offer.initiates);
  ctx.release(what.offer.spi_in);
  remove_child(ctx, sa, what.old, why);
  sa.queue.emplace_back(std::move(create));
}

void refused(Context& ctx, IkeSa& sa, DoRekeyChild what, const wire::NotifyPayload& error) {
  auto* old = find(sa, what.old);
  const Failure why{reason_of(error.type), kStep, refusal_text(error.type, "our rekey of the child"),
                    wire::name_of(error.type)};
  if (error.type == wire::NotifyType::invalid_ke_payload && !what.offer.further && wanted(sa, old)) {
    if (follow_group(what.offer, error)) return send(ctx, sa, std::move(what));
  }
  if (error.type == wire::NotifyType::child_sa_not_found && wanted(sa, old) && !what.unsure) {
    return start_afresh(ctx, sa, what, why);
  }
  failed(ctx, sa, what, why);
}

}  // namespace

bool rekey_pending(IkeSa& sa, base::ChildId id) { return pending(sa, id) != nullptr; }

void queue_rekey(Context& ctx, IkeSa& sa, Child& child, std::vector<RequestId> waiting) {
  child.rekey_at.reset();
  ctx.touch(sa);
  if (auto* there = pending(sa, child.id)) {
    std::ranges::move(waiting, std::back_inserter(there->offer.initiates));
    return;
  }
  DoRekeyChild what;
  what.old = child.id;
  what.offer.config = current_config(sa, child);
  what.offer.initiates = std::move(waiting);
  sa.queue.emplace_back(std::move(what));
}

void start_rekey_child(Context& ctx, IkeSa& sa, DoRekeyChild what) {
  auto* old = find(sa, what.old);
  if (!wanted(sa, old)) {  // while it was queued the peer rekeyed or deleted it
    failed(ctx, sa, what, Failure{Reason::not_found, kStep, "the child is gone", {}});
    return run_queue(ctx, sa);
  }
  complete_offer(ctx, sa, what.offer);
  send(ctx, sa, std::move(what));
}

void on_rekey_child_response(Context& ctx, IkeSa& sa, DoRekeyChild what, const wire::Payloads& payloads) {
  const auto* error = wire::find_error(payloads);
  if (error != nullptr && wire::find<wire::SaPayload>(payloads) == nullptr) {
    return refused(ctx, sa, std::move(what), *error);
  }
  if (sa.state == State::deleting) return failed(ctx, sa, what, why_deleting(sa));  // goes with its IKE SA
  auto& further = what.offer.further;
  auto answer = check_create_answer(what.offer, first_answer(further, payloads));
  const auto* old = find(sa, what.old);
  const bool redundant = answer && what.met && ours_is_redundant(ctx, *what.met, what.offer.nonce, answer->nonce);
  const bool goes_on = answer && peer_waits(further, answer->agreed.chosen.proposal);
  if (answer && !redundant && wanted(sa, old)) {
    const auto next = next_follow_up(ctx, further, answer->agreed.chosen.proposal, payloads);
    if (next && *next) return send_request(ctx, sa, wire::ExchangeType::ike_followup_ke, **next, std::move(what));
    if (!next) answer = std::unexpected(next.error());
  }
  if (!answer || redundant || old == nullptr || old->state != ChildState::installed) {
    // The peer has a child that we do not want (any more): it is told, whatever the cause.
    const auto spi_in = what.offer.spi_in;
    const auto text = answer ? std::string("the child was deleted while it was rekeyed") : answer.error().text;
    if (redundant) ctx.done(what.offer.initiates);
    const auto protocol = protocol_of(what.offer);
    failed(ctx, sa, what, Failure{answer ? Reason::not_found : answer.error().reason, kStep, text, {}});
    if (goes_on) return;  // it has none yet, and forgets the exchange
    // Before the DELETE of the old one, which may be queued already: the peer would take that for the rekey's last
    // step.
    sa.queue.emplace_front(DoDeleteChild{spi_in, {}, Reason::rekeyed, false, protocol});
    return;
  }
  // What the peer's own rekey made here is the redundant one: it is never sent on, and goes by the peer's DELETE.
  for (auto& [id, other] : sa.children) {
    if (other.replaces == what.old) other.switch_at.reset();
  }
  install_created(ctx, sa, std::move(what.offer), *answer, what.old);
}

namespace {

struct Judged {
  Child* old = nullptr;
  std::optional<Refusal> refusal;
};

// What of a child's state stands in the way of the peer's rekey.
std::optional<Refusal> why_busy(IkeSa& sa, const Child& old) {
  const auto busy = [](const char* text) { return Refusal{wire::NotifyType::temporary_failure, Reason::busy, text}; };
  if (old.state != ChildState::installed) return busy("the child that the peer wants to rekey is on its way in or out");
  if (sa.successor_of(old.id) != nullptr) return busy("the child that the peer wants to rekey was rekeyed just now");
  if (sa.doing<DoRekeyIke>() != nullptr) return busy("the IKE SA is being rekeyed");
  return std::nullopt;
}

Judged judge(IkeSa& sa, const wire::NotifyPayload& rekey) {
  using enum wire::NotifyType;
  base::ByteReader reader(rekey.spi);
  const auto spi = reader.u32();
  auto* old = spi ? sa.child_by_spi_out({*spi}) : nullptr;
  if (old == nullptr || protocol_of(old->suite) != rekey.protocol) {
    return {nullptr,
            Refusal{child_sa_not_found, Reason::not_found, "the peer wants to rekey a child that is not here"}};
  }
  if (auto busy = why_busy(sa, *old)) return {nullptr, std::move(busy)};
  // Both requests did not cross: the peer has answered ours already.
  if (auto* ours = sa.doing<DoRekeyChild>(); ours != nullptr && ours->old == old->id && ours->offer.further) {
    return {nullptr,
            Refusal{temporary_failure, Reason::busy, "the child that the peer wants to rekey is being rekeyed"}};
  }
  return {old, {}};
}

}  // namespace

void on_rekey_child_request(Context& ctx, IkeSa& sa, const wire::Payloads& payloads, const wire::NotifyPayload& rekey) {
  auto [old, refusal] = judge(sa, rekey);
  if (refusal) {
    auto notify = wire::notify(refusal->notify);
    if (refusal->notify == wire::NotifyType::child_sa_not_found) {  // carries the SPI it is about
      notify.protocol = rekey.protocol;
      notify.spi = rekey.spi;
    }
    return refuse_create(ctx, sa, std::move(notify), refusal->reason, std::move(refusal->text));
  }
  const auto& theirs = wire::find<wire::NoncePayload>(payloads)->data;
  const auto ours = ctx.rng.bytes(kNonceOctets);
  if (auto* own = sa.doing<DoRekeyChild>(); own != nullptr && own->old == old->id) {
    own->met = Met{lowest_nonce(theirs, ours)};
  }
  answer_child_request(ctx, sa, payloads,
                       ChildReply{.exchange = wire::ExchangeType::create_child_sa,
                                  .before = {},
                                  .nonces = {theirs, ours},
                                  .with = {wire::NoncePayload{ours}},
                                  .rekeys = old->id});
}

std::optional<Refusal> why_not_rekeyed(IkeSa& sa, base::ChildId old) {
  const auto* child = find(sa, old);
  if (child != nullptr) return why_busy(sa, *child);
  return Refusal{wire::NotifyType::child_sa_not_found, Reason::not_found, "the child that was rekeyed is gone"};
}

void fall_back(Context& ctx, IkeSa& sa, const Child& gone) {
  auto* old = gone.replaces ? find(sa, *gone.replaces) : nullptr;
  if (auto* own = sa.doing<DoRekeyChild>();
      own != nullptr && own->old == gone.replaces && old != nullptr && gone.state == ChildState::installing) {
    own->met.reset();  // the peer's rekey failed here, ours stands alone
  }
  if (!wanted(sa, old) || pending(sa, old->id) != nullptr) return;
  if (old->config->time.rekey != 0 || !old->rekey_at) old->rekey_at = retry_at(ctx);
  ctx.touch(sa);
}

}  // namespace espgate::ike
