// SPDX-License-Identifier: Apache-2.0
// What children carry, each interval: for whom the slots of devices are, and who is too fast for SAs without ESN.
#include "gateway/kernel_side.h"

namespace espgate::gateway {

namespace {

struct Carried {
  std::uint64_t octets = 0;                // both directions
  std::optional<std::uint64_t> in, out{};  // packets
};

void add(Carried& to, base::Direction direction, std::uint64_t packets, std::uint64_t octets) {
  auto& sum = direction == base::Direction::in ? to.in : to.out;
  sum = sum.value_or(0) + packets;
  to.octets += octets;
}

}  // namespace

// Without accounting nobody carries anything, as far as anybody knows: free slots are given away, and none is swapped.
std::vector<sad::SlotMove> KernelSide::moves(base::Instant now) {
  const auto* reader = loader_.reader();
  if (reader == nullptr) return slots_.round(now);
  std::map<base::ChildId, Carried> carried;
  for (const auto& [slot, child] : sad_.slots()) {
    const auto row = reader->sa(slot);
    if (!row || row->sa.actual == base::OffloadActual::packet) continue;
    const auto& counts = row->counts;
    add(carried[child], row->sa.direction, counts.hw_packets + counts.sw_packets, counts.hw_bytes + counts.sw_bytes);
  }
  // BPF does not see packets of SAs in packet mode: the driver counts those.
  std::vector<xfrm::SaId> ids;
  std::vector<std::pair<base::ChildId, base::Direction>> whose;
  for (const auto& [slot, sa] : sad_.sas()) {
    if (sa.actual != base::OffloadActual::packet) continue;
    ids.push_back({sa.dst, sa.spi});
    whose.emplace_back(sa.child, sa.direction);
  }
  const auto told = states(ids);
  for (std::size_t i = 0; i < told.size(); ++i) {
    if (told[i]) add(carried[whose[i].first], whose[i].second, told[i]->packets, told[i]->bytes);
  }
  std::set<base::ChildId> there;
  for (const auto& [child, sum] : carried) {
    there.insert(child);
    slots_.count(child, sum.octets);
    const auto where = sad_.standing(child);
    if (!where) continue;
    if (sum.in) pace_.count(now, {where->conn, where->child}, child, true, *sum.in);
    if (sum.out) pace_.count(now, {where->conn, where->child}, child, false, *sum.out);
  }
  pace_.keep(there);
  return slots_.round(now);
}

}  // namespace espgate::gateway
