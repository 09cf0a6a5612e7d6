// SPDX-License-Identifier: Apache-2.0
#include "ike/ts_select.h"

#include <algorithm>

namespace espgate::ike {

TsList resolve(std::span<const TsConfig> configured, const base::Address& host) {
  TsList out;
  if (configured.empty()) out.push_back(base::TrafficSelector::of(base::Prefix::host(host)));
  for (const auto& entry : configured) {
    auto ts = entry.ts;
    if (entry.dynamic) ts.first = ts.last = host;
    out.push_back(ts);
  }
  return out;
}

namespace {
// Adds `ts` unless a selector in the list covers it; drops those it covers.
void add(TsList& list, const base::TrafficSelector& ts) {
  if (std::ranges::any_of(list, [&](const auto& other) { return other.contains(ts); })) return;
  std::erase_if(list, [&](const auto& other) { return ts.contains(other); });
  list.push_back(ts);
}
}  // namespace

TsList narrow(std::span<const base::TrafficSelector> ours, std::span<const base::TrafficSelector> offered) {
  TsList out;
  for (const auto& mine : ours) {
    for (const auto& theirs : offered) {
      if (auto both = mine.intersect(theirs)) add(out, *both);
    }
  }
  return out;
}

bool within(std::span<const base::TrafficSelector> inner, std::span<const base::TrafficSelector> outer) {
  return std::ranges::all_of(inner, [&](const auto& ts) {
    return std::ranges::any_of(outer, [&](const auto& other) { return other.contains(ts); });
  });
}

std::string text(std::span<const base::TrafficSelector> list) {
  std::string out;
  for (const auto& ts : list) {
    if (!out.empty()) out += ' ';
    out += ts.text();
  }
  return out;
}

}  // namespace espgate::ike
