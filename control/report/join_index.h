// SPDX-License-Identifier: Apache-2.0
// What join() finds things by: each table is walked once, for there may be a million rows in all of them.
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <unordered_map>

#include "control/report/collect.h"

namespace espgate::control::report {

// What the kernel said of an SA.
class KernelIndex {
 public:
  explicit KernelIndex(const KernelView& kernel) : netns_(kernel.netns) {
    states_.reserve(kernel.sas.size());
    for (const auto& state : kernel.sas) states_.try_emplace({state.id.spi, state.id.destination}, &state);
  }
  // nullptr: it has no such SA.
  [[nodiscard]] const xfrm::SaState* find(base::Spi spi, const base::Address& destination) const {
    const auto found = states_.find({spi, destination});
    return found == states_.end() ? nullptr : found->second;
  }
  // Of another network namespace than that whose SAs were read. 0: not known.
  [[nodiscard]] bool foreign(std::uint64_t netns) const { return netns != 0 && netns_ != 0 && netns != netns_; }

 private:
  struct Key {
    base::Spi spi;
    base::Address destination;
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    std::size_t operator()(const Key& key) const {
      std::uint64_t halves[2];
      std::memcpy(halves, key.destination.raw().data(), sizeof halves);
      // Of the SAs to one address the SPI tells, of those with one SPI the address.
      return std::hash<std::uint64_t>{}((halves[0] ^ halves[1]) * 0x9e3779b97f4a7c15ULL + key.spi.value);
    }
  };
  std::uint64_t netns_;
  std::unordered_map<Key, const xfrm::SaState*, Hash> states_;
};

// The parts of a report that are sums, over all SAs that a child has and had. `kernel`: nullptr if it was not asked.
std::vector<ChildTotal> totals_of(const MapsView& maps, const KernelIndex* kernel);
std::vector<FallbackCount> fallbacks_of(const MapsView& maps);
std::vector<ClassCount> classes_of(const MapsView& maps);

inline Count hardware(const maps::Counts& counts) { return {counts.hw_packets, counts.hw_bytes}; }
inline Count software(const maps::Counts& counts) { return {counts.sw_packets, counts.sw_bytes}; }

}  // namespace espgate::control::report
