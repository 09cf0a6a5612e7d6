// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <tuple>

#include "control/report/join_index.h"

namespace espgate::control::report {
namespace {

void operator+=(Count& into, const Count& more) {
  into.packets += more.packets;
  into.bytes += more.bytes;
}

using Folded = std::map<base::ChildUid, const maps::ChildTotal*>;

Folded by_uid(const MapsView& maps) {
  Folded out;
  for (const auto& total : maps.totals) out.emplace(total.uid, &total);
  return out;
}

// Between fold and release, or if the daemon died there, an SA is in both places.
bool folded_already(const Folded& folded, const maps::SaRow& sa) {
  const auto total = folded.find(sa.sa.uid);
  if (total == folded.end()) return false;
  const auto i = static_cast<std::size_t>(sa.sa.direction);
  return total->second->last_generation[i] == sa.generation && total->second->last_slot[i] == sa.slot;
}

}  // namespace

// Folded counts of retired SAs, and the live ones on top; those of packet mode the kernel alone knows.
std::vector<ChildTotal> totals_of(const MapsView& maps, const KernelIndex* kernel) {
  const Folded before = by_uid(maps);
  std::map<base::ChildUid, ChildTotal> totals;
  for (const auto& folded : maps.totals) {
    ChildTotal& total = totals[folded.uid];
    total.conn = folded.conn;
    total.child = folded.child;
    for (std::size_t i = 0; i < 2; ++i) {
      total.hw[i] = hardware(folded.folded[i]);
      total.sw[i] = software(folded.folded[i]);
    }
  }
  for (const auto& sa : maps.sas) {
    ChildTotal& total = totals[sa.sa.uid];
    total.conn = sa.sa.conn;
    total.child = sa.sa.child_name;
    if (folded_already(before, sa)) continue;
    const auto i = static_cast<std::size_t>(sa.sa.direction);
    total.hw[i] += hardware(sa.counts);
    total.sw[i] += software(sa.counts);
    if (kernel == nullptr || sa.sa.actual != base::OffloadActual::packet || kernel->foreign(sa.sa.netns)) continue;
    if (const auto* state = kernel->find(sa.sa.spi, sa.sa.dst)) total.hw[i] += Count{state->packets, state->bytes};
  }
  std::vector<ChildTotal> rows;
  for (auto& [uid, total] : totals) {
    total.uid = uid;
    rows.push_back(std::move(total));
  }
  std::sort(rows.begin(), rows.end(), [](const ChildTotal& a, const ChildTotal& b) {
    return std::tie(a.conn, a.child) < std::tie(b.conn, b.child);
  });
  return rows;
}

// Software packets of SAs for which hardware was wanted, by device and reason.
std::vector<FallbackCount> fallbacks_of(const MapsView& maps) {
  const Folded before = by_uid(maps);
  std::map<std::pair<std::string, unsigned>, std::uint64_t> sums;
  const auto add = [&](const std::string& device, const maps::Counts& counts) {
    for (unsigned reason = ESPGATE_FB_NONE_WANTED + 1; reason < ESPGATE_FB_COUNT; ++reason) {
      if (counts.fallback[reason] > 0) sums[{device, reason}] += counts.fallback[reason];
    }
  };
  for (const auto& sa : maps.sas) {
    if (!folded_already(before, sa)) add(sa.sa.device, sa.counts);
  }
  for (const auto& total : maps.totals) {
    for (const auto& folded : total.folded) add(total.device, folded);
  }
  std::vector<FallbackCount> rows;
  for (const auto& [key, packets] : sums) rows.push_back({key.first, maps::fallback_code(key.second), packets});
  return rows;
}

std::vector<ClassCount> classes_of(const MapsView& maps) {
  std::map<std::tuple<std::string, unsigned, unsigned>, Count> sums;
  for (const auto& row : maps.classes) {
    sums[{row.device, row.class_, row.verdict}] += Count{row.packets, row.bytes};
  }
  std::vector<ClassCount> rows;
  for (const auto& [key, count] : sums) {
    const auto& [device, class_, verdict] = key;
    rows.push_back({device, maps::class_name(class_), maps::verdict_name(verdict), count});
  }
  return rows;
}

}  // namespace espgate::control::report
