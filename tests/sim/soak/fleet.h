// SPDX-License-Identifier: Apache-2.0
// A hub and its many sites on simulated time, for weeks: rekeys, ways that are cut, reloads; and what is left of memory
// and descriptors at the end of each day.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace espgate::soak {

struct FleetOptions {
  std::uint64_t seed = 1;
  std::size_t tunnels = 200;
  int days = 3;
  bool progress = false;  // a line a day on stderr, as it comes
};

struct Day {
  std::size_t heap = 0, files = 0;  // octets given out by malloc, open descriptors
  std::uint64_t rekeys = 0;         // of children and IKE SAs, since the beginning, at the hub
  std::uint64_t downs = 0;          // children that went down, likewise
};

struct FleetResult {
  std::vector<Day> days;
  std::uint64_t datagrams = 0, lost = 0, outages = 0, reloads = 0;
  std::string why;  // empty: good
};

// Good if every site is up at each day's end, with no SA that only one of engine, ledger and kernel knows, and heap and
// descriptors are within 1 % (and the share of four tunnels) of those at the end of the first day.
FleetResult run_fleet(const FleetOptions& options);

}  // namespace espgate::soak
