// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <utility>

#include "ike/peer_select.h"
#include "ike/task/auth.h"
#include "ike/task/auth_proof.h"
#include "ike/task/certs.h"
#include "ike/task/child_create.h"
#include "ike/task/child_install.h"
#include "ike/task/child_negotiate.h"
#include "ike/task/exchange.h"
#include "ike/task/ppk.h"
#include "ike/task/reasons.h"
#include "ike/task/teardown.h"
#include "ike/task/unique.h"

namespace espgate::ike {

namespace {

constexpr char kStep[] = "IKE_AUTH";

// The identity we ask the responder for; none if any will do, or only a pattern is known.
std::optional<Identity> asked_for(const ConnConfig& conn) {
  const auto& id = conn.remote.id;
  if (id.pattern()) return std::nullopt;
  return id;
}

// The first child that waits goes along with IKE_AUTH.
std::optional<ChildOffer> first_offer(IkeSa& sa) {
  for (auto it = sa.queue.begin(); it != sa.queue.end(); ++it) {
    if (auto* create = std::get_if<DoCreateChild>(&*it)) {
      auto offer = std::move(create->offer);
      sa.queue.erase(it);
      return offer;
    }
  }
  return std::nullopt;
}

// Children wait until the IKE SA is there.
bool begins_childless(const IkeSa& sa) {
  const auto wish = sa.conn->childless;
  return sa.setup->childless && (wish == Childless::prefer || wish == Childless::force);
}

// Checks IDr and AUTH; what is wrong with them otherwise.
std::optional<Failure> check_peer(Context& ctx, IkeSa& sa, const wire::Payloads& payloads) {
  const auto* id = wire::find_id(payloads, false);
  const auto* auth = wire::find<wire::AuthPayload>(payloads);
  if (id == nullptr || auth == nullptr) {
    return Failure{Reason::invalid_syntax, kStep, "the peer's IKE_AUTH response lacks IDr or AUTH", {}};
  }
  if (!sa.conn->remote.id.admits(id->identity)) {
    return Failure{Reason::auth_failed,
                   kStep,
                   fmt::format("the peer calls itself '{}', but {} wants '{}'", id->identity.text(), sa.conn->name,
                               sa.conn->remote.id.text()),
                   {}};
  }
  if (auto wrong = check_proof(ctx, sa, payloads, *id)) return wrong;
  sa.remote_id = id->identity;
  return std::nullopt;
}

void offer_failed(Context& ctx, IkeSa& sa, DoAuth& auth, const Failure& why) {
  if (auth.offer) child_failed(ctx, sa, *auth.offer, why);
}

// RFC 7296 2.21.2: the responder thinks that all is well; it is told, and nothing is waited for but the answer.
void refuse_peer(Context& ctx, IkeSa& sa, Failure why, DoAuth& auth) {
  offer_failed(ctx, sa, auth, why);
  for (auto& operation : std::exchange(sa.queue, {})) {
    if (auto* create = std::get_if<DoCreateChild>(&operation)) child_failed(ctx, sa, create->offer, why);
  }
  ctx.count(why.code);
  const wire::Payloads payloads{wire::notify(wire::NotifyType::authentication_failed)};
  send_request(ctx, sa, wire::ExchangeType::informational, payloads, DoTellAuthFailed{why});
}

// The peer refused the whole IKE_AUTH, not only its child: there is no AUTH in the answer.
bool refused(Context& ctx, IkeSa& sa, DoAuth& auth, const wire::Payloads& payloads) {
  const auto* error = wire::find_error(payloads);
  if (error == nullptr || wire::find<wire::AuthPayload>(payloads) != nullptr) return false;
  auto text = refusal_text(error->type, "our IKE_AUTH");
  if (error->type == wire::NotifyType::authentication_failed) {
    text += fmt::format("; we said local '{}'{}", sa.local_id.text(),
                        auth.asked_for ? fmt::format(" and asked for '{}'", auth.asked_for->text()) : std::string());
  }
  const Failure why{reason_of(error->type), kStep, std::move(text), wire::name_of(error->type)};
  offer_failed(ctx, sa, auth, why);
  close(ctx, sa, why, Linger::no);
  return true;
}

}  // namespace

void start_auth(Context& ctx, IkeSa& sa) {
  sa.state = State::auth_sent;
  sa.local_id = own_identity(*sa.conn, sa.local.address);
  DoAuth auth;
  auth.asked_for = asked_for(*sa.conn);
  if (!begins_childless(sa)) auth.offer = first_offer(sa);

  const auto presumed = auth.asked_for.value_or(Identity::of(sa.remote.address));
  const wire::IdPayload id{true, sa.local_id, {}};
  auto ppk = begin_ppk(ctx, sa, id, presumed);
  auto made = ppk ? make_proof(ctx, sa, id, presumed) : std::unexpected(ppk.error());
  if (!made) {
    offer_failed(ctx, sa, auth, made.error());
    return close(ctx, sa, made.error(), Linger::no);
  }
  wire::Payloads payloads{id};
  for (auto& cert : made->certs) payloads.push_back(std::move(cert));
  if (first_contact(ctx, sa)) payloads.emplace_back(wire::notify(wire::NotifyType::initial_contact));
  add_cert_request(payloads, {&sa.conn, 1});
  if (auth.asked_for) payloads.emplace_back(wire::IdPayload{false, *auth.asked_for, {}});
  payloads.emplace_back(std::move(made->auth));
  for (auto& notify : *ppk) payloads.push_back(std::move(notify));
  if (auth.offer) {
    complete_offer(ctx, sa, *auth.offer);
    for (auto& payload : offer_payloads(*auth.offer)) payloads.push_back(std::move(payload));
  }
  send_request(ctx, sa, wire::ExchangeType::ike_auth, payloads, std::move(auth));
}

void on_auth_response(Context& ctx, IkeSa& sa, DoAuth auth, const wire::Payloads& payloads) {
  if (refused(ctx, sa, auth, payloads)) return;
  if (auto wrong = settle_ppk(sa, payloads)) return refuse_peer(ctx, sa, std::move(*wrong), auth);
  if (auto wrong = check_peer(ctx, sa, payloads)) return refuse_peer(ctx, sa, std::move(*wrong), auth);

  established(ctx, sa, wire::find_notify(payloads, wire::NotifyType::initial_contact) != nullptr);
  const auto setup = std::move(sa.setup);
  const Nonces nonces{setup->nonce_i, setup->nonce_r};
  if (auth.offer) on_first_child_answer(ctx, sa, std::move(*auth.offer), payloads, nonces);
  run_queue(ctx, sa);
}

}  // namespace espgate::ike
