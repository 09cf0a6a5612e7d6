// SPDX-License-Identifier: Apache-2.0
// Where a child's SAs are to go when hw_offload leaves the choice, and what became of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/ids.h"
#include "base/name.h"
#include "sad/reason.h"
#include "xfrm/api.h"

namespace espgate::sad {

// What is known of a device's packet mode when hw_offload = auto: `refuses` is not tried again, `takes` is missed.
enum class PacketMode : std::uint8_t { refuses, unknown, takes };

struct Placement {
  bool hardware = true;  // to be tried
  // Why not: for the ledger, the log and JSON.
  Reason reason = Reason::none;
  base::Name text;
};

// A generation of a child is up, both its SAs are where they stay.
struct Carried {
  base::ChildId id;
  base::Name device;             // by which the route leaves; empty: none
  bool wanted = false;           // hw_offload was not `no`
  bool hardware = false;         // the device holds an SA of it
  Reason reason = Reason::none;  // why not
  // With Reason::device_full: SAs of ours that the device held in the direction that it refused.
  std::uint32_t used = 0;
  xfrm::OffloadKind mode = xfrm::OffloadKind::crypto;  // of what is in hardware
};

// A generation, whether it was ever up or not, has no SA in the kernel any more.
struct Gone {
  base::ChildId id;
};

}  // namespace espgate::sad
