// SPDX-License-Identifier: Apache-2.0
// Why a child was put, or is to be moved, where it is said to go. Closed: labels and JSON codes come from here only.
#pragma once

#include <cstdint>
#include <string_view>

namespace espgate::steer {

enum class Reason : std::uint8_t {
  // to hardware
  free_slot = 0,  // a slot was free
  heavier = 1,    // it carries more than the holder whose slot it gets
  // to software
  outweighed = 2,        // a child in software carries more
  headroom = 3,          // more slots are held than may be: the rest is kept for rekeys
  ineligible = 4,        // it may not be offloaded (any more)
  device_full = 5,       // no slot is free
  kept_for_waiting = 6,  // the free slots are for children that are known to carry something
};

// The code of a reason, as in JSON and logs: "free-slot", ...
std::string_view code(Reason reason);

}  // namespace espgate::steer
