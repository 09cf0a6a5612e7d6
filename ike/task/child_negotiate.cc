// SPDX-License-Identifier: Apache-2.0
#include "ike/task/child_negotiate.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "ike/task/reasons.h"

namespace espgate::ike {

namespace {

bool wants_transport(const wire::Payloads& payloads) {
  return wire::find_notify(payloads, wire::NotifyType::use_transport_mode) != nullptr;
}

// The order of TSi and TSr on the wire follows the initiator of the exchange.
void append_selectors(wire::Payloads& out, const TsList& of_initiator, const TsList& of_responder) {
  out.emplace_back(wire::TsPayload{true, of_initiator, 0});
  out.emplace_back(wire::TsPayload{false, of_responder, 0});
}

void append_mode(wire::Payloads& out, base::SaMode mode) {
  if (mode == base::SaMode::transport) out.emplace_back(wire::notify(wire::NotifyType::use_transport_mode));
}

// A configured child whose selectors have something in common with the request.
struct Candidate {
  std::shared_ptr<const ChildConfig> config;
  TsList local, remote;
  bool exact = false;
  bool has_first = false;  // what the initiator asks for first, maybe a packet's own addresses (RFC 7296 2.9)
};

bool has_first(const TsList& narrowed, const TsList& offered) {
  return !offered.empty() && within(std::span(offered).first(1), narrowed);
}

std::vector<std::shared_ptr<const ChildConfig>> configured(const IkeSa& sa, const Child* rekeyed) {
  if (rekeyed != nullptr) return {current_config(sa, *rekeyed)};
  std::vector<std::shared_ptr<const ChildConfig>> out;
  out.reserve(sa.conn->children.size());
  for (const auto& child : sa.conn->children) out.emplace_back(sa.conn, &child);
  return out;
}

std::vector<Candidate> candidates(const IkeSa& sa, const TsList& offered_local, const TsList& offered_remote,
                                  const Child* rekeyed) {
  std::vector<Candidate> out;
  for (const auto& config : configured(sa, rekeyed)) {
    const auto& child = *config;
    auto local = narrow(resolve(child.local_ts, sa.local.address), offered_local);
    auto remote = narrow(resolve(child.remote_ts, sa.remote.address), offered_remote);
    if (local.empty() || remote.empty()) continue;
    const bool exact = within(offered_local, local) && within(offered_remote, remote);
    const bool first = has_first(local, offered_local) && has_first(remote, offered_remote);
    out.push_back({config, std::move(local), std::move(remote), exact, first});
  }
  const auto rank = [](const Candidate& one) { return one.exact ? 2 : one.has_first ? 1 : 0; };
  std::ranges::stable_sort(out, [&](const auto& a, const auto& b) { return rank(a) > rank(b); });
  return out;
}

Refusal no_proposal(const Candidate& best, bool transport) {
  if (best.config->mode == base::SaMode::transport && !transport) {
    return {wire::NotifyType::no_proposal_chosen, Reason::no_proposal,
            fmt::format("{} is in transport mode, the peer wants tunnel mode", best.config->name)};
  }
  const auto& proposals = best.config->esp_proposals;
  return {wire::NotifyType::no_proposal_chosen, Reason::no_proposal,
          fmt::format("no ESP proposal in common; {} takes {}{}", best.config->name,
                      proposals.empty() ? std::string("none") : proposals.front().text(),
                      proposals.size() > 1 ? " and others" : "")};
}

// IKE_AUTH has no nonce of the child's own, and no groups.
Groups groups_of(const ChildOffer& offer) { return offer.nonce.empty() ? Groups::left_out : Groups::pfs; }

}  // namespace

Protocol protocol_of(const ChildOffer& offer) {
  const auto& proposals = offer.config->esp_proposals;
  return proposals.empty() ? Protocol::esp : proposals.front().protocol;
}

void complete_offer(Context& ctx, const IkeSa& sa, ChildOffer& offer) {
  offer.spi_in = ctx.new_esp_spi();
  offer.local_ts = resolve(offer.config->local_ts, sa.local.address);
  offer.remote_ts = resolve(offer.config->remote_ts, sa.remote.address);
  if (!offer.packet) return;
  // The peer may narrow, but not so far that the packet that waits is left out.
  const auto& [local, remote] = *offer.packet;
  if (!within({&local, 1}, offer.local_ts) || !within({&remote, 1}, offer.remote_ts)) return;
  offer.local_ts.insert(offer.local_ts.begin(), local);
  offer.remote_ts.insert(offer.remote_ts.begin(), remote);
}

wire::Payloads offer_payloads(const ChildOffer& child) {
  wire::Payloads out;
  append_mode(out, child.config->mode);
  out.emplace_back(offer(child.config->esp_proposals, spi_octets(child.spi_in), groups_of(child)));
  if (!child.nonce.empty()) out.emplace_back(wire::NoncePayload{child.nonce});
  if (child.ke) out.emplace_back(wire::KePayload{child.ke->group(), child.ke->public_value()});
  append_selectors(out, child.local_ts, child.remote_ts);
  return out;
}

std::shared_ptr<const ChildConfig> current_config(const IkeSa& sa, const Child& child) {
  for (const auto& config : sa.conn->children) {
    if (config.name == child.config->name) return {sa.conn, &config};
  }
  return child.config;
}

std::expected<Agreed, Refusal> answer_offer(const IkeSa& sa, const wire::Payloads& payloads, Groups groups,
                                            const Child* rekeyed) {
  const auto* offered = wire::find<wire::SaPayload>(payloads);
  const auto* ts_i = wire::find_ts(payloads, true);
  const auto* ts_r = wire::find_ts(payloads, false);
  if (offered == nullptr || ts_i == nullptr || ts_r == nullptr) {
    return std::unexpected(Refusal{wire::NotifyType::invalid_syntax, Reason::invalid_syntax,
                                   "the request for a child lacks SA, TSi or TSr"});
  }
  const auto fitting = candidates(sa, ts_r->selectors, ts_i->selectors, rekeyed);
  if (fitting.empty()) {
    return std::unexpected(Refusal{wire::NotifyType::ts_unacceptable, Reason::ts_unacceptable,
                                   fmt::format("no child of {} has selectors in common with ours {} and the peer's {}",
                                               sa.conn->name, text(ts_r->selectors), text(ts_i->selectors))});
  }
  const bool transport = wants_transport(payloads);
  for (const auto& candidate : fitting) {
    if (candidate.config->mode == base::SaMode::transport && !transport) continue;
    auto chosen = select(candidate.config->esp_proposals, *offered, Prefer::ours, groups);
    const auto suite = chosen ? esp_suite(chosen->proposal) : std::nullopt;
    const auto spi = chosen ? esp_spi(*chosen) : std::nullopt;
    if (!suite || !spi || spi->value < 256 || (suite->ah() && sa.encap())) continue;
    return Agreed{candidate.config,       std::move(*chosen), *suite,          *spi,
                  candidate.config->mode, candidate.local,    candidate.remote};
  }
  return std::unexpected(no_proposal(fitting.front(), transport));
}

wire::Payloads answer_payloads(const Agreed& agreed, base::Spi spi_in) {
  wire::Payloads out;
  append_mode(out, agreed.mode);
  out.emplace_back(answer(agreed.chosen, spi_octets(spi_in)));
  append_selectors(out, agreed.remote, agreed.local);
  return out;
}

std::expected<Agreed, Refusal> check_child_answer(const ChildOffer& offer, const wire::Payloads& payloads) {
  const auto* answered = wire::find<wire::SaPayload>(payloads);
  const auto* ts_i = wire::find_ts(payloads, true);
  const auto* ts_r = wire::find_ts(payloads, false);
  if (answered == nullptr) {
    if (const auto* error = wire::find_error(payloads)) {
      return std::unexpected(
          Refusal{error->type, reason_of(error->type), refusal_text(error->type, "child " + offer.config->name), true});
    }
    return std::unexpected(
        Refusal{wire::NotifyType::invalid_syntax, Reason::peer_refused, "the peer's answer has no child in it", true});
  }
  auto chosen = check_answer(offer.config->esp_proposals, *answered, groups_of(offer));
  const auto suite = chosen ? esp_suite(chosen->proposal) : std::nullopt;
  const auto spi = chosen ? esp_spi(*chosen) : std::nullopt;
  if (!suite || !spi || spi->value < 256) {
    return std::unexpected(Refusal{wire::NotifyType::no_proposal_chosen, Reason::no_proposal,
                                   "the peer chose an ESP proposal that we did not offer"});
  }
  if (wants_transport(payloads) != (offer.config->mode == base::SaMode::transport)) {
    return std::unexpected(Refusal{wire::NotifyType::no_proposal_chosen, Reason::no_proposal,
                                   fmt::format("the peer does not agree to {} mode", to_string(offer.config->mode))});
  }
  auto local = ts_i != nullptr ? narrow(offer.local_ts, ts_i->selectors) : TsList{};
  auto remote = ts_r != nullptr ? narrow(offer.remote_ts, ts_r->selectors) : TsList{};
  if (local.empty() || remote.empty()) {
    return std::unexpected(Refusal{wire::NotifyType::ts_unacceptable, Reason::ts_unacceptable,
                                   "the peer answered with selectors that we did not offer"});
  }
  const auto mode = offer.config->mode;
  return Agreed{offer.config, std::move(*chosen), *suite, *spi, mode, std::move(local), std::move(remote)};
}

}  // namespace espgate::ike
