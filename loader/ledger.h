// SPDX-License-Identifier: Apache-2.0
// Writes sa_dir, sa_slot, sa_index, child_total and policy_dir, in an order that a crash at any point leaves
// repairable.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "loader/loader.h"
#include "loader/objects.h"

namespace espgate::loader {

class Ledger {
 public:
  // The descriptors stay the caller's; `netns` stands in for records that name none.
  Ledger(const ObjectFds& fds, const espgate_meta& meta, std::uint64_t netns) : fds_(fds), meta_(meta), netns_(netns) {}

  base::Result<std::uint32_t> assign(std::uint32_t slot, const maps::SaRecord& sa);
  base::Result<void> update(std::uint32_t slot, const maps::SaRecord& sa);
  // `counts`: of the slot and generation now, to be folded.
  base::Result<void> release(std::uint32_t slot, const maps::Reader& reader, const maps::Counts& besides);
  [[nodiscard]] std::vector<LedgerSa> sas() const;

  base::Result<void> put_policy(std::uint32_t index, const maps::PolicyRecord& policy);
  base::Result<void> clear_policy(std::uint32_t index);

  // After a crash: frees slots that were folded but not freed, so that they are not folded again; and starts counting
  // where the entry was written and nothing more.
  void repair();

 private:
  base::Result<espgate_sa_entry> read(std::uint32_t slot) const;
  base::Result<void> write(std::uint32_t slot, const espgate_sa_entry& entry);
  base::Result<void> list(std::uint32_t slot, const espgate_sa_entry& entry, std::uint64_t flags);
  void unlist(std::uint32_t slot, const espgate_sa_entry& entry);
  base::Result<void> fold(std::uint32_t slot, const espgate_sa_entry& entry, const maps::Counts& counts);
  base::Result<void> set_spread(std::uint32_t slot, const espgate_sa_entry& entry);
  [[nodiscard]] bool is_folded(std::uint32_t slot, const espgate_sa_entry& entry) const;

  ObjectFds fds_;
  espgate_meta meta_;
  std::uint64_t netns_;
};

}  // namespace espgate::loader
