// SPDX-License-Identifier: Apache-2.0
#include "gateway/kernel_side.h"

#include <fmt/format.h>

#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <utility>
#include <variant>

#include "gateway/clock.h"
#include "gateway/log.h"
#include "sad/pump.h"

namespace espgate::gateway {

namespace {
// One ledger output of sad/ is one call of the loader.
base::Result<void> write(loader::Loader& loader, const sad::AssignSlot& assign) {
  auto generation = loader.assign(assign.slot, assign.sa);
  if (!generation) return std::unexpected(generation.error());
  return {};
}
base::Result<void> write(loader::Loader& loader, const sad::UpdateSlot& update) {
  return loader.update(update.slot, update.sa);
}
base::Result<void> write(loader::Loader& loader, const sad::ReleaseSlot& release) {
  maps::Counts driver;
  driver.hw_packets = release.driver_packets;
  driver.hw_bytes = release.driver_bytes;
  return loader.release(release.slot, driver);
}
base::Result<void> write(loader::Loader& loader, const sad::WritePolicy& write) {
  return loader.put_policy(write.index, write.policy);
}
base::Result<void> write(loader::Loader& loader, const sad::ClearPolicy& clear) {
  return loader.clear_policy(clear.index);
}

sad::Options room_in(const loader::Loader& loader) {
  sad::Options out;
  out.slots = loader.max_slots();
  out.policies = loader.max_policies();
  return out;
}

// The kernel's generator; it fails only before it is seeded, and then waits.
void fill_random(std::span<std::uint8_t> to) {
  while (!to.empty()) {
    const ssize_t got = getrandom(to.data(), to.size(), 0);
    if (got > 0) to = to.subspan(static_cast<std::size_t>(got));
  }
}

void say(const sad::Notice& notice) {
  switch (notice.level) {
    case sad::Notice::Level::info:
      log_info(printable(notice.text, 1024));
      break;
    case sad::Notice::Level::warning:
      log_warn(printable(notice.text, 1024));
      break;
    case sad::Notice::Level::error:
      log_error_limited("sad", printable(notice.text, 1024));
      break;
  }
}

control::DirectionCounters direction(const maps::SaRow& row) {
  control::DirectionCounters out;
  out.hw_packets = row.counts.hw_packets;
  out.hw_bytes = row.counts.hw_bytes;
  out.sw_packets = row.counts.sw_packets;
  out.sw_bytes = row.counts.sw_bytes;
  out.exact = row.exact;
  return out;
}
}  // namespace

KernelSide::KernelSide(std::unique_ptr<xfrm::Kernel> kernel, loader::Loader loader, xfrm::RouteTable routes,
                       std::function<void(ike::ChildAnswer)> answer)
    : kernel_(std::move(kernel)),
      loader_(std::move(loader)),
      routes_(std::move(routes)),
      answer_(std::move(answer)),
      sad_(room_in(loader_)) {}

void KernelSide::carry_out(base::Instant now, sad::Outputs outputs) {
  sad::pump(sad_, *kernel_, now, std::move(outputs),
            [this, now](sad::Output&& output) { take(now, std::move(output)); });
}

void KernelSide::take(base::Instant now, sad::Output&& output) {
  std::visit(
      [this, now](auto&& value) {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, ike::ChildAnswer>) {
          answer_(std::forward<decltype(value)>(value));
        } else if constexpr (std::is_same_v<T, sad::Notice>) {
          say(value);
        } else if constexpr (std::is_same_v<T, sad::DeviceVerdict>) {
          if (verdict_) verdict_(value);
        } else if constexpr (std::is_same_v<T, sad::Carried>) {
          slots_.carried(value);
          watch_.carried(now, value);
        } else if constexpr (std::is_same_v<T, sad::Gone>) {
          slots_.gone(value);
          watch_.gone(value);
          failures_.erase(value.id);
        } else if constexpr (!std::is_same_v<T, sad::Op>) {
          if (auto written = write(loader_, value); !written)
            log_error_limited("ledger", "ledger: " + written.error().text());
        }
      },
      std::move(output));
}

void KernelSide::plan(base::Instant now, const sad::Plan& plan) {
  children_ = plan.children.size();
  carry_out(now, sad_.on_plan(now, plan));
}

