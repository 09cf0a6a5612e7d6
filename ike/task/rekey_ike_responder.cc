// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "ike/additional.h"
#include "ike/select.h"
#include "ike/task/child_create.h"
#include "ike/task/collision.h"
#include "ike/task/exchange.h"
#include "ike/task/rekey_ike.h"

namespace espgate::ike {

namespace {

// By then the peer has either deleted the redundant SA or is gone.
constexpr base::Duration kSpareWait = std::chrono::seconds(300);

// RFC 7296 2.25.2: while we are at work on a child, the IKE SA has to wait.
const char* at_work_on(IkeSa& sa) {
  if (sa.spare) return "this IKE SA may be about to go";
  if (sa.doing<DoCreateChild>() != nullptr) return "a child is being created";
  if (sa.doing<DoRekeyChild>() != nullptr) return "a child is being rekeyed";
  if (sa.doing<DoDeleteChild>() != nullptr) return "a child is being deleted";
  for (const auto& [id, child] : sa.children) {
    if (child.state == ChildState::installing) return "a child is being installed";
  }
  return nullptr;
}

const char* busy_with(IkeSa& sa) {
  if (const auto* why = at_work_on(sa)) return why;
  if (auto* ours = sa.doing<DoRekeyIke>(); ours != nullptr && (ours->met || ours->further))
    return "it is being rekeyed already";
  return nullptr;
}

struct Accepted {
  ChosenProposal chosen;
  crypto::IkeSuite suite;
  base::IkeSpi spi;
};

std::optional<Accepted> choose(const IkeSa& sa, const wire::Payloads& payloads) {
  auto chosen = select(sa.conn->proposals, *wire::find<wire::SaPayload>(payloads));
  const auto suite = chosen ? ike_suite(chosen->proposal) : std::nullopt;
  if (!suite || chosen->spi.size() != 8) return std::nullopt;
  const base::IkeSpi spi{*base::ByteReader(chosen->spi).u64()};
  if (spi.value == 0) return std::nullopt;
  return Accepted{std::move(*chosen), *suite, spi};
}

Refusal no_keys() {
  return {wire::NotifyType::temporary_failure, Reason::unexpected, "the new keys could not be made"};
}

// The new SA; nullptr: OpenSSL is out of order.
IkeSa* make_sa(Context& ctx, const IkeSa& sa, const FollowUp& what, const FollowUp::ForIke& ike) {
  auto& fresh = ctx.create_rekeyed(sa, false, ike.ours, ike.theirs);
  fresh.suite = ike.suite;
  fresh.spare = true;
  if (derive_rekeyed(sa, fresh, what.shared.view(), what.additional.view(), what.nonce_i, what.nonce_r)) return &fresh;
  fresh.dead = true;
  return nullptr;
}

// The answer is sent: the new SA takes over, or waits for what becomes of our own rekey.
void settle(Context& ctx, IkeSa& sa, IkeSa& fresh, const FollowUp& what) {
  if (sa.state == State::closed) {
    fresh.dead = true;
  } else if (auto* own = sa.doing<DoRekeyIke>()) {
    own->met = Met{lowest_nonce(what.nonce_i, what.nonce_r)};
    own->met_spi = fresh.our_spi();
    fresh.close_deadline = ctx.now + kSpareWait;
  } else {
    inherit(ctx, sa, fresh);
  }
}

wire::Payloads answer_of(const Accepted& accepted, const FollowUp& what, const FollowUp::ForIke& ike,
                         base::Bytes public_value) {
  base::ByteWriter spi;
  spi.u64(ike.ours.value);
  return {answer(accepted.chosen, spi.view()), wire::NoncePayload{what.nonce_r},
          wire::KePayload{accepted.suite.group, std::move(public_value)}};
}

// The SA is there when its additional key exchanges are over.
void go_on_later(Context& ctx, IkeSa& sa, FollowUp what, wire::Payloads answer) {
  if (auto* own = sa.doing<DoRekeyIke>()) own->met = Met{lowest_nonce(what.nonce_i, what.nonce_r)};
  answer.emplace_back(begin_follow_up(ctx, sa, std::move(what)));
  send_response(ctx, sa, wire::ExchangeType::create_child_sa, answer);
}

void accept(Context& ctx, IkeSa& sa, const Accepted& accepted, const wire::Payloads& payloads) {
  const auto& ke = *wire::find<wire::KePayload>(payloads);
  auto ours = crypto::KeyExchange::answer(accepted.suite.group, ke.data, ctx.rng);
  if (!ours) {
    return refuse_create(ctx, sa, wire::notify(wire::NotifyType::invalid_syntax), Reason::invalid_ke,
                         "the peer's key exchange is not valid");
  }
  const FollowUp::ForIke ike{accepted.suite, ctx.new_ike_spi(), accepted.spi};
  FollowUp what{.to_come = additional_methods(accepted.chosen.proposal),
                .shared = std::move(ours->shared),
                .nonce_i = wire::find<wire::NoncePayload>(payloads)->data,
                .nonce_r = ctx.rng.bytes(kNonceOctets),
                .what = ike};
  auto answer = answer_of(accepted, what, ike, std::move(ours->public_value));
  if (!what.to_come.empty()) return go_on_later(ctx, sa, std::move(what), std::move(answer));
  auto* fresh = make_sa(ctx, sa, what, ike);
  if (fresh == nullptr) {
    const auto refusal = no_keys();
    return refuse_create(ctx, sa, wire::notify(refusal.notify), refusal.reason, refusal.text);
  }
  send_response(ctx, sa, wire::ExchangeType::create_child_sa, answer);
  settle(ctx, sa, *fresh, what);
}

}  // namespace

void on_rekey_ike_request(Context& ctx, IkeSa& sa, const wire::Payloads& payloads) {
  if (const auto* why = busy_with(sa)) {
    return refuse_create(ctx, sa, wire::notify(wire::NotifyType::temporary_failure), Reason::busy, why);
  }
  const auto what = choose(sa, payloads);
  if (!what) {
    return refuse_create(ctx, sa, wire::notify(wire::NotifyType::no_proposal_chosen), Reason::no_proposal,
                         "no IKE proposal in common for a rekey of the IKE SA");
  }
  const auto* ke = wire::find<wire::KePayload>(payloads);
  if (ke == nullptr || ke->group != what->suite.group) {
    return refuse_create(ctx, sa,
                         wire::notify(wire::NotifyType::invalid_ke_payload, wire::notify_u16(what->suite.group)),
                         Reason::invalid_ke, {});
  }
  accept(ctx, sa, *what, payloads);
}

std::optional<Refusal> complete_rekey_ike(Context& ctx, IkeSa& sa, const FollowUp& what, const FollowUp::ForIke& ike,
                                          wire::KePayload last) {
  if (const auto* why = at_work_on(sa)) return Refusal{wire::NotifyType::temporary_failure, Reason::busy, why};
  auto* fresh = make_sa(ctx, sa, what, ike);
  if (fresh == nullptr) return no_keys();
  send_response(ctx, sa, wire::ExchangeType::ike_followup_ke, {std::move(last)});
  settle(ctx, sa, *fresh, what);
  return std::nullopt;
}

}  // namespace espgate::ike
