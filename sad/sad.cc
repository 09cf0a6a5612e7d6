// SPDX-License-Identifier: Apache-2.0
#include "sad/sad.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "sad/children.h"
#include "sad/floor.h"
#include "sad/packet_mode.h"
#include "sad/selectors.h"
#include "sad/traps.h"

namespace espgate::sad {

class Sad::Impl {
 public:
  explicit Impl(Options options)
      : spd_(work_, options.policies),
        children_(work_, spd_, options.slots),
        floor_(work_, spd_),
        traps_(work_, spd_, children_.reqids()) {}

  void restore(Leftover leftover, const Plan& plan);
  void plan(const Plan& plan);
  void install(ike::InstallChild install, const InstallContext& context, bool inbound_first);
  void result(OpId id, xfrm::Result result);
  std::optional<Wanted> acquire(const xfrm::Notification& event);
  void policies_deleted(const std::optional<std::vector<xfrm::PolicyId>>& ids);
  void stop();

  Work work_;
  Spd spd_;
  Children children_;
  Floor floor_;
  Traps traps_;
  std::map<base::ChildId, ike::Kept> kept_;

 private:
  void take_handling(const Plan& plan);
  void restore_sas(const Leftover& leftover, const Estate& estate);
  void restore_policies(const Leftover& leftover);
  void arrived(const ForChild& what, xfrm::Result result) { children_.arrived(what, std::move(result)); }
  void arrived(const ForPolicyPut& what, const xfrm::Result& result);
  void arrived(const ForPolicyDel& what, const xfrm::Result& result) { spd_.del_arrived(what.policy, result); }
  void arrived(const ForLeftover& what, const xfrm::Result& result);

