// SPDX-License-Identifier: Apache-2.0
// Everything towards the kernel on the main thread: sad/ with its kernel, the ledger in the maps, devices and routes.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "control/vici/daemon.h"
#include "ike/api.h"
#include "loader/loader.h"
#include "sad/pace.h"
#include "sad/sad.h"
#include "sad/slots.h"
#include "sad/table_room.h"
#include "sad/unsent.h"
#include "sad/watch.h"
#include "xfrm/api.h"
#include "xfrm/events.h"
#include "xfrm/route.h"

namespace espgate::gateway {

// A child whose SAs somebody took out of the kernel, or the device forgot.
struct LostChild {
  base::ChildId id;
  sad::Standing where;
  bool reachable = false;  // there is a route to its peer
};

// A child whose packets leave by another device than the one that it was installed for, where that matters: it is in
// hardware, or could be.
struct Rerouted {
  base::ChildId id;
  sad::Standing where;
  std::string device;  // by which they leave now
  bool held = false;   // by the former device
};

class KernelSide {
 public:
  // `answer` carries ChildAnswers back to the engine.
  KernelSide(std::unique_ptr<xfrm::Kernel> kernel, loader::Loader loader, xfrm::RouteTable routes,
             std::function<void(ike::ChildAnswer)> answer);

  // Once, before the first plan: tidies up after a former self.
  // `children` go on, if they are whole; `plan`: the first one.
  base::Result<void> restore(base::Instant now, std::vector<ike::KeptChild> children, const sad::Plan& plan);
  // What became of those children.
  [[nodiscard]] const std::map<base::ChildId, ike::Kept>& kept() const { return sad_.kept(); }
  // Those past a soft limit of octets or packets: the kernel says that once, perhaps to nobody.
  [[nodiscard]] const std::vector<base::ChildId>& spent() const { return spent_; }
  void plan(base::Instant now, const sad::Plan& plan);
  [[nodiscard]] bool floor_refused() const { return sad_.floor_refused(); }
  void install(base::Instant now, ike::InstallChild install);
  void add_inbound(base::Instant now, ike::AddInbound add);
  void switch_outbound(base::Instant now, const ike::SwitchOutbound& order);
  void retire(base::Instant now, const ike::RetireSa& order);
  void remove(base::Instant now, const ike::RemoveChild& remove);
  // Children whose outbound SA waits and whose peer sends on the new inbound one already.
  std::vector<base::ChildId> used_inbound();
  [[nodiscard]] bool anyone_waits() const { return !sad_.waiting().empty(); }
  // What an event of the kernel is to the engine; nullopt: nothing, or about somebody else's SA.
  [[nodiscard]] std::optional<ike::Expired> expired(const xfrm::Notification& event) const;
  // A peer's NAT has a new mapping; nullopt: it is about somebody else's SA.
  [[nodiscard]] std::optional<ike::PeerMoved> moved(const xfrm::Notification& event) const;
  // What a packet that found no SA wants; nullopt: nothing of ours, or the SA is there after all.
  std::optional<sad::Wanted> acquired(const xfrm::Notification& event);
  // Children that are up and have SAs that the kernel does not hold any more: all such, or the owner of this one.
  std::vector<LostChild> lost();
  std::vector<Rerouted> rerouted();
  // `hidden`: also if the kernel has it, but does not find it (sad::Wanted).
  std::optional<LostChild> lost(const xfrm::SaId& id, bool hidden = false);
  // Puts back what somebody else deleted; nullopt: whatever it is.
  void policies_deleted(base::Instant now, const std::optional<std::vector<xfrm::PolicyId>>& ids);
  // The same where nobody told which: those that the kernel does not have.
  void check_policies(base::Instant now);
  // By which children that are up were installed.
  [[nodiscard]] std::set<std::string> devices() const;
  void renamed(base::Instant now, std::uint32_t ifindex, const std::string& device);
  void trap(base::Instant now, const std::string& conn, const std::string& child, bool on);
  // A clean stop: everything of ours leaves the kernel, and bpffs.
  void stop(base::Instant now);

  // Puts the BPF programs on these devices, and off those that are no longer among them. `shield`: one is wanted there.
  void attach(const std::set<std::string>& devices, loader::XdpWish xdp, bool shield);
  [[nodiscard]] loader::Loader& loader() { return loader_; }

  // What a device made of a child's SA; called while the outputs of sad/ are carried out.
  void on_verdict(std::function<void(const sad::DeviceVerdict&)> told) { verdict_ = std::move(told); }
  // What is known of a device's packet mode; none is tried without.
  void on_packet_mode(std::function<sad::PacketMode(const std::string& device)> ask) { packet_mode_ = std::move(ask); }
  // SAs of ours in hardware, by device.
  [[nodiscard]] std::map<std::string, sad::Held> held() const { return sad_.held(); }

