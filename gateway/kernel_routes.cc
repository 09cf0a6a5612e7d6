// SPDX-License-Identifier: Apache-2.0
// Children that were installed for a device that their packets do not leave by any more.
#include <map>
#include <utility>

#include "gateway/kernel_side.h"

namespace espgate::gateway {

std::vector<Rerouted> KernelSide::rerouted() {
  const auto* reader = loader_.reader();
  if (reader == nullptr) return {};
  std::map<base::ChildId, bool> asked;  // for offload; whether a device holds one of its SAs
  for (const auto& [slot, child] : sad_.slots()) {
    const auto row = reader->sa(slot);
    if (row && row->sa.wanted != base::OffloadWanted::no) asked[child] |= row->sa.actual != base::OffloadActual::none;
  }
  std::map<std::pair<base::Address, base::Address>, std::string> now;  // many children have one peer
  std::vector<Rerouted> out;
  for (const auto& [child, held] : asked) {
    auto where = sad_.standing(child);
    if (!where) continue;
    const auto [at, fresh] = now.try_emplace({where->remote, where->local});
    if (fresh) {
      const auto route = routes_.lookup(where->remote, where->local);
      at->second = route ? route->device : std::string{};  // none: that may be for a moment
    }
    const auto& device = at->second;
    if (device.empty() || device == where->device) continue;
    if (held || xfrm::esp_offload_enabled(device).value_or(false))
      out.push_back({child, std::move(*where), device, held});
  }
  return out;
}

}  // namespace espgate::gateway
