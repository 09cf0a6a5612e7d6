// SPDX-License-Identifier: Apache-2.0
// sad/ owns the truth about SAs: what should be in SAD and SPD, what is, and why not. Pure: values and the time in,
// outputs back; it opens nothing and reads no clock.
//
//   install -> TRYING(packet, crypto) --both taken--> COMMITTING --verified--> POLICIES -> UP
//                 |  |   one after the other              | refused            |     (actual < wanted: DEGRADED)
//                 |  +--auto, none left--> TRYING(software) <+                  |
//                 +--strict--> UNDOING -> (gone, ChildRefused) <-----------+--any failure, or removed meanwhile
//   UP, DEGRADED --remove--> UNDOING -> (gone)
//
// A rekey brings a second generation, which shares reqid and policies with the first:
//   add_inbound -> TRYING -> POLICIES (in, fwd) -> WAITING --switch_outbound--> SWITCHING -> POLICIES (out) -> UP
//                                                               strict, refused: RECEIVING, ChildRefused <-+
//   UP --retire(outbound)--> RETIRING -> RECEIVING --retire(all)--> UNDOING -> (gone)
//
// In TRYING(packet) and TRYING(crypto) the inbound SA is added for real and the outbound one on trial: same attributes,
// a key of zeros, a reqid that no policy names; read back and deleted. So no outbound key is ever installed twice.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "ike/api.h"
#include "sad/device_table.h"
#include "sad/ledger.h"
#include "sad/placement.h"
#include "sad/plan.h"
#include "sad/reason.h"
#include "xfrm/api.h"
#include "xfrm/events.h"

namespace espgate::sad {

// reqids of ours are kReqidBase + n, 0 < n < kReqids; the first is for trials.
inline constexpr std::uint32_t kReqidBase = 0x45470000;
inline constexpr std::uint32_t kReqids = 1U << 22;

// An outbound SA without ESN tells each time so many sequence numbers are used up, and is rekeyed when half are.
inline constexpr std::uint32_t kSequenceNotice = 1U << 28;
inline constexpr std::uint64_t kSequenceRekey = std::uint64_t{1} << 31;

// What sad/ cannot know by itself, asked for by gateway/: the device by which the route to the peer leaves.
struct InstallContext {
  base::Name device;            // empty: no route to the peer
  std::uint32_t ifindex = 0;    // 0 with it
  std::int64_t wall_clock = 0;  // epoch seconds, for the ledger
  // For hw_offload = auto; strict children go to hardware, or nowhere if the device is distrusted.
  Placement placement{};
  PacketMode packet = PacketMode::refuses;
};

struct OpId {
  std::uint64_t value = 0;
  auto operator<=>(const OpId&) const = default;
};

// A request to the kernel, answered by Sad::on_result with the same id.
struct Op {
  OpId id;
  xfrm::Request request;
};

// A line for the log: complete, for a stranger's eyes; conn and child stand in it already.
struct Notice {
  enum class Level : std::uint8_t { info, warning, error };
  Level level = Level::info;
  std::string conn, child;  // empty: of no one child
  Reason reason = Reason::none;
  std::string text;
};

// What a device made of a child's SA that was to be offloaded to it.
struct DeviceVerdict {
  std::string device;
  std::uint32_t ifindex = 0;
  ProbeRow row;
  ProbeAnswer answer;
};

using Output = std::variant<Op, AssignSlot, UpdateSlot, ReleaseSlot, WritePolicy, ClearPolicy, ike::ChildAnswer, Notice,
                            DeviceVerdict, Carried, Gone>;
// To be carried out in order, whole, before the results are fed back (in order, too); Ops next to one another may go to
// the kernel in one batch. sad/pump.h does just that.
using Outputs = std::vector<Output>;

// What an ACQUIRE of the kernel is about.
struct Wanted {
  std::string conn, child;
  base::TrafficSelector local, remote;  // the packet
  // Its policies are there and its outbound SA should be: if the kernel does not have it, somebody took it away.
  std::optional<std::pair<base::ChildId, xfrm::SaId>> live;
  // The policy is a device's: if the SA is there all the same, the kernel hides it behind another (sad/packet_mode.h),
  // and a new one comes before that.
  bool hidden = false;
};

// Which child that is, and where its packets go.
struct Standing {
  std::string conn, child;
  base::Address local, remote;  // of the tunnel
  std::string device;           // by which the route left when it was installed
};

struct Options {
  std::uint32_t slots = 4096;     // room in sa_dir (Loader::max_slots): SAs, two a child
  std::uint32_t policies = 8192;  // room in policy_dir (Loader::max_policies)
};

class Sad {
 public:
  explicit Sad(Options options = {});
  ~Sad();
  Sad(Sad&&) noexcept;
  Sad& operator=(Sad&&) noexcept;

