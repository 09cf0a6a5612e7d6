// SPDX-License-Identifier: Apache-2.0
// What a former self left, to be found by the names of its SAs. Inside sad/ only.
#pragma once

#include <list>
#include <map>
#include <optional>
#include <set>

#include "sad/child.h"

namespace espgate::sad {

class Estate {
 public:
  explicit Estate(const Leftover& left);

  // What there is of one direction of a child.
  struct Found {
    const xfrm::SaState* state = nullptr;  // in the kernel
    std::optional<std::uint32_t> slot;     // in the ledger, with what stands there
    const maps::SaRecord* record = nullptr;
  };
  Found find(const Child& child, base::Direction direction, ike::KeptChild::Was was);
  [[nodiscard]] bool holds(const xfrm::SaId& id) const { return states_.contains(id); }

  // What goes on is no leftover.
  void keep(const Found& found);
  void keep(const xfrm::SaId& id) { kept_sas_.insert(id); }
  [[nodiscard]] bool kept(std::uint32_t slot) const { return kept_slots_.contains(slot); }
  [[nodiscard]] bool kept(const xfrm::SaId& id) const { return kept_sas_.contains(id); }
  [[nodiscard]] bool ledger_lost() const { return left_.ledger_lost; }

 private:
  const xfrm::SaState* believe(const xfrm::SaId& id, const maps::SaRecord* record, base::ChildId child);

  const Leftover& left_;
  std::map<xfrm::SaId, const xfrm::SaState*> states_;
  std::map<std::pair<base::Address, base::Spi>, std::uint32_t> slots_;
  std::list<xfrm::SaState> believed_;
  std::set<xfrm::SaId> kept_sas_;
  std::set<std::uint32_t> kept_slots_;
};

}  // namespace espgate::sad
