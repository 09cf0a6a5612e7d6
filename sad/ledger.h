// SPDX-License-Identifier: Apache-2.0
// The record of what is ours in SAD and SPD. sad/ decides what is written, gateway/ hands each value to the loader call
// of the same meaning (assign, update, release, put_policy, clear_policy). An entry is written before the kernel is
// asked and cleared after it has let go; releasing a slot folds its counts into child_total.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "ike/kept.h"
#include "maps/record.h"
#include "xfrm/api.h"

namespace espgate::sad {

// Before the SA is added. A slot is one SA: a child has two.
struct AssignSlot {
  std::uint32_t slot = 0;
  maps::SaRecord sa;
};
// After it was read back: actual, reason, device.
struct UpdateSlot {
  std::uint32_t slot = 0;
  maps::SaRecord sa;
};
// After the kernel let go of the SA.
struct ReleaseSlot {
  std::uint32_t slot = 0;
  // In packet mode, where nobody else counts: what the driver had counted at the end.
  std::uint64_t driver_packets = 0, driver_bytes = 0;
};
struct WritePolicy {
  std::uint32_t index = 0;
  maps::PolicyRecord policy;
};
struct ClearPolicy {
  std::uint32_t index = 0;
};

// What a former self left behind: its ledger, and what the kernel holds now.
struct Leftover {
  std::map<std::uint32_t, maps::SaRecord> sas;           // by slot
  std::map<std::uint32_t, maps::PolicyRecord> policies;  // by index
  // There was no ledger (bpffs lost, or no accounting): our reqid range and the layer mark of policies stand in for it.
  bool ledger_lost = false;
  std::vector<xfrm::SaState> kernel_sas;
  std::vector<xfrm::PolicySpec> kernel_policies;
  // Children that ike/ goes on with, the older generation first.
  std::vector<ike::KeptChild> children;
  // The kernel is one that forgets with its process (`--kernel null`): SAs of `children` are believed to be there.
  bool believed = false;
};

// Of one meaning in two languages.
maps::PolicyRecord record_of(const xfrm::PolicySpec& policy);
xfrm::PolicyId id_of(const maps::PolicyRecord& record);

}  // namespace espgate::sad