  // Once, before the first plan: knows the children again that go on and are whole, deletes the other SAs that a former
  // self left (counts folded), and takes over its policies; those that nobody claims go when the first plan's floor
  // stands. `plan`: that plan; how it handles children is how theirs are looked for.
  Outputs restore(base::Instant now, Leftover leftover, const Plan& plan = {});
  // What became of those children.
  [[nodiscard]] const std::map<base::ChildId, ike::Kept>& kept() const;

  // The whole plan, each time. What did not change is not touched; new floors go in before old ones go.
  Outputs on_plan(base::Instant now, const Plan& plan);

  // Answered exactly once by an ike::ChildAnswer.
  Outputs on_install(base::Instant now, ike::InstallChild install, const InstallContext& context);
  Outputs on_remove(base::Instant now, const ike::RemoveChild& remove);
  // A rekey as its responder. Both are answered exactly once.
  Outputs on_add_inbound(base::Instant now, ike::AddInbound add, const InstallContext& context);
  Outputs on_switch_outbound(base::Instant now, const ike::SwitchOutbound& order);
  // An old generation goes; not answered.
  Outputs on_retire(base::Instant now, const ike::RetireSa& order);
  Outputs on_result(base::Instant now, OpId id, xfrm::Result result);

  // A packet met a policy without an SA. nullopt: not one of ours, or one that an SA is on its way for.
  std::optional<Wanted> on_acquire(const xfrm::Notification& event);
  // A trap beyond what the plan says (close_action, dpd_action = trap), or its end; plans without that child end it.
  Outputs on_trap(base::Instant now, std::string_view conn, std::string_view child, bool on);

  // These policies, or all (nullopt), were deleted in the kernel: those that are still wanted are put again, which one
  // notice says.
  Outputs on_policies_deleted(base::Instant now, const std::optional<std::vector<xfrm::PolicyId>>& ids);

  // A device has another name now.
  Outputs on_renamed(base::Instant now, std::uint32_t ifindex, const std::string& name);

  // Removes all that is ours, and only that; done when idle() after the results.
  Outputs stop(base::Instant now);

  [[nodiscard]] bool idle() const;  // no result is awaited
  // The kernel refused a block policy since the last plan: the same plan again tries it again.
  [[nodiscard]] bool floor_refused() const;
  [[nodiscard]] std::size_t child_count() const;
  // Whose SA that is; nullopt: none of ours.
  [[nodiscard]] std::optional<base::ChildId> owner_of(const xfrm::SaId& id) const;
  // SAs of children that are up, as far as we know: what the kernel does not hold of them was taken away.
  [[nodiscard]] std::vector<std::pair<base::ChildId, xfrm::SaId>> expected() const;
  // Its inbound and its outbound SA; nullopt: there is no such child, or it is not up.
  [[nodiscard]] std::optional<std::pair<xfrm::SaId, xfrm::SaId>> sas_of(base::ChildId id) const;
  // nullopt: there is no such child.
  [[nodiscard]] std::optional<Standing> standing(base::ChildId id) const;
  [[nodiscard]] std::vector<xfrm::PolicyId> policy_ids() const;  // that should stand in the kernel
  // Children whose outbound half waits, with their inbound SAs: a packet on one of these says that the peer is ready.
  [[nodiscard]] std::vector<std::pair<base::ChildId, xfrm::SaId>> waiting() const;
  // SAs of ours in hardware, by device.
  [[nodiscard]] std::map<std::string, Held> held() const;
  // The ledger's slots that are in use, and whose.
  [[nodiscard]] std::vector<std::pair<std::uint32_t, base::ChildId>> slots() const;
  // What the ledger holds: SAs by slot, policies by index.
  [[nodiscard]] std::map<std::uint32_t, maps::SaRecord> sas(std::optional<base::ChildId> only = {}) const;
  [[nodiscard]] std::map<std::uint32_t, maps::PolicyRecord> policies() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace espgate::sad
