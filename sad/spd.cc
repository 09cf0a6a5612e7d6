// SPDX-License-Identifier: Apache-2.0
#include "sad/spd.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

namespace espgate::sad {
namespace {

maps::PolicyRecord record_for(const xfrm::PolicySpec& policy, const Named& named) {
  maps::PolicyRecord out = record_of(policy);
  out.uid = named.uid;
  out.conn = named.conn;
  out.child = named.child;
  return out;
}

}  // namespace

Spd::Claimed Spd::claim(const Owner& owner, const xfrm::PolicySpec& policy, const Named& named,
                        std::optional<base::ChildId> child) {
  auto found = entries_.find(policy.id);
  if (found == entries_.end()) {
    const auto index = indices_.take();
    if (!index && owner.kind != Owner::Kind::floor) return Claimed::no_room;
    found = entries_.emplace(policy.id, Entry{index, {}, {}, {}}).first;
  }
  Entry& entry = found->second;
  if (!hold(owner, found->first)) std::erase_if(entry.claims, [&](const Claim& claim) { return claim.owner == owner; });
  entry.claims.emplace_back(owner, policy, named);
  if (entry.installed == policy) return Claimed::standing;
  put(*found, child);
  return entry.index || owner.kind != Owner::Kind::floor ? Claimed::asked : Claimed::unrecorded;
}

bool Spd::hold(const Owner& owner, const xfrm::PolicyId& key) {
  auto& held = held_[owner];
  if (std::ranges::find(held, &key) != held.end()) return false;
  held.push_back(&key);
  return true;
}

void Spd::put(Entries::value_type& which, std::optional<base::ChildId> child) {
  auto& [id, entry] = which;
  const Claim& effective = entry.claims.back();
  const auto policy = effective.policy(id);
  const auto record = record_for(policy, effective.named);
  if (!entry.index) entry.index = indices_.take();
  if (entry.index && entry.recorded != record) {
    work_.emit(WritePolicy{*entry.index, record});
    entry.recorded = record;
  }
  entry.installed = policy;
  work_.ask(xfrm::PutPolicy{policy}, ForPolicyPut{id, child, effective.named});
}

void Spd::release(const Owner& owner, const xfrm::PolicyId& id) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  if (std::erase_if(entry.claims, [&](const Claim& claim) { return claim.owner == owner; }) == 0) return;
  if (const auto holds = held_.find(owner); holds != held_.end()) {
    std::erase(holds->second, &found->first);
    if (holds->second.empty()) held_.erase(holds);
  }
  if (entry.claims.empty()) {
    entry.installed.reset();
    work_.ask(xfrm::DelPolicy{id}, ForPolicyDel{id});
  } else if (entry.installed != entry.claims.back().policy(id)) {
    put(*found, {});
  }
}

void Spd::release_all(const Owner& owner) {
  const auto holds = held_.extract(owner);
  if (holds.empty()) return;
  std::vector<xfrm::PolicyId> held;
  for (const auto* id : holds.mapped()) held.push_back(*id);
  std::ranges::sort(held);
  std::ranges::stable_partition(held, [](const auto& id) { return id.direction == xfrm::PolicyDirection::out; });
  // What lies beneath a policy of a device, and what lets IKE pass by it, goes after it.
  std::ranges::stable_partition(held, [](const auto& id) { return id.layer == xfrm::Layer::child; });
  for (const auto& id : held) release(owner, id);
}

std::size_t Spd::put_again(const std::optional<std::vector<xfrm::PolicyId>>& ids) {
  std::vector<Entries::value_type*> which;
  const auto add = [&](Entries::value_type& entry) {
    if (!entry.second.claims.empty() && entry.second.installed) which.push_back(&entry);
  };
  if (!ids) {
    for (auto& entry : entries_) add(entry);
  } else {
    for (const auto& id : *ids) {
      if (const auto found = entries_.find(id); found != entries_.end()) add(*found);
    }
  }
  // Until they are there packets leave in the clear: what leaves comes first, and of that what stops all of it.
  const auto rank = [](const Entries::value_type* entry) {
    const bool leaves = entry->first.direction == xfrm::PolicyDirection::out;
    return std::pair(!leaves, entry->second.installed->action != xfrm::PolicyAction::block);
  };
  std::ranges::stable_sort(which, {}, rank);
  for (auto* entry : which) put(*entry, {});
  return which.size();
}

void Spd::put_arrived(const xfrm::PolicyId& id, bool done) {
  const auto found = entries_.find(id);
  // What is in the kernel now is not known: the next claim puts it again.
  if (!done && found != entries_.end()) found->second.installed.reset();
}

void Spd::del_arrived(const xfrm::PolicyId& id, const xfrm::Result& result) {
  const auto found = entries_.find(id);
  if (found == entries_.end() || !found->second.claims.empty()) return;  // claimed anew meanwhile
  const bool gone = result || result.error().code == ENOENT || result.error().code == ESRCH;
  if (!gone) {
    // The ledger keeps it: the next start tries again.
    work_.emit(Notice{Notice::Level::error,
                      {},
                      {},
                      Reason::kernel_refused,
                      fmt::format("a policy of ours could not be removed: {}", result.error().text())});
    return;
  }
  if (const auto index = found->second.index) {
    work_.emit(ClearPolicy{*index});
    indices_.give_back(*index);
  }
  entries_.erase(found);
}

void Spd::adopt(std::optional<std::uint32_t> index, const xfrm::PolicyId& id, const Named& named,
                const std::optional<xfrm::PolicySpec>& in_kernel) {
  if (index) indices_.claim(*index);
  const bool known = entries_.contains(id);
  if (!in_kernel || known) {
    if (index) {
      indices_.give_back(*index);
      work_.emit(ClearPolicy{*index});
    }
    return;
  }
  const auto slot = index ? index : indices_.take();
  if (!slot) return;
  const auto record = record_for(*in_kernel, named);
  if (!index) work_.emit(WritePolicy{*slot, record});
  const auto fresh = entries_.emplace(id, Entry{*slot, {{Owner{}, *in_kernel, named}}, in_kernel, record}).first;
  held_[Owner{}].push_back(&fresh->first);
}

std::optional<std::pair<Owner, Named>> Spd::holder(const xfrm::PolicyId& id) const {
  const auto found = entries_.find(id);
  if (found == entries_.end() || found->second.claims.empty()) return std::nullopt;
  const Claim& claim = found->second.claims.back();
  return std::pair(claim.owner, claim.named);
}

std::vector<xfrm::PolicyId> Spd::wanted() const {
  std::vector<xfrm::PolicyId> out;
  for (const auto& [id, entry] : entries_) {
    if (!entry.claims.empty() && entry.installed) out.push_back(id);
  }
  return out;
}

std::map<std::uint32_t, maps::PolicyRecord> Spd::records() const {
  std::map<std::uint32_t, maps::PolicyRecord> out;
  for (const auto& [id, entry] : entries_) {
    if (entry.index && entry.recorded) out[*entry.index] = *entry.recorded;
  }
  return out;
}

}  // namespace espgate::sad
