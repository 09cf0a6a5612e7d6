// SPDX-License-Identifier: Apache-2.0
// The children and their way through the states that sad/sad.h draws. Inside sad/ only.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "sad/child.h"
#include "sad/estate.h"
#include "sad/indices.h"
#include "sad/reqids.h"
#include "sad/spd.h"

namespace espgate::sad {

class Children {
 public:
  Children(Work& work, Spd& spd, std::uint32_t slots) : work_(work), spd_(spd), slots_(slots) {}

  // `inbound_first`: AddInbound, the outbound half waits for switch_outbound().
  // `larval`: of the ACQUIRE that the child answers; 0: none.
  void install(ike::InstallChild install, const InstallContext& context, const Handling& handling,
               bool inbound_first = false, std::uint32_t larval = 0);
  // One of a former self that goes on (adopt.cc); all its slots have been claimed. What became of it.
  ike::Kept adopt(ike::KeptChild kept, const Handling& handling, Estate& estate);
  void switch_outbound(const ike::SwitchOutbound& order);
  void retire(const ike::RetireSa& order);
  void remove(base::ChildId id);
  void stop();
  void rename(std::uint32_t ifindex, const std::string& device);
  void arrived(const ForChild& what, xfrm::Result result);
  void policy_arrived(base::ChildId id, const xfrm::Result& result);

  // Slots that a former self left, until its SA is gone.
  void claim_slot(std::uint32_t slot) { slots_.claim(slot); }
  void give_back_slot(std::uint32_t slot) { slots_.give_back(slot); }

  // Of children that are up: SAs that the kernel holds, as far as we know.
  [[nodiscard]] std::vector<std::pair<base::ChildId, xfrm::SaId>> expected() const;
  // Whose SA that is, whether it is still used or not.
  [[nodiscard]] std::optional<base::ChildId> owner_of(const xfrm::SaId& id) const;
  // Inbound SAs of children whose outbound half waits.
  [[nodiscard]] std::vector<std::pair<base::ChildId, xfrm::SaId>> waiting() const;
  // The outbound SA of a child that is up.
  [[nodiscard]] std::optional<xfrm::SaId> outbound_of(base::ChildId id) const;
  [[nodiscard]] const Child* find(base::ChildId id) const {
    const auto found = children_.find(id);
    return found == children_.end() ? nullptr : &found->second;
  }
  Reqids& reqids() { return reqids_; }
  [[nodiscard]] std::size_t size() const { return children_.size(); }
  [[nodiscard]] std::map<std::uint32_t, maps::SaRecord> records(std::optional<base::ChildId> only = {}) const;
  [[nodiscard]] std::map<std::string, Held> held() const;
  [[nodiscard]] std::vector<std::pair<std::uint32_t, base::ChildId>> slots() const;

 private:
  using Verdicts = std::pair<Verdict, Verdict>;  // in, out
  // Steps: each sends its requests; advance() goes on when all results are there.
  void try_next(Child& child);  // kind of offload, or software
  void try_offload(Child& child, xfrm::OffloadKind kind);
  void end_trial(Child& child);
  void commit(Child& child);
  void try_software(Child& child);
  void put_policies(Child& child);
  void claim_policies(Child& child);
  void finish(Child& child);
  void undo(Child& child);
  void adopt_half(Child& child, base::Direction direction, const Estate::Found& found);
  // generations.cc
  void wait_for_outbound(Child& child);
  void add_outbound(Child& child, std::optional<xfrm::Offload> offload);
  void after_switch(Child& child);
  void refuse_outbound(Child& child, const Verdict& verdict);
  void after_retire(Child& child);
  void assign(Child& child, base::Direction direction);
  void ask_to_delete(Child& child, base::Direction direction);
  void release(const Child& child, Half& half, const xfrm::Result* deleted);

  void advance(base::ChildId id);
  void enter(Child& child, ChildState state);
  void after_trial(Child& child);
  void after_commit(Child& child);
  void after_software(Child& child);
  void after_policies(Child& child);
  void after_undo(Child& child);

  void ask(Child& child, Role role, xfrm::Request request);
  [[nodiscard]] Verdict verdict(const Child& child, Role add, Role read, bool offloaded) const;
  // One direction or both cannot be offloaded: software for `auto`, the end for a strict wish.
  void fall_back(Child& child, const Verdict& in, const Verdict& out);
  void refuse(Child& child, Reason reason, std::string text);
  static std::optional<Verdict> untried(const Child& child);
  static void refuse_unborn(Work& work, const ike::InstallChild& install, Reason reason, const std::string& text);
  void answer_up(Child& child);
  void answer_refused(Child& child);
  void record(Child& child, base::Direction direction);
  std::optional<std::uint32_t> reqid_for(const ike::ChildSpec& spec);
  [[nodiscard]] Carried carried(const Child& child) const;
  void say_direction(const Child& child, base::Direction direction);

  // packet_mode.cc
  void plan_offload(Child& child);
  void claim_after_packet_mode(Child& child);
  void weigh_anchor(Child& child);
  static void packet_refused(Child& child, const Verdict& in, const Verdict& out);

  // Devices that refused a policy that they were to hold, with the kernel's words: `auto` asks no more for packet mode.
  std::map<std::string, std::string> no_policies_;
  Work& work_;
  Spd& spd_;
  Indices slots_;
  Reqids reqids_;
  std::map<base::ChildId, Child> children_;
  std::map<xfrm::SaId, base::ChildId> owners_;
  std::set<base::ChildId> waiting_;                     // in this state: few at a time, asked for often
  std::map<std::string, std::set<std::string>> taken_;  // by device: suites it was seen to take
  bool stopping_ = false;
};

}  // namespace espgate::sad