sad::InstallContext KernelSide::context_for(base::Instant now, const ike::ChildSpec& child) {
  sad::InstallContext context;
  context.wall_clock = epoch_seconds(now);
  if (auto route = routes_.lookup(child.remote.address, child.local.address)) {
    context.device = route->device;
    context.ifindex = route->ifindex;
    if (packet_mode_) context.packet = packet_mode_(route->device);
  } else {
    log_warn(child.conn + "/" + child.child + ": " + route.error().text());
  }
  place(child, context);
  const bool chance = child.offload == base::OffloadWanted::automatic && context.placement.hardware &&
                      context.packet != sad::PacketMode::refuses;
  if (context.ifindex != 0 && (chance || child.offload == base::OffloadWanted::packet)) make_table_room();
  return context;
}

void KernelSide::install(base::Instant now, ike::InstallChild install) {
  const auto context = context_for(now, install.child);
  carry_out(now, sad_.on_install(now, std::move(install), context));
}

void KernelSide::add_inbound(base::Instant now, ike::AddInbound add) {
  const auto context = context_for(now, add.child);
  carry_out(now, sad_.on_add_inbound(now, std::move(add), context));
}

void KernelSide::switch_outbound(base::Instant now, const ike::SwitchOutbound& order) {
  carry_out(now, sad_.on_switch_outbound(now, order));
}

void KernelSide::retire(base::Instant now, const ike::RetireSa& order) { carry_out(now, sad_.on_retire(now, order)); }

std::vector<base::ChildId> KernelSide::used_inbound() {
  std::vector<base::ChildId> out;
  for (const auto& [child, sa] : sad_.waiting()) {
    const auto state = states({sa}).front();
    if (state && state->packets != 0) out.push_back(child);
  }
  return out;
}

std::optional<ike::Expired> KernelSide::expired(const xfrm::Notification& event) const {
  using Kind = xfrm::Notification::Kind;
  if (event.kind == Kind::sequence && event.sequence_out < sad::kSequenceRekey) return std::nullopt;
  const auto child = sad_.owner_of(event.sa);
  if (!child) return std::nullopt;
  return ike::Expired{*child, event.kind == Kind::hard_limit};
}

std::optional<ike::PeerMoved> KernelSide::moved(const xfrm::Notification& event) const {
  const auto child = sad_.owner_of(event.sa);
  if (!child) return std::nullopt;
  return ike::PeerMoved{*child, event.remote};
}

std::optional<sad::Wanted> KernelSide::acquired(const xfrm::Notification& event) {
  auto wanted = sad_.on_acquire(event);
  if (!wanted || !wanted->live) return wanted;
  if (!wanted->hidden && !gone(wanted->live->second)) return std::nullopt;
  return wanted;
}

bool KernelSide::gone(const xfrm::SaId& id) {
  std::vector<xfrm::Request> get;
  get.emplace_back(xfrm::GetSa{id});
  const auto answers = kernel_->execute(get);
  return !answers.front() && answers.front().error().code == ESRCH;
}

std::optional<LostChild> KernelSide::lost_child(base::ChildId id) {
  auto where = sad_.standing(id);
  if (!where) return std::nullopt;
  const bool reachable = routes_.lookup(where->remote, where->local).has_value();
  return LostChild{id, std::move(*where), reachable};
}

std::vector<LostChild> KernelSide::lost() {
  auto there = kernel_->dump_sas();
  if (!there) {
    log_error(there.error().text());
    return {};
  }
  std::set<xfrm::SaId> known;
  for (const auto& state : *there) known.insert(state.id);
  std::set<base::ChildId> children;
  for (const auto& [child, sa] : sad_.expected()) {
    // A dump may miss what stands while others change things.
    if (!known.contains(sa) && !children.contains(child) && gone(sa)) children.insert(child);
  }
  std::vector<LostChild> out;
  for (const auto child : children) {
    if (auto one = lost_child(child)) out.push_back(std::move(*one));
  }
  return out;
}

// Trials have the SPI of an SA that stands, and are deleted by us: the kernel decides what is gone.
std::optional<LostChild> KernelSide::lost(const xfrm::SaId& id, bool hidden) {
  const auto child = sad_.owner_of(id);
  if (!child || (!hidden && !gone(id))) return std::nullopt;
  const auto expected = sad_.expected();
  if (std::ranges::find(expected, std::pair(*child, id)) == expected.end()) return std::nullopt;
  return lost_child(*child);
}

void KernelSide::check_policies(base::Instant now) {
  auto there = kernel_->dump_policies();
  if (!there) return log_error(there.error().text());
  std::set<xfrm::PolicyId> ids;
  for (const auto& policy : *there) ids.insert(policy.id);
  std::vector<xfrm::PolicyId> missing;
  for (const auto& id : sad_.policy_ids()) {
    if (!ids.contains(id)) missing.push_back(id);
  }
  policies_deleted(now, std::move(missing));
}

