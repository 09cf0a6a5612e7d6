// SPDX-License-Identifier: Apache-2.0
// A trace of lines `t,sa,bytes`.
#pragma once

#include <expected>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>

#include "tools/steer_sim/trace.h"

namespace espgate::steer_sim {

// t: seconds, fractions allowed, never falling; sa: any text without a comma; bytes: not negative. A first line whose t
// is no number is a header; empty lines are passed over. `interval`: seconds; none: the step of the trace, that is the
// greatest common divisor of its times if they are whole seconds, else one second.
// Error: "NAME:LINE: what is wrong, what is expected".
std::expected<std::unique_ptr<Trace>, std::string> read_csv(std::istream& in, const std::string& name,
                                                            std::optional<double> interval);

}  // namespace espgate::steer_sim
