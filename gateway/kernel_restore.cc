// SPDX-License-Identifier: Apache-2.0
// What a former self left in the kernel and in the ledger, and which of its children go on.
#include <map>
#include <string>
#include <utility>

#include "gateway/kernel_side.h"
#include "gateway/log.h"
#include "xfrm/null_kernel.h"

namespace espgate::gateway {

namespace {

// What a former self left: its ledger, and what the kernel holds.
base::Result<sad::Leftover> leftover(const loader::Loader& loader, xfrm::Kernel& kernel) {
  sad::Leftover out;
  for (const auto& sa : loader.sas()) out.sas.emplace(sa.slot, sa.sa);
  out.policies = loader.policies();
  out.ledger_lost = !loader.capabilities().reused;
  auto sas = kernel.dump_sas();
  if (!sas) return std::unexpected(sas.error());
  out.kernel_sas = std::move(*sas);
  auto policies = kernel.dump_policies();
  if (!policies) return std::unexpected(policies.error());
  out.kernel_policies = std::move(*policies);
  return out;
}

std::vector<base::ChildId> past_soft_limits(const sad::Leftover& left) {
  std::map<std::pair<base::Address, base::Spi>, const xfrm::SaState*> states;
  for (const auto& state : left.kernel_sas) states.emplace(std::pair(state.id.destination, state.id.spi), &state);
  const auto past = [&](const base::Address& destination, base::Spi spi, const ike::ChildLimits& limits) {
    const auto found = states.find({destination, spi});
    if (found == states.end()) return false;
    const auto& state = *found->second;
    return (limits.soft_bytes != 0 && state.bytes >= limits.soft_bytes) ||
           (limits.soft_packets != 0 && state.packets >= limits.soft_packets);
  };
  std::vector<base::ChildId> out;
  for (const auto& child : left.children) {
    const auto& spec = child.spec;
    if (child.was != ike::KeptChild::Was::up) continue;
    const bool in = past(spec.local.address, spec.spi_in, spec.limits);
    if (in || past(spec.remote.address, spec.spi_out, spec.limits)) out.push_back(spec.id);
  }
  return out;
}

}  // namespace

base::Result<void> KernelSide::restore(base::Instant now, std::vector<ike::KeptChild> children, const sad::Plan& plan) {
  auto left = leftover(loader_, *kernel_);
  if (!left) return std::unexpected(left.error());
  left->children = std::move(children);
  spent_ = past_soft_limits(*left);
  left->believed = dynamic_cast<const xfrm::NullKernel*>(kernel_.get()) != nullptr;
  if (!left->sas.empty() || !left->policies.empty()) {
    const std::string those = left->children.empty() ? "SAs are removed" : "those of no child that goes on are removed";
    log_info("a former espgated left " + std::to_string(left->sas.size()) + " SAs and " +
             std::to_string(left->policies.size()) + " policies: " + those + ", block policies stand until replaced");
  }
  carry_out(now, sad_.restore(now, std::move(*left), plan));
  return {};
}

}  // namespace espgate::gateway
