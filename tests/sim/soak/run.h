// SPDX-License-Identifier: Apache-2.0
// One seeded run: two gates, bad weather, commands at random moments, then calm; and what is judged of it.
#pragma once

#include <cstdint>
#include <string>

#include "base/ids.h"

namespace espgate::soak {

struct RunOptions {
  std::uint64_t seed = 1;
  int loss = 30;  // percent, up to; also of what is repeated, late and out of order
  bool trace = false;
  int hours = 0;  // instead: one tunnel with the default lifetimes for so long, no commands, just `loss`
};

struct RunResult {
  std::uint64_t seed = 0;
  bool converged = false;           // both ends hold the same one child for good, within 300 s of the last fault
  double virtual_s = 0;             // from the last fault until that
  std::size_t max_generations = 0;  // with both directions in one kernel
  double two_generations_s = 0;     // the longest that there were two after the last fault
  std::size_t orphan_sas = 0;  // in the kernel or the ledger, and not the engine's, or the other way round; at the end
  std::size_t plaintext = 0;   // packets of the child that left in the clear
  std::size_t lost = 0;        // packets that a rekey lost: sent and not received though the child was up on both sides
  std::size_t rekeys = 0;      // of children and IKE SAs
  // --hours: octets of the heap in use and open files after two hours and at the end; 0 where malloc does not tell.
  std::size_t heap_early = 0, heap_late = 0, files_early = 0, files_late = 0;
  std::string why;  // of what went wrong; empty: nothing

  [[nodiscard]] bool good() const {
    return converged && orphan_sas == 0 && plaintext == 0 && lost == 0 && two_generations_s <= 60 && why.empty();
  }
};

RunResult run(const RunOptions& options);

}  // namespace espgate::soak
