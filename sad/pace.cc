// SPDX-License-Identifier: Apache-2.0
#include "sad/pace.h"

namespace espgate::sad {

void Pace::count(base::Instant now, const Name& name, base::ChildId child, bool inbound, std::uint64_t packets) {
  const auto [at, is_new] = seen_.try_emplace({child, inbound}, now, packets);
  auto& before = at->second;
  const auto span = std::chrono::duration<double>(now - before.at).count();
  if (is_new || span <= 0) return;
  const double rate = packets > before.packets ? static_cast<double>(packets - before.packets) / span : 0;
  before = {now, packets};
  if (rate == 0) return;
  const auto [known, first] = peaks_.try_emplace(name, now, rate);
  auto& peak = known->second;
  if (rate >= peak.rate || now - peak.at > kPaceMemory) peak = {now, rate};
}

void Pace::keep(const std::set<base::ChildId>& there) {
  std::erase_if(seen_, [&](const auto& one) { return !there.contains(one.first.first); });
}

double Pace::peak(base::Instant now, const Name& name) const {
  const auto found = peaks_.find(name);
  return found == peaks_.end() || now - found->second.at > kPaceMemory ? 0 : found->second.rate;
}

std::set<Pace::Name> Pace::hurried(base::Instant now) const {
  std::set<Name> out;
  for (const auto& [name, peak] : peaks_) {
    if (peak.rate > kMostWithoutEsn && now - peak.at <= kPaceMemory) out.insert(name);
  }
  return out;
}

}  // namespace espgate::sad
