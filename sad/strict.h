// SPDX-License-Identifier: Apache-2.0
// hw_offload = crypto, or packet: what the device takes of a child's suites, tried before anything is sent to the peer.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "ike/proposal.h"
#include "sad/probe.h"
#include "sad/suite_order.h"

namespace espgate::sad {

struct StrictOffer {
  std::vector<base::EspSuite> taken;
  // Why there is none, with the device's words for each suite; empty if there is one.
  std::string refusal;
};

// `shape`: the child's; `replay_window`: of its inbound SA, packets. Both directions of each suite are tried, but for
// suites that the device gets wrong: `distrusted` says why not, and nothing of the others.
StrictOffer strict_offer(std::span<const ike::Proposal> configured, const OfferShape& shape,
                         std::uint32_t replay_window, const std::string& device,
                         const std::function<ProbeAnswer(const ProbeRow&)>& try_row,
                         const std::function<std::string(const base::EspSuite&)>& distrusted);

}  // namespace espgate::sad
