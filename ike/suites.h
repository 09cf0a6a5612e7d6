// SPDX-License-Identifier: Apache-2.0
// Proposals for children, taken apart into the suites that they admit.
#pragma once

#include <span>
#include <vector>

#include "base/esp.h"
#include "ike/proposal.h"

namespace espgate::ike {

struct OneSuite {
  base::EspSuite suite;
  Proposal proposal;  // that admits this suite alone; with the key exchanges of the one it was part of
};

// Of ESP or AH proposals, in their order of preference. What we have no algorithm for is left out.
std::vector<OneSuite> apart(std::span<const Proposal> proposals);

}  // namespace espgate::ike