  std::map<base::ChildUid, Handling> handling_;
  std::map<base::ChildUid, std::uint32_t> larvals_;  // ACQUIREs without an answer yet
  bool planned_ = false;
};

namespace {

bool reqid_is_ours(std::uint32_t reqid) { return reqid > kReqidBase && reqid - kReqidBase < kReqids; }

}  // namespace

// What goes on claims its policies before anything goes.
void Sad::Impl::restore(Leftover leftover, const Plan& plan) {
  take_handling(plan);
  Estate estate(leftover);
  for (const auto& [slot, record] : leftover.sas) children_.claim_slot(slot);
  restore_policies(leftover);
  for (auto& child : leftover.children) {
    const auto id = child.spec.id;
    const auto handling = handling_.find(base::ChildUid::of(child.spec.conn, child.spec.child));
    kept_[id] = children_.adopt(std::move(child), handling == handling_.end() ? Handling{} : handling->second, estate);
  }
  restore_sas(leftover, estate);
}

// An SA counts as ours if the ledger names it and the reqid is the one written there: the SPI alone might be another's.
void Sad::Impl::restore_sas(const Leftover& leftover, const Estate& estate) {
  std::map<xfrm::SaId, std::uint32_t> reqids;
  for (const auto& state : leftover.kernel_sas) {
    if (!estate.kept(state.id)) reqids.emplace(state.id, state.reqid);
  }
  for (const auto& [slot, record] : leftover.sas) {
    if (estate.kept(slot)) continue;
    // The ledger does not know marks.
    const auto in_kernel = std::ranges::find_if(reqids, [&](const auto& entry) {
      return entry.first.destination == record.dst && entry.first.spi == record.spi && entry.second == record.reqid;
    });
    if (in_kernel != reqids.end()) {
      work_.ask(xfrm::DelSa{in_kernel->first}, ForLeftover{slot});
      reqids.erase(in_kernel);
    } else {
      work_.emit(ReleaseSlot{slot});
      children_.give_back_slot(slot);
    }
  }
  // Anchors of children in packet mode are named by what they stand for.
  for (const auto& other : reqids) {
    const auto stands_for = [&](const auto& entry) {
      return entry.second.reqid == other.second && entry.second.dst == other.first.destination &&
             entry.second.spi == anchored_spi(other.first.spi);
    };
    if (std::ranges::any_of(leftover.sas, stands_for)) work_.ask(xfrm::DelSa{other.first}, ForLeftover{});
  }
  // What a trial left when we died between its add and its delete is in no ledger by its reqid.
  for (const auto& [id, reqid] : reqids) {
    if (reqid == kTrialReqid || (leftover.ledger_lost && reqid_is_ours(reqid))) {
      work_.ask(xfrm::DelSa{id}, ForLeftover{});
    }
  }
}

void Sad::Impl::restore_policies(const Leftover& leftover) {
  std::map<xfrm::PolicyId, xfrm::PolicySpec> in_kernel;
  for (const auto& policy : leftover.kernel_policies) {
    if (policy.id.layer != xfrm::Layer::foreign) in_kernel.emplace(policy.id, policy);
  }
  for (const auto& [index, record] : leftover.policies) {
    const auto id = id_of(record);
    const auto found = in_kernel.find(id);
    const Named named{record.uid, record.conn, record.child};
    spd_.adopt(index, id, named, found == in_kernel.end() ? std::nullopt : std::optional(found->second));
    in_kernel.erase(id);
  }
  if (!leftover.ledger_lost) return;
  for (const auto& [id, policy] : in_kernel) spd_.adopt({}, id, {}, policy);
}

void Sad::Impl::take_handling(const Plan& plan) {
  handling_.clear();
  for (const auto& child : plan.children) handling_[base::ChildUid::of(child.conn, child.child)] = child.handling;
}

void Sad::Impl::plan(const Plan& plan) {
  take_handling(plan);
  floor_.follow(plan);
  traps_.follow(plan);
  if (planned_) return;
  planned_ = true;
  // What a former self left and nobody wants goes now that the floor stands beneath it.
  spd_.release_all(Owner{});
  work_.emit(Notice{Notice::Level::info,
                    {},
                    {},
                    Reason::none,
                    "routes: espgate installs none; traffic for a child has to be routed to a device already, with a "
                    "source address that the child's local_ts covers"});
}

void Sad::Impl::install(ike::InstallChild install, const InstallContext& context, bool inbound_first) {
  const auto uid = base::ChildUid::of(install.child.conn, install.child.child);
  const auto handling = handling_.find(uid);
  std::uint32_t larval = 0;
  if (auto node = larvals_.extract(uid); !node.empty()) larval = node.mapped();
  children_.install(std::move(install), context, handling == handling_.end() ? Handling{} : handling->second,
                    inbound_first, larval);
}

// A child's own policies lie above its trap. Who meets the trap while the child is up wants more than was agreed to.
std::optional<Wanted> Sad::Impl::acquire(const xfrm::Notification& event) {
  const auto holder = spd_.holder(event.policy);
  if (!holder || event.policy.direction != xfrm::PolicyDirection::out) return std::nullopt;
  const auto& [owner, named] = *holder;
  const auto packet = packet_of(event.packet);
  Wanted out{named.conn, named.child, packet.first, packet.second, {}, false};
  if (owner.kind == Owner::Kind::standing) {
    larvals_[named.uid] = event.larval;
    return out;
  }
  const base::ChildId id{owner.value};
  const auto outbound = owner.kind == Owner::Kind::child ? children_.outbound_of(id) : std::nullopt;
  if (!outbound) return std::nullopt;
  out.live.emplace(id, *outbound);
  out.hidden = children_.find(id)->out.verdict.actual == base::OffloadActual::packet;
  return out;
}

void Sad::Impl::result(OpId id, xfrm::Result result) {
  auto purpose = work_.arrived(id);
  if (!purpose) return;
  std::visit([&](const auto& what) { arrived(what, std::move(result)); }, *purpose);
}

void Sad::Impl::arrived(const ForPolicyPut& what, const xfrm::Result& result) {
  spd_.put_arrived(what.policy, result.has_value());
  if (what.child) return children_.policy_arrived(*what.child, result);
  if (result) return;
  if (what.policy.layer == xfrm::Layer::trap || what.policy.layer == xfrm::Layer::shunt) {
    return traps_.refused(what.policy, what.named, result.error());
  }
  if (what.policy.layer != xfrm::Layer::child && what.policy.layer != xfrm::Layer::guard)
    return floor_.refused(what.policy, what.named, result.error());
  // A claim that came back into effect when a newer one went.
  work_.emit(Notice{Notice::Level::error, what.named.conn, what.named.child, Reason::kernel_refused,
                    fmt::format("{}/{}: kernel refused a policy, the child carries nothing for {}: {}", what.named.conn,
                                what.named.child, what.policy.selector.text(), result.error().text())});
}

void Sad::Impl::arrived(const ForLeftover& what, const xfrm::Result& result) {
  if (!result && result.error().code != ESRCH) {
    work_.emit(
        Notice{Notice::Level::error,
               {},
               {},
               Reason::kernel_refused,
               fmt::format("an SA that an earlier espgated left could not be removed: {}", result.error().text())});
    return;
  }
  if (!what.slot) return;
  work_.emit(ReleaseSlot{*what.slot});
  children_.give_back_slot(*what.slot);
}

void Sad::Impl::policies_deleted(const std::optional<std::vector<xfrm::PolicyId>>& ids) {
  const auto count = spd_.put_again(ids);
  if (count == 0) return;
  work_.emit(Notice{Notice::Level::warning,
                    {},
                    {},
                    Reason::none,
                    fmt::format("somebody else deleted policies of ours: {} put back{}", count,
                                ids && ids->size() == 1 ? " (" + ids->front().selector.text() + ")" : "")});
}

void Sad::Impl::stop() {
  children_.stop();
  traps_.clear();
  floor_.clear();
  spd_.release_all(Owner{});
}

Sad::Sad(Options options) : impl_(std::make_unique<Impl>(options)) {}
Sad::~Sad() = default;
Sad::Sad(Sad&&) noexcept = default;
Sad& Sad::operator=(Sad&&) noexcept = default;

Outputs Sad::restore(base::Instant, Leftover leftover, const Plan& plan) {
  impl_->restore(std::move(leftover), plan);
  return impl_->work_.take();
}

const std::map<base::ChildId, ike::Kept>& Sad::kept() const { return impl_->kept_; }

Outputs Sad::on_plan(base::Instant, const Plan& plan) {
  impl_->plan(plan);
  return impl_->work_.take();
}

Outputs Sad::on_install(base::Instant, ike::InstallChild install, const InstallContext& context) {
  impl_->install(std::move(install), context, false);
  return impl_->work_.take();
}

Outputs Sad::on_remove(base::Instant, const ike::RemoveChild& remove) {
  impl_->children_.remove(remove.id);
  return impl_->work_.take();
}

Outputs Sad::on_add_inbound(base::Instant, ike::AddInbound add, const InstallContext& context) {
  impl_->install({add.id, std::move(add.child)}, context, true);
  return impl_->work_.take();
}

Outputs Sad::on_switch_outbound(base::Instant, const ike::SwitchOutbound& order) {
  impl_->children_.switch_outbound(order);
  return impl_->work_.take();
}

Outputs Sad::on_retire(base::Instant, const ike::RetireSa& order) {
  impl_->children_.retire(order);
  return impl_->work_.take();
}

Outputs Sad::on_result(base::Instant, OpId id, xfrm::Result result) {
  impl_->result(id, std::move(result));
  return impl_->work_.take();
}

std::optional<Wanted> Sad::on_acquire(const xfrm::Notification& event) { return impl_->acquire(event); }

Outputs Sad::on_trap(base::Instant, std::string_view conn, std::string_view child, bool on) {
  impl_->traps_.set(base::ChildUid::of(conn, child), on);
  return impl_->work_.take();
}

Outputs Sad::on_policies_deleted(base::Instant, const std::optional<std::vector<xfrm::PolicyId>>& ids) {
  impl_->policies_deleted(ids);
  return impl_->work_.take();
}

Outputs Sad::on_renamed(base::Instant, std::uint32_t ifindex, const std::string& name) {
  impl_->children_.rename(ifindex, name);
  return impl_->work_.take();
}

Outputs Sad::stop(base::Instant) {
  impl_->stop();
  return impl_->work_.take();
}

bool Sad::idle() const { return impl_->work_.idle(); }
bool Sad::floor_refused() const { return impl_->floor_.any_refused(); }
std::optional<base::ChildId> Sad::owner_of(const xfrm::SaId& id) const { return impl_->children_.owner_of(id); }
std::vector<xfrm::PolicyId> Sad::policy_ids() const { return impl_->spd_.wanted(); }
std::vector<std::pair<base::ChildId, xfrm::SaId>> Sad::expected() const { return impl_->children_.expected(); }
std::optional<Standing> Sad::standing(base::ChildId id) const {
  const auto* child = impl_->children_.find(id);
  if (child == nullptr) return std::nullopt;
  return Standing{child->named.conn, child->named.child, child->spec.local.address, child->spec.remote.address,
                  child->context.device};
}
std::vector<std::pair<base::ChildId, xfrm::SaId>> Sad::waiting() const { return impl_->children_.waiting(); }
std::optional<std::pair<xfrm::SaId, xfrm::SaId>> Sad::sas_of(base::ChildId id) const {
  const Child* child = impl_->children_.find(id);
  if (child == nullptr || child->state != ChildState::up) return std::nullopt;
  return std::pair(sa_id(*child, base::Direction::in), sa_id(*child, base::Direction::out));
}
std::size_t Sad::child_count() const { return impl_->children_.size(); }
std::vector<std::pair<std::uint32_t, base::ChildId>> Sad::slots() const { return impl_->children_.slots(); }
std::map<std::string, Held> Sad::held() const { return impl_->children_.held(); }

std::map<std::uint32_t, maps::SaRecord> Sad::sas(std::optional<base::ChildId> only) const {
  return impl_->children_.records(only);
}
std::map<std::uint32_t, maps::PolicyRecord> Sad::policies() const { return impl_->spd_.records(); }

}  // namespace espgate::sad
