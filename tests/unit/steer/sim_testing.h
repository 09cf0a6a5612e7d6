// SPDX-License-Identifier: Apache-2.0
// Traces written down in a test.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <sstream>
#include <string>

#include "tools/steer_sim/csv.h"
#include "tools/steer_sim/simulate.h"

namespace espgate::steer_sim {

inline std::unique_ptr<Trace> trace_of(const std::string& text, std::optional<double> interval = {}) {
  std::istringstream in(text);
  auto trace = read_csv(in, "test", interval);
  EXPECT_TRUE(trace.has_value()) << (trace ? "" : trace.error());
  return trace ? std::move(*trace) : nullptr;
}

// `octets(t, sa)`: what it sends in interval t; negative: no line.
inline std::unique_ptr<Trace> trace_of(int rounds, int sas, const std::function<double(int, int)>& octets) {
  std::string text;
  for (int t = 0; t < rounds; ++t) {
    for (int sa = 0; sa < sas; ++sa) {
      const auto n = static_cast<long long>(octets(t, sa));
      if (n >= 0) text += std::to_string(t) + ",sa" + std::to_string(sa) + "," + std::to_string(n) + "\n";
    }
  }
  return trace_of(text);
}

inline Result run(Trace& trace, std::uint32_t slots, bool optimum = true) {
  Options options;
  options.slots = slots;
  options.optimum = optimum;
  options.steps = 300;
  options.sample = 1500;
  return simulate(trace, options);
}

}  // namespace espgate::steer_sim