  // Which children hold the slots of devices (kernel_steer.cc): another configuration; when to decide; the rekeys that
  // follow, and that one of them came to nothing.
  void steer(const steer::Config& config) { slots_.configure(config); }
  [[nodiscard]] std::optional<base::Instant> steer_due() const { return slots_.due(); }
  std::vector<sad::SlotMove> moves(base::Instant now);
  void move_failed(base::ChildId child) { slots_.failed(child); }
  [[nodiscard]] std::map<std::string, sad::SlotView> slots() const { return slots_.view(); }
  // Children, by conn and name, that are too fast for SAs without ESN.
  [[nodiscard]] std::set<sad::Pace::Name> hurried(base::Instant now) const { return pace_.hurried(now); }

  // The watch (kernel_watch.cc). `distrusted` says why a device is not trusted with a suite; empty: it is.
  using Distrusted = std::function<std::string(const std::string&, const base::EspSuite&, xfrm::OffloadKind)>;
  void on_place(Distrusted distrusted) { distrusted_ = std::move(distrusted); }
  sad::WatchOrders watch(base::Instant now);
  [[nodiscard]] bool watch_busy() const { return watch_.busy(); }
  void watch_failed(base::Instant now, base::ChildId child) { watch_.failed(now, child); }
  void forgiven(const std::string& device, const std::string& suite) {
    watch_.forgiven(device, suite);
    if (suite.empty()) slots_.forgiven(device);
  }
  bool hold(base::ChildId child, sad::Placement why) { return slots_.hold(child, std::move(why)); }
  void let_go(base::ChildId child) { slots_.let_go(child); }
  [[nodiscard]] std::optional<sad::Standing> standing(base::ChildId child) const { return sad_.standing(child); }

  // Adds a throw-away SA to the device, and deletes it at once.
  sad::ProbeAnswer try_row(std::uint32_t ifindex, const sad::ProbeRow& row);
  // Both SAs of a child at a time.
  std::vector<sad::ProbeAnswer> try_pair(std::uint32_t ifindex, const sad::ProbeRow& in, const sad::ProbeRow& out);

  [[nodiscard]] std::optional<control::ChildCounters> counters(base::ChildId child) const;
  [[nodiscard]] xfrm::RouteTable& routes() { return routes_; }

 private:
  void carry_out(base::Instant now, sad::Outputs outputs);
  [[nodiscard]] bool gone(const xfrm::SaId& id);
  // Of an SA in packet mode, which the driver counts, by way of GETSA; nullopt: of any other.
  [[nodiscard]] std::optional<control::DirectionCounters> driver_counts(const maps::SaRecord& sa) const;
  // GETSA of each, in one go; nullopt: the kernel does not have it.
  [[nodiscard]] std::vector<std::optional<xfrm::SaState>> states(const std::vector<xfrm::SaId>& ids) const;
  std::optional<LostChild> lost_child(base::ChildId id);
  sad::InstallContext context_for(base::Instant now, const ike::ChildSpec& child);
  void take(base::Instant now, sad::Output&& output);
  void place(const ike::ChildSpec& child, sad::InstallContext& context);
  // Packets of these children, by the maps or, without, by the kernel.
  std::map<base::ChildId, sad::Reading> readings(const std::set<base::ChildId>& children);
  void read_states(const std::set<base::ChildId>& children, std::map<base::ChildId, sad::Reading>& to);
  bool more_failures(std::optional<std::uint64_t> errors);
  [[nodiscard]] bool in_packet_mode() const;
  void make_table_room();
  void count_failures(const std::set<base::ChildId>& children);

  std::unique_ptr<xfrm::Kernel> kernel_;
  loader::Loader loader_;
  xfrm::RouteTable routes_;
  std::function<void(ike::ChildAnswer)> answer_;
  std::function<void(const sad::DeviceVerdict&)> verdict_;
  std::function<sad::PacketMode(const std::string&)> packet_mode_;
  sad::Sad sad_;
  sad::Slots slots_;
  std::vector<base::ChildId> spent_;
  std::size_t children_ = 0;      // in the configuration
  std::uint32_t table_room_ = 0;  // places that the kernel's table was made to have
  sad::Pace pace_;
  sad::Unsent unsent_;
  Distrusted distrusted_;
  sad::Watch watch_;
  std::map<base::ChildId, std::uint64_t> failures_;  // of the integrity check, as last read
  std::set<base::ChildId> counted_;                  // in software, in the last round
  std::optional<std::uint64_t> protocol_errors_;     // of the namespace, as last read
};

}  // namespace espgate::gateway
