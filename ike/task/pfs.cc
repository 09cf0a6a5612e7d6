// SPDX-License-Identifier: Apache-2.0
#include "ike/task/pfs.h"

#include <fmt/core.h>

#include <utility>

namespace espgate::ike {

namespace {

constexpr std::uint32_t kMaxRestarts = 3;  // a peer that always wants another group is no peer

Refusal bad_share(std::string text) { return {wire::NotifyType::invalid_syntax, Reason::invalid_ke, std::move(text)}; }

}  // namespace

std::expected<void, Refusal> make_share(Context& ctx, ChildOffer& offer) {
  if (!offer.group) offer.group = first_group(offer.config->esp_proposals);
  offer.ke.reset();
  if (!offer.group) return {};
  auto made = crypto::KeyExchange::generate(*offer.group, ctx.rng);
  if (!made) {
    return std::unexpected(
        Refusal{{},
                Reason::invalid_ke,
                fmt::format("no key exchange in group {}: {}", *offer.group, crypto::text(made.error()))});
  }
  offer.ke.emplace(std::move(*made));
  return {};
}

std::expected<void, Refusal> follow_group(ChildOffer& offer, const wire::NotifyPayload& invalid_ke) {
  const auto wanted = wire::notify_u16(invalid_ke);
  const bool ours = wanted && offers_group(offer.config->esp_proposals, *wanted);
  if (!ours || *wanted == offer.group || ++offer.restarts > kMaxRestarts) {
    return std::unexpected(Refusal{wire::NotifyType::invalid_ke_payload, Reason::invalid_ke,
                                   fmt::format("the peer refuses our key exchange and asks for group {}, which {}",
                                               wanted.value_or(0), ours ? "it had" : "we do not offer"),
                                   true});
  }
  offer.group = *wanted;
  return {};
}

std::expected<base::Secret, Refusal> take_share(const ChildOffer& offer, const Agreed& agreed,
                                                const wire::Payloads& payloads) {
  const auto group = group_of(agreed.chosen.proposal);
  if (group == crypto::kGroupNone) return base::Secret();
  const auto* ke = wire::find<wire::KePayload>(payloads);
  if (ke == nullptr || ke->group != group || !offer.ke || offer.ke->group() != group) {
    return std::unexpected(bad_share("the peer's key exchange is not of the group it chose"));
  }
  auto shared = offer.ke->derive(ke->data);
  if (!shared) {
    return std::unexpected(bad_share(fmt::format("the peer's key exchange: {}", crypto::text(shared.error()))));
  }
  return std::move(*shared);
}

std::expected<Share, Refusal> answer_share(Context& ctx, const Agreed& agreed, const wire::Payloads& payloads) {
  const auto group = group_of(agreed.chosen.proposal);
  if (group == crypto::kGroupNone) return Share{};
  const auto* ke = wire::find<wire::KePayload>(payloads);
  if (ke == nullptr || ke->group != group) {
    return std::unexpected(Refusal{wire::NotifyType::invalid_ke_payload, Reason::invalid_ke,
                                   fmt::format("the peer's key exchange is not of group {}, which we take", group),
                                   false, wire::notify_u16(group)});
  }
  auto ours = crypto::KeyExchange::answer(group, ke->data, ctx.rng);
  if (!ours) {
    return std::unexpected(bad_share(fmt::format("the peer's key exchange: {}", crypto::text(ours.error()))));
  }
  return Share{std::move(ours->shared), wire::KePayload{group, std::move(ours->public_value)}};
}

}  // namespace espgate::ike
