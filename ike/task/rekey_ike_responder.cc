// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

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
const char* busy_with(IkeSa& sa) {
  if (sa.spare) return "this IKE SA may be about to go";
  if (sa.doing<DoCreateChild>() != nullptr) return "a child is being created";
  if (sa.doing<DoRekeyChild>() != nullptr) return "a child is being rekeyed";
  if (sa.doing<DoDeleteChild>() != nullptr) return "a child is being deleted";
  for (const auto& [id, child] : sa.children) {
    if (child.state == ChildState::installing) return "a child is being installed";
  }
  if (auto* ours = sa.doing<DoRekeyIke>(); ours != nullptr && ours->met) return "it is being rekeyed already";
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

void accept(Context& ctx, IkeSa& sa, const Accepted& what, const wire::Payloads& payloads) {
  const auto& ke = *wire::find<wire::KePayload>(payloads);
  const auto& theirs = wire::find<wire::NoncePayload>(payloads)->data;
  const auto nonce = ctx.rng.bytes(kNonceOctets);
  auto ours = crypto::KeyExchange::generate(what.suite.group, ctx.rng);
  auto shared = ours ? ours->derive(ke.data) : std::unexpected(ours.error());
  if (!shared) {
    return refuse_create(ctx, sa, wire::notify(wire::NotifyType::invalid_syntax), Reason::invalid_ke,
                         "the peer's key exchange is not valid");
  }
  auto& fresh = ctx.create_rekeyed(sa, false, ctx.new_ike_spi(), what.spi);
  fresh.suite = what.suite;
  fresh.spare = true;
  if (!derive_rekeyed(sa, fresh, shared->view(), theirs, nonce)) {
    fresh.dead = true;
    return refuse_create(ctx, sa, wire::notify(wire::NotifyType::temporary_failure), Reason::unexpected,
                         "the new keys could not be made");
  }
  base::ByteWriter spi;
  spi.u64(fresh.our_spi().value);
  send_response(ctx, sa, wire::ExchangeType::create_child_sa,
                {answer(what.chosen, spi.view()), wire::NoncePayload{nonce},
                 wire::KePayload{what.suite.group, ours->public_value()}});
  if (sa.state == State::closed) {
    fresh.dead = true;
  } else if (auto* own = sa.doing<DoRekeyIke>()) {
    own->met = Met{lowest_nonce(theirs, nonce)};
    own->met_spi = fresh.our_spi();
    fresh.close_deadline = ctx.now + kSpareWait;
  } else {
    inherit(ctx, sa, fresh);
  }
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

}  // namespace espgate::ike
