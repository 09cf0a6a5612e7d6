// SPDX-License-Identifier: Apache-2.0
// Which proposal both sides can live with (RFC 7296 2.7, 3.3), and proposals to and from the wire.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/bytes.h"
#include "base/esp.h"
#include "base/ids.h"
#include "ike/crypto/suite.h"
#include "ike/proposal.h"
#include "ike/wire/sa.h"

namespace espgate::ike {

enum class Prefer : std::uint8_t { ours, theirs };  // whose order decides
// Whether ESP proposals take part with their groups: in CREATE_CHILD_SA (PFS); not in IKE_AUTH (RFC 7296 1.2).
enum class Groups : std::uint8_t { left_out, pfs };

// One proposal of the peer's, with one transform of each type it has.
struct ChosenProposal {
  std::uint8_t number = 0;
  base::Bytes spi;  // the peer's, as received
  Proposal proposal;
};

// Chooses as the responder, with additional key exchanges where there are groups (RFC 9370 2.2.1). A proposal with an
// unknown transform type is never taken; unknown ids are passed over; AEAD goes with integrity absent or NONE; key
// lengths are equal or it is no match; where groups are left out or ours has none, ESP takes no group but NONE.
std::optional<ChosenProposal> select(std::span<const Proposal> ours, const wire::SaPayload& theirs,
                                     Prefer prefer = Prefer::ours, Groups groups = Groups::left_out);

// Checks as the initiator that the answer is one of the proposals that `ours` offered by offer(): number, and exactly
// one transform of each type. nullopt: the peer must not be believed (NO_PROPOSAL_CHOSEN).
std::optional<ChosenProposal> check_answer(std::span<const Proposal> ours, const wire::SaPayload& answer,
                                           Groups groups = Groups::left_out);

// The SA payload that offers `ours`, numbered from 1. `spi`: empty in IKE_SA_INIT.
wire::SaPayload offer(std::span<const Proposal> ours, base::ByteView spi, Groups groups = Groups::left_out);

// The SA payload that answers with what was chosen, with our SPI.
wire::SaPayload answer(const ChosenProposal& chosen, base::ByteView spi);

// Four octets for the SA payload of an ESP proposal, and back from a chosen one; nullopt if it is not four octets.
base::Bytes spi_octets(base::Spi spi);
std::optional<base::Spi> esp_spi(const ChosenProposal& chosen);

// The group of a chosen proposal; 0 (NONE) without one.
std::uint16_t group_of(const Proposal& chosen);
// The first group that we offer: its public value goes along on speculation. nullopt: none is offered.
std::optional<std::uint16_t> first_group(std::span<const Proposal> ours);
bool offers_group(std::span<const Proposal> ours, std::uint16_t group);

// nullopt: something in it we have no algorithm for.
std::optional<base::EspSuite> esp_suite(const Proposal& chosen);
std::optional<crypto::IkeSuite> ike_suite(const Proposal& chosen);

}  // namespace espgate::ike
