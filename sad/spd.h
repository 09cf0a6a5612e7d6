// SPDX-License-Identifier: Apache-2.0
// Our part of the SPD. A policy stands as long as somebody claims it; of several claims the newest is in effect, so
// that two children with the same selectors can come and go in any order. Inside sad/ only.
#pragma once

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "sad/indices.h"
#include "sad/work.h"

namespace espgate::sad {

struct Owner {
  // former: what an earlier process left; standing: traps and shunts
  enum class Kind : std::uint8_t { former, floor, standing, child };
  Kind kind = Kind::former;
  std::uint64_t value = 0;  // floor, standing: ChildUid; child: ChildId
  auto operator<=>(const Owner&) const = default;
};

class Spd {
 public:
  Spd(Work& work, std::uint32_t size) : work_(work), indices_(size) {}

  enum class Claimed : std::uint8_t { standing, asked, unrecorded, no_room };
  // standing: nothing had to be done. asked: a result for ForPolicyPut will follow, with `child` in it. The floor is
  // put though the ledger has no room for it (unrecorded): better that a crash leaves a policy that blocks than that
  // none is there. Everybody else is refused then (no_room).
  Claimed claim(const Owner& owner, const xfrm::PolicySpec& policy, const Named& named,
                std::optional<base::ChildId> child = {});
  // Gives the claim up; the policy goes if it was the last, or falls back to the claim before.
  void release(const Owner& owner, const xfrm::PolicyId& id);
  // Every claim of that owner, in the order in which traffic is best let go: out first.
  void release_all(const Owner& owner);

  // Somebody else deleted these, or all (nullopt): what is claimed is put again, first what stops packets that leave.
  // How many.
  std::size_t put_again(const std::optional<std::vector<xfrm::PolicyId>>& ids);

  void put_arrived(const xfrm::PolicyId& id, bool done);
  void del_arrived(const xfrm::PolicyId& id, const xfrm::Result& result);

  // A policy of a former self. Not in the kernel: only its ledger entry is left, which goes at once.
  void adopt(std::optional<std::uint32_t> index, const xfrm::PolicyId& id, const Named& named,
             const std::optional<xfrm::PolicySpec>& in_kernel);

  // What is claimed.
  [[nodiscard]] std::vector<xfrm::PolicyId> wanted() const;
  // Whose claim is in effect; nullopt: there is no such policy of ours.
  [[nodiscard]] std::optional<std::pair<Owner, Named>> holder(const xfrm::PolicyId& id) const;
  [[nodiscard]] std::map<std::uint32_t, maps::PolicyRecord> records() const;

 private:
  // Thousands of children may have the same selectors: the policy's id is the key of its entry alone.
  struct Claim {
    Claim(const Owner& who, const xfrm::PolicySpec& policy, Named name)
        : owner(who),
          priority(policy.priority),
          device(policy.device),
          action(policy.action),
          esp(policy.esp),
          named(std::move(name)) {}
    Owner owner;
    std::uint32_t priority, device;
    xfrm::PolicyAction action;
    std::optional<xfrm::Template> esp;
    Named named;
    [[nodiscard]] xfrm::PolicySpec policy(const xfrm::PolicyId& id) const {
      return {id, priority, action, esp, device};
    }
  };
  struct Entry {
    std::optional<std::uint32_t> index;         // in the ledger, if that has room
    std::vector<Claim> claims;                  // the last one is in effect
    std::optional<xfrm::PolicySpec> installed;  // as last asked for
    std::optional<maps::PolicyRecord> recorded;
  };
  using Entries = std::map<xfrm::PolicyId, Entry>;
  void put(Entries::value_type& entry, std::optional<base::ChildId> child);
  bool hold(const Owner& owner, const xfrm::PolicyId& key);  // false: it did already

  Work& work_;
  Indices indices_;
  Entries entries_;
  // By claims, keys of entries_; thousands of owners may go at once.
  std::map<Owner, std::vector<const xfrm::PolicyId*>> held_;
};

}  // namespace espgate::sad
