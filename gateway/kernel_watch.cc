// SPDX-License-Identifier: Apache-2.0
// What the watch is told: packets of children in hardware, and integrity failures of all, read when there are new ones.
#include <algorithm>
#include <fstream>

#include "gateway/kernel_side.h"

namespace espgate::gateway {

namespace {

// Of this network namespace, over all SAs; nullopt: a kernel without CONFIG_XFRM_STATISTICS.
struct Statistics {
  // What an inbound SA could make nothing of, integrity failures among it.
  std::optional<std::uint64_t> protocol_errors;
  std::optional<std::uint64_t> unsent;
};

Statistics statistics() {
  Statistics out;
  std::ifstream file("/proc/self/net/xfrm_stat");
  std::string name;
  std::uint64_t value = 0;
  while (file >> name >> value) {
    if (name == "XfrmInStateProtoError") out.protocol_errors = value;
    if (name == "XfrmOutError") out.unsent = value;
  }
  return out;
}

void add(sad::Reading& to, const maps::SaRow& row) {
  if (row.sa.direction == base::Direction::in) {
    to.in += row.counts.hw_packets + row.counts.sw_packets;
  } else {
    to.out_hardware += row.counts.hw_packets;
    to.out_software += row.counts.sw_packets;
  }
}

}  // namespace

void KernelSide::place(const ike::ChildSpec& child, sad::InstallContext& context) {
  context.placement = slots_.place(child, context.device);
  watch_.begins(child, context.device);
  if (!distrusted_ || child.offload == base::OffloadWanted::no || context.device.empty()) return;
  const auto packet = distrusted_(context.device, child.suite, xfrm::OffloadKind::packet);
  const auto crypto = distrusted_(context.device, child.suite, xfrm::OffloadKind::crypto);
  // Of `auto`, crypto mode is left.
  if (!packet.empty()) context.packet = sad::PacketMode::refuses;
  const auto& why = child.offload == base::OffloadWanted::packet ? packet : crypto;
  if (!why.empty()) context.placement = {false, sad::Reason::distrusted, why};
}

std::map<base::ChildId, sad::Reading> KernelSide::readings(const std::set<base::ChildId>& children) {
  std::map<base::ChildId, sad::Reading> out;
  std::set<base::ChildId> others;  // that the kernel alone can tell of
  const auto* reader = children.empty() ? nullptr : loader_.reader();
  if (reader == nullptr) {
    others = children;
  } else {
    for (const auto& [slot, child] : sad_.slots()) {
      if (!children.contains(child)) continue;
      const auto row = reader->sa(slot);
      if (!row) continue;
      if (row->sa.actual == base::OffloadActual::packet) {
        others.insert(child);
      } else {
        add(out[child], *row);
      }
    }
  }
  read_states(others, out);
  return out;
}

// Which of them the device did nobody counts here: as it holds the SA, it is taken for all. In packet mode integrity
// failures are the device's, too, and no counter of the kernel's tells that there are new ones.
void KernelSide::read_states(const std::set<base::ChildId>& children, std::map<base::ChildId, sad::Reading>& to) {
  std::vector<xfrm::SaId> ids;
  std::vector<base::ChildId> whose;
  for (const auto child : children) {
    const auto sas = sad_.sas_of(child);
    if (!sas) continue;
    ids.push_back(sas->first);
    ids.push_back(sas->second);
    whose.push_back(child);
  }
  const auto found = states(ids);
  for (std::size_t i = 0; i < whose.size(); ++i) {
    const auto& in = found[2 * i];
    const auto& sent = found[2 * i + 1];
    if (!in || !sent) continue;
    to[whose[i]] = {sent->packets, 0, in->packets, 0};
    failures_[whose[i]] = in->integrity_errors;
  }
}

bool KernelSide::more_failures(std::optional<std::uint64_t> errors) {
  const bool more = !errors || errors != protocol_errors_;
  protocol_errors_ = errors;
  return more;
}

bool KernelSide::in_packet_mode() const {
  return std::ranges::any_of(sad_.sas(),
                             [](const auto& one) { return one.second.actual == base::OffloadActual::packet; });
}

void KernelSide::count_failures(const std::set<base::ChildId>& children) {
  std::vector<xfrm::SaId> ids;
  std::vector<base::ChildId> whose;
  for (const auto child : children) {
    const auto sas = sad_.sas_of(child);
    if (!sas) continue;
    ids.push_back(sas->first);
    whose.push_back(child);
  }
  const auto found = states(ids);
  for (std::size_t i = 0; i < whose.size(); ++i) {
    if (found[i]) failures_[whose[i]] = found[i]->integrity_errors;
  }
}

sad::WatchOrders KernelSide::watch(base::Instant now) {
  const auto wanted = watch_.wanted();
  std::set<base::ChildId> children(wanted.begin(), wanted.end());
  const auto counted = statistics();
  const bool more = more_failures(counted.protocol_errors);
  if (more || !counted_.empty()) {
    const auto software = watch_.in_software();
    children.insert(software.begin(), software.end());
  }
  std::set<base::ChildId> failing = children;
  // Of those in software nothing was read for a while: what they carried since then is no measure of the share that
  // fails.
  const bool first = more && counted_.empty();
  if (first) failing = {wanted.begin(), wanted.end()};
  if (more || !counted_.empty()) count_failures(failing);
  for (auto& [child, reading] : readings(children)) {
    const auto known = failures_.find(child);
    if (known != failures_.end()) reading.failed = known->second;
    watch_.count(child, reading);
  }
  counted_ = more ? children : std::set<base::ChildId>{};
  auto orders = watch_.round(now);
  if (counted.unsent) {
    if (auto line = unsent_.count(now, *counted.unsent, [this] { return in_packet_mode(); })) {
      orders.push_back(sad::WatchSays{true, std::move(*line)});
    }
  }
  return orders;
}

}  // namespace espgate::gateway
