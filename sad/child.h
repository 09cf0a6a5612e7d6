// SPDX-License-Identifier: Apache-2.0
// One generation of a child: its pair of SAs on the way from wanted to up to gone. Inside sad/ only.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/rare.h"
#include "sad/plan.h"
#include "sad/verdict.h"
#include "sad/work.h"

namespace espgate::sad {

enum class ChildState : std::uint8_t {
  trying_offload,   // inbound for real, outbound on trial
  committing,       // outbound for real
  trying_software,  // without any offload, said explicitly
  policies,
  up,         // or degraded: then a direction's reason is set
  waiting,    // the inbound half of a new generation, the outbound one is to come
  switching,  // outbound for real, of a child that waited
  retiring,   // the outbound SA goes
  receiving,  // the inbound half of an old generation, for what is under way
  undoing,
};

inline constexpr std::uint32_t kNoSlot = ~0U;

struct Half {
  std::uint32_t slot = kNoSlot;
  bool assigned = false;  // in the ledger; before that the slot is only reserved
  bool in_kernel = false;
  bool recorded = false;  // what became of it stands in the ledger
  Verdict verdict;
};

struct Child {
  ike::ChildSpec spec;  // keys are wiped once no SA is to be added any more
  InstallContext context;
  Named named;
  std::uint32_t reqid = 0;
  Handling handling;
  std::uint32_t larval = 0;  // SA that the kernel waits for with; 0: none

  ChildState state = ChildState::trying_software;
  xfrm::OffloadKind kind = xfrm::OffloadKind::crypto;           // of offload: that which is tried, or was taken
  std::vector<xfrm::OffloadKind> left;                          // to be tried after it
  std::optional<std::pair<Reason, base::Name>> better_refused;  // why not packet mode, where it might have been
  Half in, out;
  bool trial_in_kernel = false;              // in place of `out`
  bool anchored = false;                     // see anchor_of()
  bool inbound_first = false;                // made by AddInbound, and SwitchOutbound has not come yet
  std::optional<ike::RequestId> unanswered;  // the InstallChild, AddInbound or SwitchOutbound that waits
  bool switch_offloaded = false;             // of `switching`
  bool removing = false;
  std::optional<std::pair<Reason, base::Name>> refusal;  // why it is being undone

  std::size_t awaited = 0;               // results of this step
  std::map<Role, xfrm::Result> results;  // of this step
  base::Rare<base::Error> policy_error;

  Half& half(base::Direction direction) { return direction == base::Direction::in ? in : out; }
  [[nodiscard]] const Half& half(base::Direction direction) const {
    return direction == base::Direction::in ? in : out;
  }
  // No result is awaited, and none of its own accord will be.
  [[nodiscard]] bool at_rest() const {
    return state == ChildState::up || state == ChildState::waiting || state == ChildState::receiving;
  }
  [[nodiscard]] std::string name() const { return named.conn.str() + "/" + named.child.str(); }
  [[nodiscard]] bool strict() const {
    return spec.offload == base::OffloadWanted::crypto || spec.offload == base::OffloadWanted::packet;
  }
};

// The SA of one direction as the kernel is asked for it.
xfrm::SaSpec sa_spec(const Child& child, base::Direction direction, std::optional<xfrm::Offload> offload);
// The same in all that a device looks at, but with a key of zeros and a reqid that no policy names.
xfrm::SaSpec trial_of(const Child& child, const xfrm::Offload& offload);
xfrm::SaId sa_id(const Child& child, base::Direction direction);
ike::OffloadState offload_state(const Child& child, base::Direction direction);
// What of it a device looks at, as a row of a probe.
ProbeRow row_of(const Child& child, base::Direction direction, xfrm::OffloadKind mode);
// What the ledger is to hold of it.
maps::SaRecord record_of(const Child& child, base::Direction direction);
// Everything of a child that stands in the SPD, inbound first; with what packet mode needs besides (sad/packet_mode.h).
std::vector<xfrm::PolicySpec> child_policies(const Child& child);
// ICMPv6 neighbour discovery, without which no IPv6 selector can work.
std::vector<xfrm::PolicySpec> bypass_policies();
inline constexpr std::uint32_t kTrialReqid = kReqidBase + 1;

}  // namespace espgate::sad
