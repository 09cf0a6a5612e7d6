// SPDX-License-Identifier: Apache-2.0
// hw_offload = crypto, or packet: what the device takes of a child's suites, tried before anything is sent to the peer.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "ike/proposal.h"
#include "sad/plan.h"
#include "sad/probe.h"
#include "sad/suite_order.h"

namespace espgate::sad {

struct StrictOffer {
  std::vector<base::EspSuite> taken;
  // Why there is none, with the device's words for each suite; empty if there is one.
  std::string refusal;
};

using TryPair = std::function<std::vector<ProbeAnswer>(const ProbeRow& in, const ProbeRow& out)>;

// `shape`: the child's; `replay_window`: of its inbound SA, packets. Both directions of each suite are tried, but for
// suites that the device gets wrong: `distrusted` says why not, and nothing of the others. `try_pair` answers for the
// inbound row, then for the outbound one, with both SAs there at a time.
StrictOffer strict_offer(std::span<const ike::Proposal> configured, const OfferShape& shape,
                         std::uint32_t replay_window, const std::string& device, const TryPair& try_pair,
                         const std::function<std::string(const base::EspSuite&)>& distrusted);

// hw_offload = packet: why no device whatever carries any of these selectors in packet mode; empty: some may be, the
// peer narrows them yet. `outer`: the tunnel's family.
std::string strict_obstacle(const Handling& handling, const std::vector<base::TrafficSelector>& local,
                            const std::vector<base::TrafficSelector>& remote, base::Family outer);

}  // namespace espgate::sad
