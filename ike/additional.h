// SPDX-License-Identifier: Apache-2.0
// Additional key exchanges in proposals (ADDKE1 to ADDKE7, RFC 9370 2.2.1): which are agreed upon, pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "ike/crypto/suite.h"
#include "ike/proposal.h"

namespace espgate::ike {

// One transform of each list, in order of preference of the first lists; no method twice but NONE, as RFC 9370 2.2.1
// demands. nullopt: it cannot be.
std::optional<std::vector<Transform>> distinct(std::span<const std::vector<Transform>> lists);

// Those of a chosen proposal by their places, and the methods alone in the order in which they are to be carried out.
crypto::AdditionalKes additional_kes(const Proposal& chosen);
std::vector<std::uint16_t> additional_methods(const Proposal& chosen);

// Whether a proposal has any but NONE.
bool has_additional(const Proposal& proposal);
bool has_additional(std::span<const Proposal> proposals);

// Whether nothing of `chosen` leaves out, or adds, an additional key exchange against what `ours` has.
bool additional_fit(const Proposal& ours, const Proposal& chosen);

}  // namespace espgate::ike
