// SPDX-License-Identifier: Apache-2.0
#include "loader/ledger.h"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include <cerrno>
#include <cstring>

#include "maps/walk.h"

namespace espgate::loader {

namespace {

std::unexpected<base::Error> refuse(std::string operation, int code, std::string detail = {}) {
  return std::unexpected(base::Error{std::move(operation), code, std::move(detail)});
}

bool same_key(const espgate_sa_entry& a, const espgate_sa_entry& b) {
  const espgate_sa_key one = maps::key_of(a), other = maps::key_of(b);
  return std::memcmp(&one, &other, sizeof one) == 0 && a.direction == b.direction;
}

}  // namespace

base::Result<espgate_sa_entry> Ledger::read(std::uint32_t slot) const {
  espgate_sa_entry entry{};
  if (slot >= meta_.max_slots) return refuse(fmt::format("use slot {} of {}", slot, meta_.max_slots), ENOSPC);
  if (bpf_map_lookup_elem(fds_.sa_dir, &slot, &entry) != 0)
    return std::unexpected(base::Error::last(fmt::format("read sa_dir[{}]", slot)));
  return entry;
}

base::Result<void> Ledger::write(std::uint32_t slot, const espgate_sa_entry& entry) {
  if (bpf_map_update_elem(fds_.sa_dir, &slot, &entry, BPF_ANY) != 0)
    return std::unexpected(base::Error::last(fmt::format("write sa_dir[{}]", slot)));
  return {};
}

base::Result<std::uint32_t> Ledger::assign(std::uint32_t slot, const maps::SaRecord& sa) {
  const auto before = read(slot);
  if (!before) return std::unexpected(before.error());
  if (before->in_use != 0) return refuse(fmt::format("assign slot {}", slot), EBUSY);
  std::uint32_t generation = before->generation + 1;
  if (generation == 0) generation = 1;
  espgate_sa_entry entry = maps::to_abi(sa, generation);
  if (entry.netns == 0) entry.netns = netns_;
  if (auto written = write(slot, entry); !written) return std::unexpected(written.error());
  const auto listed = list(slot, entry, BPF_ANY);
  if (listed) return generation;
  entry.in_use = 0;
  (void)write(slot, entry);
  return std::unexpected(listed.error());
}

// From now on it is found and counted. `flags`: whether it may take the place of the same SA in another slot.
base::Result<void> Ledger::list(std::uint32_t slot, const espgate_sa_entry& entry, std::uint64_t flags) {
  const espgate_sa_index index{maps::key_of(entry), maps::value_of(entry, slot), {}};
  if (bpf_map_update_elem(fds_.sa_slot, &index.key, &index.value, flags) != 0 &&
      !(flags == BPF_NOEXIST && errno == EEXIST))
    return std::unexpected(base::Error::last(fmt::format("write sa_slot for slot {}", slot)));
  if (bpf_map_update_elem(fds_.sa_index, &slot, &index, BPF_ANY) != 0)
    return std::unexpected(base::Error::last(fmt::format("write sa_index[{}]", slot)));
  return {};
}

void Ledger::unlist(std::uint32_t slot, const espgate_sa_entry& entry) {
  const espgate_sa_index none{};
  bpf_map_update_elem(fds_.sa_index, &slot, &none, BPF_ANY);
  const espgate_sa_key key = maps::key_of(entry);
  espgate_sa_value value{};
  // The key may be another slot's by now, if the same SPI was installed anew.
  if (bpf_map_lookup_elem(fds_.sa_slot, &key, &value) == 0 && value.slot == slot)
    bpf_map_delete_elem(fds_.sa_slot, &key);
}

base::Result<void> Ledger::update(std::uint32_t slot, const maps::SaRecord& sa) {
  const auto before = read(slot);
  if (!before) return std::unexpected(before.error());
  if (before->in_use == 0) return refuse(fmt::format("update slot {}", slot), ENOENT);
  espgate_sa_entry entry = maps::to_abi(sa, before->generation);
  if (entry.netns == 0) entry.netns = before->netns;
  if (!same_key(entry, *before)) return refuse(fmt::format("update slot {}", slot), EINVAL, "that is another SA");
  if (auto spread = set_spread(slot, entry); !spread) return spread;
  return write(slot, entry);
}

// The first update() says what the kernel made of the SA. Before that it may be on trial with a device, whose decrypted
// packets do not survive a CPU map.
base::Result<void> Ledger::set_spread(std::uint32_t slot, const espgate_sa_entry& entry) {
  const espgate_sa_key key = maps::key_of(entry);
  espgate_sa_value value{};
  if (bpf_map_lookup_elem(fds_.sa_slot, &key, &value) != 0 || value.slot != slot) return {};
  const bool spread =
      entry.direction == ESPGATE_IN && entry.proto == IPPROTO_ESP && entry.actual == ESPGATE_ACTUAL_NONE;
  if (value.spread == static_cast<std::uint8_t>(spread)) return {};
  value.spread = spread;
  if (bpf_map_update_elem(fds_.sa_slot, &key, &value, BPF_EXIST) != 0)
    return std::unexpected(base::Error::last(fmt::format("write sa_slot for slot {}", slot)));
  return {};
}

bool Ledger::is_folded(std::uint32_t slot, const espgate_sa_entry& entry) const {
  espgate_child_total total{};
  if (bpf_map_lookup_elem(fds_.child_total, &entry.child_uid, &total) != 0) return false;
  const espgate_folded& folded = total.folded[entry.direction & 1];
  return folded.last_slot == slot && folded.last_generation == entry.generation;
}

base::Result<void> Ledger::fold(std::uint32_t slot, const espgate_sa_entry& entry, const maps::Counts& counts) {
  espgate_child_total total{};
  (void)bpf_map_lookup_elem(fds_.child_total, &entry.child_uid, &total);  // absent: the first SA of this child
  std::memcpy(total.conn, entry.conn, sizeof total.conn);
  std::memcpy(total.child, entry.child, sizeof total.child);
  if (entry.device[0] != 0) std::memcpy(total.device, entry.device, sizeof total.device);
  espgate_folded& folded = total.folded[entry.direction & 1];
  folded.hw_packets += counts.hw_packets;
  folded.hw_bytes += counts.hw_bytes;
  folded.sw_packets += counts.sw_packets;
  folded.sw_bytes += counts.sw_bytes;
  for (std::size_t i = 0; i < counts.fallback.size(); ++i) folded.fallback[i] += counts.fallback[i];
  folded.last_slot = slot;
  folded.last_generation = entry.generation;
  ++folded.sas;
  // One update is one step: either sums and name of the fold are there, or neither.
  if (bpf_map_update_elem(fds_.child_total, &entry.child_uid, &total, BPF_ANY) != 0)
    return std::unexpected(base::Error::last(fmt::format("fold slot {} into child_total", slot)));
  return {};
}

base::Result<void> Ledger::release(std::uint32_t slot, const maps::Reader& reader, const maps::Counts& besides) {
  auto entry = read(slot);
  if (!entry) return std::unexpected(entry.error());
  if (entry->in_use == 0) return refuse(fmt::format("release slot {}", slot), ENOENT);
  unlist(slot, *entry);
  base::Result<void> folded;
  if (!is_folded(slot, *entry)) {
    auto counts = reader.counts(slot, entry->generation);
    counts += besides;
    folded = fold(slot, *entry, counts);
  }
  entry->in_use = 0;
  auto written = write(slot, *entry);
  return folded ? written : folded;
}

std::vector<LedgerSa> Ledger::sas() const {
  std::vector<LedgerSa> out;
  maps::walk<std::uint32_t, espgate_sa_entry>(fds_.sa_dir, 1,
                                              [&](std::uint32_t slot, std::span<const espgate_sa_entry> values) {
                                                const espgate_sa_entry& entry = values.front();
                                                if (entry.in_use != 0)
                                                  out.push_back({slot, entry.generation, maps::from_abi(entry)});
                                              });
  return out;
}

void Ledger::repair() {
  for (const LedgerSa& left : sas()) {
    auto entry = read(left.slot);
    if (is_folded(left.slot, *entry)) {
      entry->in_use = 0;
      (void)write(left.slot, *entry);
    } else {
      (void)list(left.slot, *entry, BPF_NOEXIST);
    }
  }
}

base::Result<void> Ledger::put_policy(std::uint32_t index, const maps::PolicyRecord& policy) {
  if (index >= meta_.max_policies) return refuse(fmt::format("use policy {} of {}", index, meta_.max_policies), ENOSPC);
  espgate_policy_entry entry = maps::to_abi(policy);
  if (entry.netns == 0) entry.netns = netns_;
  if (bpf_map_update_elem(fds_.policy_dir, &index, &entry, BPF_ANY) != 0)
    return std::unexpected(base::Error::last(fmt::format("write policy_dir[{}]", index)));
  return {};
}

base::Result<void> Ledger::clear_policy(std::uint32_t index) {
  const espgate_policy_entry none{};
  if (index >= meta_.max_policies) return refuse(fmt::format("use policy {} of {}", index, meta_.max_policies), ENOSPC);
  if (bpf_map_update_elem(fds_.policy_dir, &index, &none, BPF_ANY) != 0)
    return std::unexpected(base::Error::last(fmt::format("clear policy_dir[{}]", index)));
  return {};
}

}  // namespace espgate::loader
