// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "ike/additional.h"
#include "ike/peer_select.h"
#include "ike/select.h"
#include "ike/task/certs.h"
#include "ike/task/exchange.h"
#include "ike/task/guard.h"
#include "ike/task/init.h"
#include "ike/task/nat_detection.h"
#include "ike/task/teardown.h"

namespace espgate::ike {

namespace {

constexpr char kStep[] = "IKE_SA_INIT";

// One request and what comes of it, so that helpers need not pass it around piecemeal.
struct Request {
  Context& ctx;
  const Datagram& datagram;
  const wire::Header& header;

  void drop(Reason code, std::string text) const {
    ctx.noise(Event::Kind::dropped, datagram.local, datagram.remote, code, kStep, std::move(text));
  }
  // An error notify in the clear, no state kept (RFC 7296 2.21.1).
  void refuse(wire::NotifyPayload notify, Reason code, std::string text) const {
    wire::Header out = header;
    out.from_initiator = false;
    out.response = true;
    out.spi_r = {};
    const auto type = notify.type;
    ended(ctx, wire::ExchangeType::ike_sa_init, Role::responder, Ending::error);
    ctx.emit(
        Send{Datagram{datagram.local, datagram.remote, datagram.natt, wire::write_message(out, {std::move(notify)})}});
    if (type != wire::NotifyType::invalid_ke_payload) {  // that one is no failure, the peer comes again
      ctx.noise(Event::Kind::peer_refused, datagram.local, datagram.remote, code, kStep, std::move(text));
    }
  }
};

struct Match {
  std::shared_ptr<const ConnConfig> conn;
  ChosenProposal chosen;
  crypto::IkeSuite suite;
};

// The best connection for these addresses that has a proposal in common with the peer; `intermediate`: whether it knows
// IKE_INTERMEDIATE, without which there are no additional key exchanges.
std::optional<Match> match(const ConnList& candidates, const wire::SaPayload& offered, bool intermediate) {
  for (const auto& conn : candidates) {
    auto chosen = select(conn->proposals, offered);
    if (!chosen || (has_additional(chosen->proposal) && !intermediate)) continue;
    if (auto suite = ike_suite(chosen->proposal)) return Match{conn, std::move(*chosen), *suite};
  }
  return std::nullopt;
}

std::string offered_text(const wire::SaPayload& offered) {
  return fmt::format("{} proposal{} offered", offered.proposals.size(), offered.proposals.size() == 1 ? "" : "s");
}

bool complete(const wire::Payloads& payloads) {
  return wire::count(payloads, wire::PayloadType::sa) == 1 && wire::count(payloads, wire::PayloadType::ke) == 1 &&
         wire::count(payloads, wire::PayloadType::nonce) == 1;
}

void reply(const Request& request, IkeSa& sa, const Match& match, const base::Bytes& public_value) {
  wire::Payloads payloads;
  payloads.emplace_back(answer(match.chosen, {}));
  payloads.emplace_back(wire::KePayload{match.suite.group, public_value});
  payloads.emplace_back(wire::NoncePayload{sa.setup->nonce_r});
  for (auto& notify : nat_notifies(sa.spi_i, sa.spi_r, sa.local, sa.remote, match.conn->encap)) {
    payloads.push_back(std::move(notify));
  }
  // To a peer that knows RFC 7427 we say what we know of it; to one that does not it would mean nothing.
  if (sa.setup->signatures.hashes) payloads.emplace_back(hash_notify());
  if (sa.fragments) payloads.emplace_back(wire::notify(wire::NotifyType::ikev2_fragmentation_supported));
  if (sa.setup->childless) payloads.emplace_back(wire::notify(wire::NotifyType::childless_ikev2_supported));
  if (!sa.setup->to_come.empty()) {
    payloads.emplace_back(wire::notify(wire::NotifyType::intermediate_exchange_supported));
  }
  if (sa.setup->ppk) payloads.emplace_back(wire::notify(wire::NotifyType::use_ppk));
  add_cert_request(payloads, fitting(*request.ctx.config, sa.local.address, sa.remote.address));
  wire::Header out = request.header;
  out.spi_r = sa.spi_r;
  out.from_initiator = false;
  out.response = true;
  sa.setup->response = wire::write_message(out, payloads);
  sa.remember_request(request.datagram.data);
  std::ranges::copy(sa.last_request, sa.initial_request.begin());
  sa.last_response = sa.setup->response;
  sa.expected_id = 1;
  ended(request.ctx, wire::ExchangeType::ike_sa_init, Role::responder, Ending::done);
  request.ctx.send(sa, sa.setup->response);
}

// Everything fits: our half of the key exchange, and an SA that waits for IKE_AUTH.
void accept(const Request& request, const wire::Payloads& payloads, const Match& match) {
  auto& ctx = request.ctx;
  const auto& datagram = request.datagram;
  const auto& ke = *wire::find<wire::KePayload>(payloads);
  const auto ours = crypto::KeyExchange::answer(match.suite.group, ke.data, ctx.rng);
  if (!ours) {
    return request.drop(Reason::invalid_ke, fmt::format("the peer's key exchange: {}", crypto::text(ours.error())));
  }
  auto& sa = ctx.create(false, request.header.spi_i, datagram.local, datagram.remote);
  sa.natt = datagram.natt;
  sa.suite = match.suite;
  sa.expires_at = ctx.now + ctx.config->half_open_timeout;
  sa.setup->request = datagram.data;
  sa.setup->nonce_i = wire::find<wire::NoncePayload>(payloads)->data;
  sa.setup->nonce_r = ctx.rng.bytes(32);
  sa.setup->chosen = match.chosen.proposal;
  sa.setup->to_come = additional_methods(match.chosen.proposal);
  take_wishes(sa.setup->signatures, payloads);
  // Who the peer is comes later: any connection for these addresses may be meant.
  const auto maybe = fitting(*ctx.config, datagram.local.address, datagram.remote.address);
  sa.setup->ppk = wire::find_notify(payloads, wire::NotifyType::use_ppk) != nullptr &&
                  std::ranges::any_of(maybe, [](const auto& conn) { return conn->uses_ppk(); });
  sa.setup->childless =
      std::ranges::any_of(maybe, [](const auto& conn) { return conn->childless != Childless::never; });
  // Who the peer is comes later; the best connection for these addresses has to say.
  sa.fragments = match.conn->fragmentation != Fragmentation::no &&
                 wire::find_notify(payloads, wire::NotifyType::ikev2_fragmentation_supported) != nullptr;
  sa.fragmenting = sa.fragments && match.conn->fragmentation == Fragmentation::yes;
  const auto nat = detect_nat(payloads, request.header.spi_i, {}, datagram.local, datagram.remote);
  sa.nat_local = nat.local;
  sa.nat_remote = nat.remote;
  if (auto derived = derive_keys(sa, ours->shared.view()); !derived) {
    return close(ctx, sa, Failure{Reason::invalid_ke, kStep, std::string(crypto::text(derived.error())), {}},
                 Linger::no);
  }
  reply(request, sa, match, ours->public_value);
}

}  // namespace

void on_init_request(Context& ctx, const Datagram& datagram, const wire::Header& header) {
  const Request request{ctx, datagram, header};
  if (auto* sa = ctx.find_initial(datagram.remote, header.spi_i, datagram.data)) {
    if (sa->state == State::init_replied && sa->expected_id == 1) ctx.send(*sa, sa->last_response);
    return;
  }
  if (ctx.shutting_down) return request.drop(Reason::shutdown, "shutting down");

  if (datagram.data.size() > kMostInitOctets) {
    return request.drop(Reason::malformed, "an IKE_SA_INIT request that is too long");
  }
  auto message = wire::parse_message(datagram.data);
  if (!message) {
    const auto& fault = message.error();
    if (fault.error == wire::WireError::unknown_critical && ctx.answers.take(ctx.now)) {
      return request.refuse(wire::notify(wire::NotifyType::unsupported_critical_payload, base::Bytes{fault.detail}),
                            Reason::unsupported_critical, fault.text());
    }
    return request.drop(Reason::malformed, fault.text());
  }
  if (!complete(message->payloads)) {
    return request.drop(Reason::malformed, "an IKE_SA_INIT request without SA, KE and nonce");
  }

  if (!admit(ctx, datagram, header, message->payloads)) return;
  const auto candidates = fitting(*ctx.config, datagram.local.address, datagram.remote.address);
  if (candidates.empty()) {
    return request.refuse(wire::notify(wire::NotifyType::no_proposal_chosen), Reason::no_config,
                          fmt::format("no connection is configured between {} and {}", datagram.local.address.text(),
                                      datagram.remote.address.text()));
  }
  const auto& offered = *wire::find<wire::SaPayload>(message->payloads);
  const bool intermediate =
      wire::find_notify(message->payloads, wire::NotifyType::intermediate_exchange_supported) != nullptr;
  const auto found = match(candidates, offered, intermediate);
  if (!found) {
    return request.refuse(
        wire::notify(wire::NotifyType::no_proposal_chosen), Reason::no_proposal,
        fmt::format("no IKE proposal in common ({}; {} takes {})", offered_text(offered), candidates.front()->name,
                    candidates.front()->proposals.empty() ? std::string("none")
                                                          : candidates.front()->proposals.front().text()));
  }
  if (wire::find<wire::KePayload>(message->payloads)->group != found->suite.group) {
    return request.refuse(wire::notify(wire::NotifyType::invalid_ke_payload, wire::notify_u16(found->suite.group)),
                          Reason::invalid_ke, {});
  }
  accept(request, message->payloads, *found);
}

}  // namespace espgate::ike
