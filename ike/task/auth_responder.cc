// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "ike/peer_select.h"
#include "ike/task/auth.h"
#include "ike/task/child_create.h"
#include "ike/task/child_install.h"
#include "ike/task/child_negotiate.h"
#include "ike/task/exchange.h"
#include "ike/task/teardown.h"

namespace espgate::ike {

namespace {

constexpr char kStep[] = "IKE_AUTH";

void refuse(Context& ctx, IkeSa& sa, wire::NotifyType notify, Reason code, std::string text) {
  send_response(ctx, sa, wire::ExchangeType::ike_auth, {wire::notify(notify)});
  if (sa.state == State::closed) return;
  close(ctx, sa, Failure{code, kStep, std::move(text), {}}, Linger::yes);
}

// Whether this connection would have agreed to what IKE_SA_INIT chose for another one.
bool admits(const ConnConfig& conn, const Proposal& chosen) {
  return std::ranges::any_of(conn.proposals, [&](const Proposal& proposal) {
    return std::ranges::all_of(chosen.transforms, [&](const Transform& transform) {
      return std::ranges::find(proposal.transforms, transform) != proposal.transforms.end() ||
             (transform.type == TransformType::integ && transform.id == crypto::kIntegNone);
    });
  });
}

std::string asked(const wire::IdPayload* id_r) {
  return id_r != nullptr ? fmt::format(" and asks for '{}'", id_r->identity.text()) : std::string();
}

// The connection for these identities; nullptr, and the peer refused, if there is none.
std::shared_ptr<const ConnConfig> find_conn(Context& ctx, IkeSa& sa, const wire::IdPayload& id_i,
                                            const wire::IdPayload* id_r) {
  const auto wanted = id_r != nullptr ? std::optional(id_r->identity) : std::nullopt;
  const auto found = fitting(*ctx.config, sa.local.address, sa.remote.address, id_i.identity, wanted);
  for (const auto& conn : found) {
    if (admits(*conn, sa.setup->chosen)) return conn;
  }
  refuse(ctx, sa, wire::NotifyType::authentication_failed, Reason::no_config,
         found.empty()
             ? fmt::format("no connection for a peer that calls itself '{}'{}", id_i.identity.text(), asked(id_r))
             : fmt::format("{} fits '{}', but not with the IKE proposal that was chosen", found.front()->name,
                           id_i.identity.text()));
  return nullptr;
}

// Checks the peer's proof; the secret it is made with, or nullptr and the peer refused.
const SharedSecret* check_peer(Context& ctx, IkeSa& sa, const wire::IdPayload& id_i, const wire::AuthPayload& auth) {
  const auto failed = [&](Reason code, std::string text) {
    refuse(ctx, sa, wire::NotifyType::authentication_failed, code, std::move(text));
    return nullptr;
  };
  const auto who = fmt::format("local '{}' and remote '{}'", sa.local_id.text(), id_i.identity.text());
  if (auth.method != wire::kAuthSharedKey) {
    return failed(Reason::auth_failed,
                  fmt::format("the peer authenticates by method {}, not by a shared secret", auth.method));
  }
  const auto* secret = choose_secret(*ctx.config, sa.local_id, id_i.identity);
  if (secret == nullptr) return failed(Reason::no_secret, "no shared secret is configured for " + who);
  const auto expected = proof(sa, true, secret->key.view(), id_i);
  if (!expected || !base::equal_constant_time(*expected, auth.data)) {
    return failed(Reason::auth_failed,
                  fmt::format("the peer does not know our shared secret '{}' for {}: wrong PSK on one of the sides",
                              secret->name, who));
  }
  return secret;
}

}  // namespace

void on_auth_request(Context& ctx, IkeSa& sa, const wire::Payloads& payloads) {
  const auto* id_i = wire::find_id(payloads, true);
  const auto* id_r = wire::find_id(payloads, false);
  const auto* auth = wire::find<wire::AuthPayload>(payloads);
  if (id_i == nullptr) {
    return refuse(ctx, sa, wire::NotifyType::invalid_syntax, Reason::invalid_syntax, "IKE_AUTH without IDi");
  }
  auto conn = find_conn(ctx, sa, *id_i, id_r);
  if (!conn) return;
  sa.conn = std::move(conn);
  sa.local_id =
      own_identity(*sa.conn, sa.local.address, id_r != nullptr ? std::optional(id_r->identity) : std::nullopt);
  sa.remote_id = id_i->identity;
  if (auth == nullptr) {
    return refuse(ctx, sa, wire::NotifyType::authentication_failed, Reason::auth_failed,
                  "the peer wants EAP, we take a shared secret");
  }
  const auto* secret = check_peer(ctx, sa, *id_i, *auth);
  if (secret == nullptr) return;

  const wire::IdPayload own{false, sa.local_id, {}};
  auto data = proof(sa, false, secret->key.view(), own);
  if (!data) {
    return refuse(ctx, sa, wire::NotifyType::authentication_failed, Reason::unexpected, "our AUTH could not be made");
  }
  established(ctx, sa, wire::find_notify(payloads, wire::NotifyType::initial_contact) != nullptr);
  const auto setup = std::move(sa.setup);
  wire::Payloads before{own, wire::AuthPayload{wire::kAuthSharedKey, std::move(*data)}};
  answer_child_request(ctx, sa, payloads,
                       ChildReply{.exchange = wire::ExchangeType::ike_auth,
                                  .before = std::move(before),
                                  .nonces = {setup->nonce_i, setup->nonce_r},
                                  .with = {}});
}

}  // namespace espgate::ike
