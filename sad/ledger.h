// SPDX-License-Identifier: Apache-2.0
// The record of what is ours in SAD and SPD. sad/ decides what is written, gateway/ passes it on to the pinned maps
// (sa_dir, policy_dir, child_total); an entry is written before the kernel is asked and cleared after it has let go.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/esp.h"
#include "base/ids.h"
#include "sad/reason.h"
#include "xfrm/api.h"

namespace espgate::sad {

// One SA: a slot for each direction of a child. `generation` rises each time a slot is taken.
struct SlotEntry {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
  base::Direction direction = base::Direction::in;
  base::Address source, destination;
  base::Spi spi;
  std::uint32_t reqid = 0;
  base::ChildUid uid;
  base::ChildId child_id;  // of the process that wrote it
  std::string conn, child;
  base::EspSuite suite;
  base::SaMode mode = base::SaMode::tunnel;
  bool encap = false;
  base::OffloadWanted wanted = base::OffloadWanted::no;
  base::OffloadActual actual = base::OffloadActual::none;
  Reason reason = Reason::none;
  std::string reason_text;  // the sentence, with the driver's words; empty if reason is none
  std::string device;       // wanted on or held by; empty if none
  std::uint32_t ifindex = 0;
  base::Instant installed_at;  // when the kernel took the SA
};

// Before the SA is added.
struct AssignSlot {
  SlotEntry entry;
};
// After it was read back: actual, reason, device, installed_at.
struct UpdateSlot {
  SlotEntry entry;
};
// After the kernel let go of it: add the slot's counts to child_total[uid], once for (slot, generation), then clear.
// `fold` is false if the SA never was in place.
struct ReleaseSlot {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
  base::ChildUid uid;
  base::Direction direction = base::Direction::in;
  bool fold = true;
};

struct PolicyEntry {
  std::uint32_t index = 0;
  xfrm::PolicySpec policy;
  base::ChildUid uid;  // of the child it was first written for; 0 for what serves all
};
struct WritePolicy {
  PolicyEntry entry;
};
struct ClearPolicy {
  std::uint32_t index = 0;
};

// What a former self left behind: its ledger, and what the kernel holds now.
struct Leftover {
  std::vector<SlotEntry> slots;
  std::vector<PolicyEntry> policies;
  // Per slot (by index) the generation last used, also of free slots; may be shorter than the table.
  std::vector<std::uint32_t> generations;
  // The ledger was not found: our reqid range and the layer mark of policies stand in for it.
  bool ledger_lost = false;
  std::vector<xfrm::SaState> kernel_sas;
  std::vector<xfrm::PolicySpec> kernel_policies;
};

}  // namespace espgate::sad
