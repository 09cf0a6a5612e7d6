// SPDX-License-Identifier: Apache-2.0
// The shield as one of several XDP programs on a device, called by libxdp's dispatcher. Others put theirs in and take
// them out with xdp-loader or libxdp as they like; each time libxdp makes a new dispatcher, which takes the place of
// the old one in one step. What it pins is in <bpffs>/xdp, LIBXDP_BPFFS or /sys/fs/bpf, where the others look, too.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"
#include "loader/objects.h"
#include "loader/pinned_link.h"

namespace espgate::loader {

// Puts our program into the device's dispatcher, or makes one with it. A copy of the same code over the same maps
// stays; another is taken out after the new one is in and has been switched on: no packet is missed for it. EEXIST:
// there is a program that no dispatcher of libxdp's called. EOPNOTSUPP: no dispatchers on this kernel, or no native XDP
// on this device. The detail has libxdp's own words.
base::Result<LinkState> join_dispatcher(const ObjectFds& fds, const std::string& bpffs, std::uint32_t ifindex);

// Takes ours out; the dispatcher goes with its last program. Nothing to do is success, as is a device that is gone.
void leave_dispatcher(const std::string& bpffs, std::uint32_t ifindex);

// Whether a dispatcher is on the device.
bool has_dispatcher(std::uint32_t ifindex);

}  // namespace espgate::loader
