// SPDX-License-Identifier: Apache-2.0
// How fast children use sequence numbers up: an SA without ESN has 2^32 of them (RFC 4303 2.2), and whoever uses them
// within minutes is not given one because of offload. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "base/ids.h"

namespace espgate::sad {

// 2^32 have to last for so long.
inline constexpr std::chrono::minutes kLeastSequenceLife{10};
// Packets a second.
inline constexpr double kMostWithoutEsn =
    4294967296.0 / std::chrono::duration<double>(std::chrono::seconds(kLeastSequenceLife)).count();
// What was measured counts for so long: in software, with ESN, a child carries less and would be taken for slow.
inline constexpr std::chrono::hours kPaceMemory{24};

class Pace {
 public:
  using Name = std::pair<std::string, std::string>;  // conn, child

  // Packets that this generation's SA of one direction carried since it was installed. The rate is taken between two
  // calls.
  void count(base::Instant now, const Name& name, base::ChildId child, bool inbound, std::uint64_t packets);
  // Forgets generations that are not among these.
  void keep(const std::set<base::ChildId>& there);

  // The highest rate of the last kPaceMemory, packets a second; 0: none was measured.
  [[nodiscard]] double peak(base::Instant now, const Name& name) const;
  // Those that would use 2^32 within kLeastSequenceLife.
  [[nodiscard]] std::set<Name> hurried(base::Instant now) const;

 private:
  struct Seen {
    base::Instant at;
    std::uint64_t packets;
  };
  struct Peak {
    base::Instant at;
    double rate;
  };
  std::map<std::pair<base::ChildId, bool>, Seen> seen_;
  std::map<Name, Peak> peaks_;
};

}  // namespace espgate::sad