std::set<std::string> KernelSide::devices() const {
  std::set<std::string> out;
  for (const auto& [child, sa] : sad_.expected()) {
    if (auto where = sad_.standing(child)) out.insert(where->device);
  }
  return out;
}

void KernelSide::policies_deleted(base::Instant now, const std::optional<std::vector<xfrm::PolicyId>>& ids) {
  carry_out(now, sad_.on_policies_deleted(now, ids));
}

void KernelSide::renamed(base::Instant now, std::uint32_t ifindex, const std::string& device) {
  carry_out(now, sad_.on_renamed(now, ifindex, device));
}

void KernelSide::trap(base::Instant now, const std::string& conn, const std::string& child, bool on) {
  carry_out(now, sad_.on_trap(now, conn, child, on));
}

void KernelSide::remove(base::Instant now, const ike::RemoveChild& remove) {
  carry_out(now, sad_.on_remove(now, remove));
}

void KernelSide::stop(base::Instant now) {
  carry_out(now, sad_.stop(now));
  if (auto removed = loader_.remove_all(); !removed) log_error(removed.error().text());
}

namespace {

sad::ProbeMeans probe_means() {
  sad::ProbeMeans out;
  out.random = fill_random;
  return out;
}

std::vector<sad::ProbeAnswer> answers_of(sad::ProbeOutcome outcome) {
  if (outcome.left_behind != 0) log_warn("an SA of a probe could not be deleted; the kernel does it within seconds");
  return std::move(outcome.answers);
}

}  // namespace

// Before the first SA in packet mode: later it would be the harm that it is to prevent.
void KernelSide::make_table_room() {
  const auto places = sad::places_for(children_);
  if (places <= table_room_ || in_packet_mode()) return;
  table_room_ = places;
  const auto room = sad::make_table_room(*kernel_, places, probe_means());
  if (!room) return log_warn("the kernel's table of SAs is as it is: " + room.error().text());
  if (room->left_behind != 0) log_warn("some throw-away SAs could not be deleted; the kernel does it within seconds");
  if (room->places < places) {
    log_warn(
        fmt::format("the kernel's table of SAs has {} places and does not grow: if it does later, packet mode loses "
                    "packets for a moment",
                    room->places));
  } else if (room->grown) {
    log_info(
        fmt::format("the kernel's table of SAs has {} places now, so that it need not grow while SAs are in packet "
                    "mode",
                    room->places));
  }
}

sad::ProbeAnswer KernelSide::try_row(std::uint32_t ifindex, const sad::ProbeRow& row) {
  return std::move(answers_of(sad::probe(*kernel_, ifindex, {&row, 1}, probe_means())).front());
}

std::vector<sad::ProbeAnswer> KernelSide::try_pair(std::uint32_t ifindex, const sad::ProbeRow& in,
                                                   const sad::ProbeRow& out) {
  return answers_of(sad::probe_pair(*kernel_, ifindex, in, out, probe_means()));
}

std::vector<std::optional<xfrm::SaState>> KernelSide::states(const std::vector<xfrm::SaId>& ids) const {
  if (ids.empty()) return {};
  std::vector<xfrm::Request> get;  // no initializer list: a request is moved, never copied
  for (const auto& id : ids) get.emplace_back(xfrm::GetSa{id});
  std::vector<std::optional<xfrm::SaState>> out;
  for (const auto& answer : kernel_->execute(get)) {
    const auto* state = answer ? std::get_if<xfrm::SaState>(&*answer) : nullptr;
    out.push_back(state == nullptr ? std::nullopt : std::optional(*state));
  }
  return out;
}

std::optional<control::DirectionCounters> KernelSide::driver_counts(const maps::SaRecord& sa) const {
  if (sa.actual != base::OffloadActual::packet) return std::nullopt;
  const auto state = states({{sa.dst, sa.spi}}).front();
  if (!state) return std::nullopt;
  control::DirectionCounters out;
  out.hw_packets = state->packets;
  out.hw_bytes = state->bytes;
  out.exact = false;
  return out;
}

std::optional<control::ChildCounters> KernelSide::counters(base::ChildId child) const {
  const auto* reader = loader_.reader();
  if (reader == nullptr) return std::nullopt;
  std::optional<control::ChildCounters> out;
  for (const auto& [slot, sa] : sad_.sas(child)) {
    const auto row = reader->sa(slot);
    if (!row) continue;
    if (!out) out.emplace();
    out->reqid = sa.reqid;
    const auto told = driver_counts(sa);
    (sa.direction == base::Direction::in ? out->in : out->out) = told ? *told : direction(*row);
  }
  return out;
}

}  // namespace espgate::gateway
