// SPDX-License-Identifier: Apache-2.0
// Packet mode: the device puts headers on and takes them off, holds SAs and policies, and keeps the counts. What that
// asks of a child beyond crypto mode. Inside sad/ only.
#pragma once

#include <string>
#include <vector>

#include "sad/child.h"

namespace espgate::sad {

// Why packet mode cannot carry this child on any device; empty: it may.
std::string packet_obstacle(const Child& child);
// The same of what is configured; `outer`: the tunnel's family.
std::string packet_obstacle(const Handling& handling, const std::vector<base::TrafficSelector>& local,
                            const std::vector<base::TrafficSelector>& remote, base::Family outer);

// Of an SA for packet mode. The stack sees no sequence number there, so that the driver's packet count has to tell when
// they are used up; and drivers take hard limits only above soft ones.
void fit_packet_mode(xfrm::SaSpec& spec);

// A software SA that nobody uses, with the child's reqid and ends, there before its SAs in packet mode. The kernel
// (6.12, net/xfrm/xfrm_state.c: XFRM_STATE_INSERT) puts an SA in front of packet-mode ones that are alone in their
// place of its table, and a device's policy then finds none of them: any SA of another kind, a rekey's for one, would
// end all traffic.
xfrm::SaSpec anchor_of(const Child& child);
// Of the SA that an anchor stands for, by the anchor's.
base::Spi anchored_spi(base::Spi anchor);

// Of a child's policies, those of the directions whose SA is in packet mode: to the device, with a block beneath each
// and IKE's ports free.
void offload_policies(const Child& child, std::vector<xfrm::PolicySpec>& policies);

}  // namespace espgate::sad
