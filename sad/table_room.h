// SPDX-License-Identifier: Apache-2.0
// Room in the kernel's table of SAs, made before any SA is in packet mode. When the table grows, the kernel (6.12,
// net/xfrm/xfrm_state.c: xfrm_hash_transfer with XFRM_STATE_INSERT) puts the SAs of each place down in another order,
// those in software before those in packet mode, and then finds none of the latter any more: packets are lost
// (XfrmOutNoStates) until each of these children is rekeyed. The table never shrinks, so that once is enough.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/error.h"
#include "sad/probe.h"
#include "xfrm/api.h"

namespace espgate::sad {

inline constexpr std::uint32_t kLeastPlaces = 1024, kMostPlaces = 16384;

// Places for so many children: two SAs of each of two generations, two anchors, and as many again for others' SAs.
std::uint32_t places_for(std::size_t children);

struct TableRoom {
  std::uint32_t places = 0;     // that there are now
  bool grown = false;           // there were fewer before
  std::size_t left_behind = 0;  // SAs that were not deleted; their hard limit does it within kProbeLife
};

// Adds throw-away SAs in software, between documentation addresses, until the table has so many places or does not
// grow, and deletes them: some half as many as places.
base::Result<TableRoom> make_table_room(xfrm::Kernel& kernel, std::uint32_t places, const ProbeMeans& means);

}  // namespace espgate::sad
