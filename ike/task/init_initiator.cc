// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "ike/additional.h"
#include "ike/select.h"
#include "ike/task/certs.h"
#include "ike/task/exchange.h"
#include "ike/task/init.h"
#include "ike/task/intermediate.h"
#include "ike/task/nat_detection.h"
#include "ike/task/ppk.h"
#include "ike/task/reasons.h"
#include "ike/task/teardown.h"

namespace espgate::ike {

namespace {

constexpr char kStep[] = "IKE_SA_INIT";
constexpr std::uint32_t kMaxRestarts = 5;  // a peer that always wants something else is no peer

void fail(Context& ctx, IkeSa& sa, Reason code, std::string text, std::string peer_notify = {}) {
  close(ctx, sa, Failure{code, kStep, std::move(text), std::move(peer_notify)}, Linger::no);
}

// The key exchange that goes with the current group; false (and the SA closed) if there is none.
bool make_key_exchange(Context& ctx, IkeSa& sa) {
  auto& setup = *sa.setup;
  if (!setup.group) setup.group = first_group(sa.conn->proposals);
  if (!setup.group) {
    fail(ctx, sa, Reason::no_proposal, fmt::format("{} has no IKE proposal with a group", sa.conn->name));
    return false;
  }
  if (setup.ke && setup.ke->group() == *setup.group) return true;
  auto made = crypto::KeyExchange::generate(*setup.group, ctx.rng);
  if (!made) {
    fail(ctx, sa, Reason::invalid_ke,
         fmt::format("no key exchange in group {}: {}", *setup.group, crypto::text(made.error())));
    return false;
  }
  setup.ke.emplace(std::move(*made));
  return true;
}

bool uses_signatures(const ConnConfig& conn) {
  return conn.local.method == AuthMethod::pubkey || conn.remote.method == AuthMethod::pubkey;
}

void restart(Context& ctx, IkeSa& sa) {
  sa.outgoing.reset();
  if (++sa.setup->restarts > kMaxRestarts) {
    fail(ctx, sa, Reason::peer_refused, "the peer asks for another IKE_SA_INIT again and again");
    return;
  }
  start_init(ctx, sa);
}

void on_invalid_ke(Context& ctx, IkeSa& sa, const wire::NotifyPayload& notify) {
  const auto wanted = wire::notify_u16(notify);
  // A repeated answer to what we sent before: the answer to what we send now is still to come.
  if (wanted && *wanted == *sa.setup->group && sa.setup->restarts > 0) return;
  if (!wanted || !offers_group(sa.conn->proposals, *wanted) || *wanted == *sa.setup->group) {
    fail(ctx, sa, Reason::invalid_ke,
         fmt::format("the peer refuses our key exchange and asks for group {}, which {}", wanted.value_or(0),
                     wanted && *wanted == *sa.setup->group ? "we sent" : "we do not offer"),
         "INVALID_KE_PAYLOAD");
    return;
  }
  sa.setup->group = *wanted;
  restart(ctx, sa);
}

// COOKIE, INVALID_KE_PAYLOAD or a refusal. False: none of these, the message is an answer.
bool on_notify(Context& ctx, IkeSa& sa, const wire::Payloads& payloads) {
  if (wire::find<wire::SaPayload>(payloads) != nullptr) return false;
  if (const auto* cookie = wire::find_notify(payloads, wire::NotifyType::cookie)) {
    if (cookie->data == sa.setup->cookie) return true;  // the same once more
    sa.setup->cookie = cookie->data;
    restart(ctx, sa);
    return true;
  }
  const auto* error = wire::find_error(payloads);
  if (error == nullptr) return false;
  ended(ctx, wire::ExchangeType::ike_sa_init, Role::initiator, Ending::error);
  if (error->type == wire::NotifyType::invalid_ke_payload) {
    on_invalid_ke(ctx, sa, *error);
  } else {
    fail(ctx, sa, reason_of(error->type), refusal_text(error->type, "our IKE_SA_INIT"), wire::name_of(error->type));
  }
  return true;
}

// RFC 7296 2.23: on to port 4500, where NATs let ESP in UDP pass, if there is one or the config wants it.
void follow_nat(Context& ctx, IkeSa& sa, const wire::Payloads& payloads) {
  const auto nat = detect_nat(payloads, sa.spi_i, sa.spi_r, sa.local, sa.remote);
  sa.nat_local = nat.local;
  sa.nat_remote = nat.remote;
  if (!nat.supported || sa.natt || !(nat.local || nat.remote || sa.conn->encap)) return;
  sa.natt = true;
  sa.local.port = ctx.options.natt_port;
  if (sa.remote.port == 500) sa.remote.port = 4500;
}

// Takes the answer over; the reason and text of what is wrong with it otherwise.
std::expected<void, std::pair<Reason, std::string>> take_answer(IkeSa& sa, const wire::Payloads& payloads) {
  const auto* answer = wire::find<wire::SaPayload>(payloads);
  const auto* ke = wire::find<wire::KePayload>(payloads);
  const auto* nonce = wire::find<wire::NoncePayload>(payloads);
  auto chosen = check_answer(sa.conn->proposals, *answer);
  auto suite = chosen ? ike_suite(chosen->proposal) : std::nullopt;
  if (!suite) return std::unexpected(std::pair(Reason::no_proposal, "the peer chose a proposal that we did not offer"));
  if (ke->group != suite->group || suite->group != sa.setup->ke->group()) {
    return std::unexpected(std::pair(Reason::invalid_ke, "the peer's key exchange is not of the group it chose"));
  }
  if (has_additional(chosen->proposal) &&
      wire::find_notify(payloads, wire::NotifyType::intermediate_exchange_supported) == nullptr) {
    return std::unexpected(
        std::pair(Reason::no_proposal, "the peer chose additional key exchanges, and not the exchange for them"));
  }
  auto shared = sa.setup->ke->derive(ke->data);
  if (!shared) {
    return std::unexpected(
        std::pair(Reason::invalid_ke, fmt::format("the peer's key exchange: {}", crypto::text(shared.error()))));
  }
  sa.suite = *suite;
  sa.setup->chosen = chosen->proposal;
  sa.setup->to_come = additional_methods(chosen->proposal);
  sa.setup->nonce_r = nonce->data;
  sa.setup->ke.reset();
  if (auto derived = derive_keys(sa, shared->view()); !derived) {
    return std::unexpected(std::pair(Reason::invalid_ke, std::string(crypto::text(derived.error()))));
  }
  return {};
}

}  // namespace

void start_init(Context& ctx, IkeSa& sa) {
  if (!make_key_exchange(ctx, sa)) return;
  auto& setup = *sa.setup;
  if (setup.nonce_i.empty()) setup.nonce_i = ctx.rng.bytes(32);

  wire::Payloads payloads;
  if (!setup.cookie.empty()) payloads.emplace_back(wire::notify(wire::NotifyType::cookie, setup.cookie));
  payloads.emplace_back(offer(sa.conn->proposals, {}));
  payloads.emplace_back(wire::KePayload{setup.ke->group(), setup.ke->public_value()});
  payloads.emplace_back(wire::NoncePayload{setup.nonce_i});
  for (auto& notify : nat_notifies(sa.spi_i, {}, sa.local, sa.remote, sa.conn->encap)) {
    payloads.push_back(std::move(notify));
  }
  if (uses_signatures(*sa.conn)) payloads.emplace_back(hash_notify());
  if (sa.conn->fragmentation != Fragmentation::no) {
    payloads.emplace_back(wire::notify(wire::NotifyType::ikev2_fragmentation_supported));
  }
  if (has_additional(sa.conn->proposals)) {
    payloads.emplace_back(wire::notify(wire::NotifyType::intermediate_exchange_supported));
  }
  if (sa.conn->uses_ppk()) payloads.emplace_back(wire::notify(wire::NotifyType::use_ppk));
  wire::Header header;
  header.spi_i = sa.spi_i;
  header.exchange = wire::ExchangeType::ike_sa_init;
  header.from_initiator = true;
  setup.request = wire::write_message(header, payloads);
  send_init_request(ctx, sa, setup.request);
}

void on_init_response(Context& ctx, IkeSa& sa, const Datagram& datagram) {
  auto drop = [&](Reason code, std::string text) {
    ctx.noise(Event::Kind::dropped, datagram.local, datagram.remote, code, kStep, std::move(text));
  };
  if (sa.state != State::init_sent || !sa.outgoing) return;  // a duplicate
  auto message = wire::parse_message(datagram.data);
  if (!message) return drop(Reason::malformed, message.error().text());
  const auto& payloads = message->payloads;
  if (on_notify(ctx, sa, payloads)) return;
  if (message->header.spi_r.value == 0 || wire::count(payloads, wire::PayloadType::sa) != 1 ||
      wire::count(payloads, wire::PayloadType::ke) != 1 || wire::count(payloads, wire::PayloadType::nonce) != 1) {
    return drop(Reason::malformed, "an IKE_SA_INIT response without SA, KE and nonce");
  }

  sa.spi_r = message->header.spi_r;
  if (auto taken = take_answer(sa, payloads); !taken) {
    return fail(ctx, sa, taken.error().first, taken.error().second);
  }
  sa.setup->response = datagram.data;
  ended(ctx, wire::ExchangeType::ike_sa_init, Role::initiator, Ending::done);
  sa.outgoing.reset();
  sa.last_heard = ctx.now;
  follow_nat(ctx, sa, payloads);
  take_wishes(sa.setup->signatures, payloads);
  sa.fragments = sa.conn->fragmentation != Fragmentation::no &&
                 wire::find_notify(payloads, wire::NotifyType::ikev2_fragmentation_supported) != nullptr;
  sa.fragmenting = sa.fragments && sa.conn->fragmentation == Fragmentation::yes;
  sa.setup->childless = wire::find_notify(payloads, wire::NotifyType::childless_ikev2_supported) != nullptr;
  if (sa.conn->childless == Childless::force && !sa.setup->childless) {
    return fail(
        ctx, sa, Reason::peer_refused,
        fmt::format("{} wants an IKE SA without a child (childless = force), the peer knows none", sa.conn->name));
  }
  if (auto wrong = take_ppk_answer(sa, payloads)) return close(ctx, sa, std::move(*wrong), Linger::no);
  start_intermediate(ctx, sa);
}

}  // namespace espgate::ike
