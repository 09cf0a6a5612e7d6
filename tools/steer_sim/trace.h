// SPDX-License-Identifier: Apache-2.0
// Traffic of SAs, interval by interval. An SA is there from its first row to its last: it is installed in the interval
// of the one and gone at the end of the interval of the other.
#pragma once

#include <cstdint>
#include <vector>

namespace espgate::steer_sim {

using Sa = std::uint32_t;  // numbered by appearance, never used twice

struct Row {
  Sa sa;
  double octets;
};

struct Interval {
  std::vector<Sa> arrivals;    // in order; before any octet is counted
  std::vector<Row> rows;       // at most one per SA
  std::vector<Sa> departures;  // after it
};

// Walked several times: the policies first, then the optimum, which needs to know the future.
class Trace {
 public:
  virtual ~Trace() = default;
  virtual void rewind() = 0;
  // False at the end. `out` is overwritten.
  virtual bool next(Interval& out) = 0;
  [[nodiscard]] virtual std::uint64_t rounds() const = 0;  // intervals
  [[nodiscard]] virtual double seconds() const = 0;        // of an interval
};

}  // namespace espgate::steer_sim
