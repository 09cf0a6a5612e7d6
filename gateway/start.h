// SPDX-License-Identifier: Apache-2.0
// What espgated needs before it starts. Each thing that is missing is one sentence: what, and how to get it.
#pragma once

#include <expected>
#include <string>

#include "gateway/daemon.h"
#include "gateway/options.h"

namespace espgate::gateway {

// Everything in place, or the sentence to end with (exit status 2; 1 for a broken configuration, `usage`).
struct StartFailure {
  std::string text;  // lines, ready for stderr
  int status = 2;
};
std::expected<Daemon::Parts, StartFailure> gather(const Options& options);

// An error of Daemon::start in the same manner.
StartFailure explain_start(const base::Error& error, const Options& options);

}  // namespace espgate::gateway
