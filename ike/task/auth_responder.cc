// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "ike/additional.h"
#include "ike/peer_select.h"
#include "ike/task/auth.h"
#include "ike/task/auth_proof.h"
#include "ike/task/certs.h"
#include "ike/task/child_create.h"
#include "ike/task/child_install.h"
#include "ike/task/child_negotiate.h"
#include "ike/task/exchange.h"
#include "ike/task/ppk.h"
#include "ike/task/teardown.h"
#include "ike/task/unique.h"

namespace espgate::ike {

namespace {

constexpr char kStep[] = "IKE_AUTH";

void refuse(Context& ctx, IkeSa& sa, wire::NotifyType notify, Reason code, std::string text) {
  ctx.count(code);
  send_response(ctx, sa, wire::ExchangeType::ike_auth, {wire::notify(notify)});
  if (sa.state == State::closed) return;
  close(ctx, sa, Failure{code, kStep, std::move(text), {}}, Linger::yes);
}

// Whether this connection would have agreed to what IKE_SA_INIT chose for another one.
bool admits(const ConnConfig& conn, const Proposal& chosen) {
  return std::ranges::any_of(conn.proposals, [&](const Proposal& proposal) {
    return additional_fit(proposal, chosen) && std::ranges::all_of(chosen.transforms, [&](const Transform& transform) {
             return additional(transform.type) ||
                    std::ranges::find(proposal.transforms, transform) != proposal.transforms.end() ||
                    (transform.type == TransformType::integ && transform.id == crypto::kIntegNone);
           });
  });
}

// The same with other data in AUTH.
wire::Payloads with_proof(wire::Payloads payloads, const base::Bytes& data) {
  for (auto& payload : payloads) {
    if (auto* auth = std::get_if<wire::AuthPayload>(&payload)) auth->data = data;
  }
  return payloads;
}

// What is wrong with the peer's proof; it may be made with a PPK, which is in the keys then, or without (RFC 8784).
std::optional<Failure> check_initiator(Context& ctx, IkeSa& sa, const wire::Payloads& payloads,
                                       const wire::IdPayload& id) {
  const auto without_ppk = answer_ppk(ctx, sa, payloads);
  if (!without_ppk) return without_ppk.error();
  if (*without_ppk == nullptr) return check_proof(ctx, sa, payloads, id);
  return check_proof(ctx, sa, with_proof(payloads, (*without_ppk)->data), id);
}

// RFC 6023: whether the peer may go without a child, or with one.
std::optional<std::string> wrong_childhood(const IkeSa& sa, bool childless) {
  if (childless && sa.conn->childless == Childless::never) {
    return fmt::format("the peer wants no child, and {} takes no such IKE SA (childless = never)", sa.conn->name);
  }
  if (!childless && sa.conn->childless == Childless::force) {
    return fmt::format("the peer wants a child at once, and {} takes no such IKE SA (childless = force)",
                       sa.conn->name);
  }
  return std::nullopt;
}

std::string asked(const wire::IdPayload* id_r) {
  return id_r != nullptr ? fmt::format(" and asks for '{}'", id_r->identity.text()) : std::string();
}

// The connection for these identities, one for this way to authenticate if there is one; nullptr, and the peer refused,
// if there is none.
std::shared_ptr<const ConnConfig> find_conn(Context& ctx, IkeSa& sa, const wire::IdPayload& id_i,
                                            const wire::IdPayload* id_r, const wire::AuthPayload* auth) {
  const auto wanted = id_r != nullptr ? std::optional(id_r->identity) : std::nullopt;
  const auto found = fitting(*ctx.config, sa.local.address, sa.remote.address, id_i.identity, wanted);
  const auto good = [&](const auto& conn) { return admits(*conn, sa.setup->chosen); };
  const auto best = std::ranges::find_if(found, [&](const auto& conn) {
    return good(conn) && (auth == nullptr || method_fits(conn->remote.method, auth->method));
  });
  if (best != found.end()) return *best;
  if (const auto other = std::ranges::find_if(found, good); other != found.end()) return *other;
  refuse(ctx, sa, wire::NotifyType::authentication_failed, Reason::no_config,
         found.empty()
             ? fmt::format("no connection for a peer that calls itself '{}'{}", id_i.identity.text(), asked(id_r))
             : fmt::format("{} fits '{}', but not with the IKE proposal that was chosen", found.front()->name,
                           id_i.identity.text()));
  return nullptr;
}

}  // namespace

void on_auth_request(Context& ctx, IkeSa& sa, const wire::Payloads& payloads) {
  const auto* id_i = wire::find_id(payloads, true);
  const auto* id_r = wire::find_id(payloads, false);
  const auto* auth = wire::find<wire::AuthPayload>(payloads);
  if (id_i == nullptr) {
    return refuse(ctx, sa, wire::NotifyType::invalid_syntax, Reason::invalid_syntax, "IKE_AUTH without IDi");
  }
  auto conn = find_conn(ctx, sa, *id_i, id_r, auth);
  if (!conn) return;
  sa.conn = std::move(conn);
  sa.local_id =
      own_identity(*sa.conn, sa.local.address, id_r != nullptr ? std::optional(id_r->identity) : std::nullopt);
  sa.remote_id = id_i->identity;
  if (auth == nullptr) {
    return refuse(ctx, sa, wire::NotifyType::authentication_failed, Reason::auth_failed,
                  "the peer wants EAP, we take a shared secret or a signature");
  }
  if (auto wrong = check_initiator(ctx, sa, payloads, *id_i)) {
    return refuse(ctx, sa, wire::NotifyType::authentication_failed, wrong->code, std::move(wrong->text));
  }
  const bool afresh = wire::find_notify(payloads, wire::NotifyType::initial_contact) != nullptr;
  if (auto twice = one_too_many(ctx, sa, afresh)) {
    return refuse(ctx, sa, wire::NotifyType::authentication_failed, twice->code, std::move(twice->text));
  }
  const bool childless =
      wire::find<wire::SaPayload>(payloads) == nullptr && wire::find<wire::TsPayload>(payloads) == nullptr;
  if (auto wrong = wrong_childhood(sa, childless)) {
    return refuse(ctx, sa, wire::NotifyType::invalid_syntax, Reason::no_config, std::move(*wrong));
  }
  take_wishes(sa.setup->signatures, payloads);
  const wire::IdPayload own{false, sa.local_id, {}};
  auto made = make_proof(ctx, sa, own, sa.remote_id);
  if (!made) {
    return refuse(ctx, sa, wire::NotifyType::authentication_failed, made.error().code, std::move(made.error().text));
  }
  established(ctx, sa, afresh);
  replace_others(ctx, sa);
  const auto setup = std::move(sa.setup);
  wire::Payloads before{own};
  for (auto& cert : made->certs) before.push_back(std::move(cert));
  before.emplace_back(std::move(made->auth));
  if (sa.ppk) before.emplace_back(wire::notify(wire::NotifyType::ppk_identity));
  if (childless) {
    send_response(ctx, sa, wire::ExchangeType::ike_auth, before);
    return run_queue(ctx, sa);
  }
  answer_child_request(ctx, sa, payloads,
                       ChildReply{.exchange = wire::ExchangeType::ike_auth,
                                  .before = std::move(before),
                                  .nonces = {setup->nonce_i, setup->nonce_r},
                                  .with = {}});
}

}  // namespace espgate::ike
