// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/sad/world.h"

#include <gtest/gtest.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

namespace espgate::sad {

base::Address address(std::string_view text) { return *base::Address::parse(text); }

std::vector<base::TrafficSelector> nets(std::initializer_list<std::string_view> prefixes) {
  std::vector<base::TrafficSelector> out;
  for (const auto prefix : prefixes) out.push_back(base::TrafficSelector::of(*base::Prefix::parse(prefix)));
  return out;
}

ChildPlan plan_for(std::string_view child, std::string_view local, std::string_view remote) {
  ChildPlan out;
  out.conn = "site-a";
  out.child = child;
  out.local_ts = nets({local});
  out.remote_ts = nets({remote});
  return out;
}

ike::InstallChild child(std::uint64_t id, base::OffloadWanted wanted, std::string_view name, std::string_view local,
                        std::string_view remote) {
  ike::InstallChild out;
  out.id = {100 + id};
  out.child.id = {id};
  out.child.conn = "site-a";
  out.child.child = name;
  out.child.local = {address("192.0.2.1"), 500};
  out.child.remote = {address("192.0.2.2"), 500};
  out.child.spi_in = {0x1000 + static_cast<std::uint32_t>(id)};
  out.child.spi_out = {0x2000 + static_cast<std::uint32_t>(id)};
  out.child.local_ts = nets({local});
  out.child.remote_ts = nets({remote});
  out.child.offload = wanted;
  out.child.keys.cipher_in = base::Secret::copy_of(base::as_bytes("in  key of child " + std::to_string(100 + id)));
  out.child.keys.cipher_out = base::Secret::copy_of(base::as_bytes("out key of child " + std::to_string(100 + id)));
  return out;
}

ike::InstallChild generation(std::uint64_t id, std::uint64_t old, base::OffloadWanted wanted, std::string_view local) {
  auto out = child(id, wanted, "net", local);
  out.child.replaces = base::ChildId{old};
  return out;
}

void World::plan(const std::vector<ChildPlan>& children) { carry_out(sad.on_plan({}, Plan{children})); }

ike::ChildAnswer World::install(ike::InstallChild what, InstallContext context) {
  const auto id = what.id;
  const auto before = answers.size();
  carry_out(sad.on_install({}, std::move(what), context));
  EXPECT_EQ(answers.size(), before + 1) << "an InstallChild is answered exactly once";
  EXPECT_EQ(answers.back().id, id);
  expect_consistent();
  return answers.back();
}

ike::ChildAnswer World::add_inbound(ike::InstallChild what, InstallContext context) {
  const auto before = answers.size();
  carry_out(sad.on_add_inbound({}, {what.id, std::move(what.child)}, context));
  EXPECT_EQ(answers.size(), before + 1) << "an AddInbound is answered exactly once";
  expect_consistent();
  return answers.back();
}

ike::ChildAnswer World::switch_outbound(base::ChildId id) {
  const auto before = answers.size();
  carry_out(sad.on_switch_outbound({}, {{900 + id.value}, id}));
  EXPECT_EQ(answers.size(), before + 1) << "a SwitchOutbound is answered exactly once";
  EXPECT_EQ(answers.back().id.value, 900 + id.value);
  expect_consistent();
  return answers.back();
}

void World::retire(base::ChildId id, ike::RetireSa::Part part) {
  carry_out(sad.on_retire({}, {id, part}));
  expect_consistent();
}

void World::remove(base::ChildId id) {
  carry_out(sad.on_remove({}, {id, ike::Reason::closed_by_operator}));
  expect_consistent();
}

void World::stop() {
  carry_out(sad.stop({}));
  expect_consistent();
}

void World::reborn(bool ledger_lost, std::vector<ike::KeptChild> children, std::vector<ChildPlan> plans) {
  sad = Sad(options);
  Leftover leftover;
  if (ledger_lost) {
    ledger_sas.clear();
    spread.clear();
    ledger_policies.clear();
  }
  leftover.sas = ledger_sas;
  leftover.policies = ledger_policies;
  leftover.ledger_lost = ledger_lost;
  leftover.kernel_sas = *kernel.dump_sas();
  leftover.kernel_policies = *kernel.dump_policies();
  leftover.children = std::move(children);
  leftover.believed = believed;
  carry_out(sad.restore({}, std::move(leftover), Plan{std::move(plans)}));
}

void World::carry_out(Outputs outputs) {
  pump(sad, kernel, {}, std::move(outputs), [this](Output&& output) { take(std::move(output)); });
  EXPECT_TRUE(sad.idle());
}

std::vector<xfrm::Result> WatchedKernel::execute(std::span<const xfrm::Request> requests) {
  std::vector<xfrm::Result> out;
  for (const auto& request : requests) {
    auto result = ModelKernel::execute({&request, 1});
    std::ranges::move(result, std::back_inserter(out));
    if (after) after();
  }
  return out;
}

void World::expect_spread_apart() const {
  for (const auto slot : spread) {
    const auto& sa = ledger_sas.at(slot);
    const auto* held = kernel.find({sa.dst, sa.spi});
    EXPECT_FALSE(held != nullptr && held->offload) << "slot " << slot << " is spread, and on a device";
  }
}

void World::take(Output&& output) {
  if (auto* assign = std::get_if<AssignSlot>(&output)) {
    EXPECT_LT(assign->slot, options.slots);
    EXPECT_TRUE(ledger_sas.emplace(assign->slot, assign->sa).second) << "slot in use";
    EXPECT_EQ(kernel.find({assign->sa.dst, assign->sa.spi}), nullptr) << "the ledger comes before the kernel";
  } else if (auto* update = std::get_if<UpdateSlot>(&output)) {
    ASSERT_TRUE(ledger_sas.contains(update->slot));
    EXPECT_EQ(ledger_sas.at(update->slot).spi, update->sa.spi);
    ledger_sas[update->slot] = update->sa;
    const auto& sa = update->sa;
    if (sa.direction == base::Direction::in && sa.proto == IPPROTO_ESP && sa.actual == base::OffloadActual::none)
      spread.insert(update->slot);
    else
      spread.erase(update->slot);
  } else if (auto* release = std::get_if<ReleaseSlot>(&output)) {
    ASSERT_TRUE(ledger_sas.contains(release->slot));
    const auto& sa = ledger_sas.at(release->slot);
    const auto* in_kernel = kernel.find({sa.dst, sa.spi});
    EXPECT_TRUE(in_kernel == nullptr || in_kernel->reqid != sa.reqid) << "released while the kernel has it";
    ledger_sas.erase(release->slot);
    spread.erase(release->slot);
    ++released;
  } else if (auto* write = std::get_if<WritePolicy>(&output)) {
    EXPECT_LT(write->index, options.policies);
    ledger_policies[write->index] = write->policy;
  } else if (auto* clear = std::get_if<ClearPolicy>(&output)) {
    EXPECT_EQ(ledger_policies.erase(clear->index), 1U);
  } else if (auto* answer = std::get_if<ike::ChildAnswer>(&output)) {
    answers.push_back(*answer);
  } else if (auto* notice = std::get_if<Notice>(&output)) {
    notices.push_back(*notice);
  }
  expect_spread_apart();
  if (told) told(output);
}

void World::expect_consistent() const {
  EXPECT_EQ(sad.policies(), ledger_policies);
  EXPECT_EQ(sad.sas().size(), ledger_sas.size());
  EXPECT_EQ(kernel.outbound_keys_reused(), 0U);
  const auto held = *const_cast<WatchedKernel&>(kernel).dump_sas();
  for (const auto& [slot, sa] : ledger_sas) {
    const auto state = std::ranges::find_if(held, [&](const xfrm::SaState& one) {  // the ledger knows no marks
      return one.id.destination == sa.dst && one.id.spi == sa.spi;
    });
    ASSERT_NE(state, held.end()) << "slot " << slot << " names an SA that is not there";
    EXPECT_EQ(state->offload.has_value(), sa.actual != base::OffloadActual::none);
    EXPECT_EQ(state->reqid, sa.reqid);
  }
  std::set<xfrm::PolicyId> recorded;
  for (const auto& [index, policy] : ledger_policies) {
    EXPECT_TRUE(recorded.insert(id_of(policy)).second) << "recorded twice";
  }
  std::set<xfrm::PolicyId> there;
  auto& mutable_kernel = const_cast<WatchedKernel&>(kernel);
  const auto policies = *mutable_kernel.dump_policies();
  for (const auto& policy : policies) {
    const bool full = recorded.size() == options.policies && policy.id.layer == xfrm::Layer::floor;
    if (policy.id.layer == xfrm::Layer::foreign || (full && !recorded.contains(policy.id))) continue;
    there.insert(policy.id);
  }
  EXPECT_EQ(there, recorded);
}

std::string World::log() const {
  std::string out;
  for (const auto& notice : notices) out += notice.text + "\n";
  return out;
}

std::size_t World::policies(xfrm::Layer layer) const {
  std::size_t out = 0;
  auto& mutable_kernel = const_cast<WatchedKernel&>(kernel);
  const auto policies = *mutable_kernel.dump_policies();
  for (const auto& policy : policies) out += policy.id.layer == layer ? 1 : 0;
  return out;
}

}  // namespace espgate::sad
