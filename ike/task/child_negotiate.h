// SPDX-License-Identifier: Apache-2.0
// What a child will be: suite, mode and selectors, from the SA, TSi, TSr and USE_TRANSPORT_MODE payloads of IKE_AUTH
// and CREATE_CHILD_SA (RFC 7296 1.2, 1.3.1, 2.9). Nothing is installed or sent here.
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "ike/child.h"
#include "ike/context.h"
#include "ike/ike_sa.h"
#include "ike/select.h"
#include "ike/wire/message.h"

namespace espgate::ike {

struct Agreed {
  std::shared_ptr<const ChildConfig> config;
  ChosenProposal chosen;
  base::EspSuite suite;
  base::Spi spi_out;
  base::SaMode mode{};
  TsList local, remote;
};

struct Refusal {
  wire::NotifyType notify{};  // what the other side is told, or told us
  Reason reason{};
  std::string text;
  bool by_peer = false;  // initiator: the peer said no, so it has no child either
  base::Bytes data{};    // of the notify
};

// Fills in what is only known when the request goes out: our SPI, and the selectors with `dynamic` resolved.
void complete_offer(Context& ctx, const IkeSa& sa, ChildOffer& offer);
wire::Payloads offer_payloads(const ChildOffer& offer);

// As the responder: the configured child that fits best, and what of the request it takes. `rekeyed`: the request is to
// replace that child, only its own configuration will do.
std::expected<Agreed, Refusal> answer_offer(const IkeSa& sa, const wire::Payloads& payloads, Groups groups,
                                            const Child* rekeyed = nullptr);
wire::Payloads answer_payloads(const Agreed& agreed, base::Spi spi_in);

// The child of that name as it is configured now; as it was, if it is no longer.
std::shared_ptr<const ChildConfig> current_config(const IkeSa& sa, const Child& child);

// As the initiator: what the peer took of our offer.
std::expected<Agreed, Refusal> check_child_answer(const ChildOffer& offer, const wire::Payloads& payloads);

}  // namespace espgate::ike
