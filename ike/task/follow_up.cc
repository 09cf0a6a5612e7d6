// SPDX-License-Identifier: Apache-2.0
#include "ike/task/follow_up.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "ike/additional.h"
#include "ike/task/reasons.h"

namespace espgate::ike {

namespace {

Refusal wrong(std::string text) { return {wire::NotifyType::invalid_syntax, Reason::invalid_ke, std::move(text)}; }

// The peer's half of the one under way.
std::expected<void, Refusal> take_answer(FurtherKes& further, const wire::Payloads& answer) {
  if (const auto* error = wire::find_error(answer)) {
    return std::unexpected(
        Refusal{error->type, reason_of(error->type), refusal_text(error->type, "our IKE_FOLLOWUP_KE"), true});
  }
  const auto* ke = wire::find<wire::KePayload>(answer);
  if (ke == nullptr || !further.ke || ke->group != further.ke->group()) {
    return std::unexpected(wrong("the peer's additional key exchange is not of the method that was to come"));
  }
  const auto shared = further.ke->derive(ke->data);
  if (!shared) {
    return std::unexpected(wrong(fmt::format("the peer's additional key exchange: {}", crypto::text(shared.error()))));
  }
  append_secret(further.additional, shared->view());
  further.to_come.erase(further.to_come.begin());
  further.ke.reset();
  return {};
}

}  // namespace

void append_secret(base::Secret& to, base::ByteView more) {
  base::Secret longer(to.size() + more.size());
  std::ranges::copy(to.view(), longer.bytes().begin());
  std::ranges::copy(more, longer.bytes().begin() + static_cast<std::ptrdiff_t>(to.size()));
  to = std::move(longer);
}

std::expected<std::optional<wire::Payloads>, Refusal> next_follow_up(Context& ctx, std::optional<FurtherKes>& further,
                                                                     const Proposal& chosen,
                                                                     const wire::Payloads& answer) {
  if (further) {
    if (auto taken = take_answer(*further, answer); !taken) return std::unexpected(std::move(taken.error()));
  } else {
    auto methods = additional_methods(chosen);
    if (methods.empty()) return std::nullopt;
    further.emplace();
    further->to_come = std::move(methods);
    further->answer = answer;
  }
  if (further->to_come.empty()) return std::nullopt;
  const auto* link = wire::find_notify(answer, wire::NotifyType::additional_key_exchange);
  if (link == nullptr) return std::unexpected(wrong("the peer does not go on with the additional key exchanges"));
  auto made = crypto::KeyExchange::generate(further->to_come.front(), ctx.rng);
  if (!made) {
    return std::unexpected(wrong(fmt::format("no additional key exchange of method {}: {}", further->to_come.front(),
                                             crypto::text(made.error()))));
  }
  further->ke.emplace(std::move(*made));
  return wire::Payloads{wire::KePayload{further->ke->group(), further->ke->public_value()},
                        wire::notify(wire::NotifyType::additional_key_exchange, link->data)};
}

bool peer_waits(const std::optional<FurtherKes>& further, const Proposal& chosen) {
  return further ? further->to_come.size() > 1 : !additional_methods(chosen).empty();
}

const wire::Payloads& first_answer(const std::optional<FurtherKes>& further, const wire::Payloads& answer) {
  return further ? further->answer : answer;
}

base::ByteView additional_shared(const std::optional<FurtherKes>& further) {
  return further ? further->additional.view() : base::ByteView();
}

}  // namespace espgate::ike
