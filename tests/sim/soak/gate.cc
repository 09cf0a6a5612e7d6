// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/soak/gate.h"

#include <algorithm>
#include <utility>

namespace espgate::soak {

namespace {

ike::EngineOptions options_for(const Gate::Setting& setting) {
  ike::EngineOptions out;
  out.index = setting.engine;
  return out;
}

sad::Options room_for(const Gate::Setting& setting) {
  sad::Options out;
  out.slots = setting.slots;
  out.policies = 2 * setting.slots;
  return out;
}

}  // namespace

Gate::Gate(Setting setting)
    : setting_(std::move(setting)),
      rng_(setting_.seed),
      engine_(options_for(setting_), rng_),
      sad_(room_for(setting_)) {
  kernel.devices[kNic] = {};
  kernel.keeps_journal = false;
  kernel.keeps_keys = setting_.keeps_keys;
  load({}, std::exchange(setting_.config, {}), std::exchange(setting_.plan, {}));
}

void Gate::load(Instant now, std::shared_ptr<const ike::Config> config, const sad::Plan& plan) {
  pump(now, sad_.on_plan(now, plan));
  take(now, engine_.on_command(now, ike::Load{std::move(config)}));
}

std::optional<Instant> Gate::next_due() const {
  auto due = engine_.next_timer();
  if (!orders_.empty() && (!due || orders_.front().at < *due)) due = orders_.front().at;
  return due;
}

void Gate::due(Instant now) {
  while (!orders_.empty() && orders_.front().at <= now) {
    auto order = std::move(orders_.front());
    orders_.pop_front();
    carry_out(now, std::move(order.what));
  }
  if (const auto timer = engine_.next_timer(); timer && *timer <= now) take(now, engine_.on_timer(now));
}

void Gate::take(Instant now, std::vector<ike::Action> actions) {
  for (auto& action : actions) {
    if (auto* out = std::get_if<ike::Send>(&action)) {
      send(now, std::move(out->datagram));
    } else if (auto* event = std::get_if<ike::Event>(&action)) {
      take_event(now, *event);
    } else if (auto* result = std::get_if<ike::ListResult>(&action)) {
      listed_ = std::move(result->ikes);
    } else if (!std::holds_alternative<ike::CommandDone>(action) && !std::holds_alternative<ike::Keepalive>(action)) {
      const auto after = orders_.empty() ? now : std::max(now, orders_.back().at);
      orders_.push_back({after + kernel_delay(), std::move(action)});
    }
  }
}

void Gate::take_event(Instant now, const ike::Event& event) {
  ++events_[event.kind];
  if (told) told(event);
  const int step = event.kind == ike::Event::Kind::child_up ? 1 : event.kind == ike::Event::Kind::child_down ? -1 : 0;
  if (step == 0) return;
  up_ += step;
  changed_at_ = now;
  if (up_ < 0) fault_ = "more children went down than came up";
}

void Gate::carry_out(Instant now, ike::Action&& what) {
  sad::InstallContext context{"nic0", kNic, 0};
  if (auto* install = std::get_if<ike::InstallChild>(&what)) {
    pump(now, sad_.on_install(now, std::move(*install), context));
  } else if (auto* add = std::get_if<ike::AddInbound>(&what)) {
    pump(now, sad_.on_add_inbound(now, std::move(*add), context));
  } else if (auto* over = std::get_if<ike::SwitchOutbound>(&what)) {
    pump(now, sad_.on_switch_outbound(now, *over));
  } else if (auto* retire = std::get_if<ike::RetireSa>(&what)) {
    pump(now, sad_.on_retire(now, *retire));
  } else if (auto* remove = std::get_if<ike::RemoveChild>(&what)) {
    pump(now, sad_.on_remove(now, *remove));
  }
  for (auto& answer : std::exchange(answers_, {})) take(now, engine_.on_answer(now, std::move(answer)));
}

void Gate::pump(Instant now, sad::Outputs outputs) {
  sad::pump(sad_, kernel, now, std::move(outputs), [this](sad::Output&& output) { write(std::move(output)); });
}

void Gate::write(sad::Output&& output) {
  if (auto* assign = std::get_if<sad::AssignSlot>(&output)) {
    if (!ledger_.emplace(assign->slot, assign->sa).second) fault_ = "a slot in use is assigned";
  } else if (auto* update = std::get_if<sad::UpdateSlot>(&output)) {
    ledger_[update->slot] = update->sa;
  } else if (auto* release = std::get_if<sad::ReleaseSlot>(&output)) {
    if (ledger_.erase(release->slot) == 0) fault_ = "a slot that is free is released";
  } else if (auto* answer = std::get_if<ike::ChildAnswer>(&output)) {
    answers_.push_back(std::move(*answer));
  }
}

void Gate::used(Instant now, const xfrm::SaId& sa) {
  for (const auto& [child, inbound] : sad_.waiting()) {
    if (inbound == sa) return command(now, ike::InboundUsed{child});
  }
}

void Gate::mapped(Instant now, const xfrm::SaId& sa, const base::Endpoint& from) {
  if (const auto child = sad_.owner_of(sa)) command(now, ike::PeerMoved{*child, from});
}

bool Gate::waits(const xfrm::SaId& sa) const {
  const auto waiting = sad_.waiting();
  return std::ranges::any_of(waiting, [&](const auto& each) { return each.second == sa; });
}

std::vector<ike::IkeView> Gate::list(Instant now) {
  take(now, engine_.on_command(now, ike::List{next_id()}));
  return listed_;
}

bool Gate::meant_to_carry(Instant now) {
  const auto ikes = list(now);
  // An old generation (REKEYED) stands for the new one that is being installed.
  return std::ranges::any_of(ikes, [](const ike::IkeView& ike) {
    return ike.state == "ESTABLISHED" && std::ranges::any_of(ike.children, [](const ike::ChildView& child) {
             return child.state == "INSTALLED" || child.state == "REKEYING" || child.state == "INSTALLING";
           });
  });
}

std::uint64_t Gate::events(ike::Event::Kind kind) const {
  const auto found = events_.find(kind);
  return found == events_.end() ? 0 : found->second;
}

std::size_t Gate::live_generations() const {
  std::map<base::ChildId, int> halves;
  for (const auto& [slot, sa] : ledger_) {
    if (kernel.find({sa.dst, sa.spi}) != nullptr) ++halves[sa.child];
  }
  return static_cast<std::size_t>(std::ranges::count_if(halves, [](const auto& entry) { return entry.second == 2; }));
}

std::set<xfrm::SaId> Gate::odd_sas(Instant now) {
  std::set<xfrm::SaId> known, there, written;
  for (const auto& ike : list(now)) {
    for (const auto& child : ike.children) {
      known.insert({ike.local.address, child.spi_in});
      known.insert({ike.remote.address, child.spi_out});
    }
  }
  const auto sas = kernel.dump_sas();
  for (const auto& state : *sas) there.insert(state.id);
  for (const auto& [slot, sa] : ledger_) written.insert({sa.dst, sa.spi});
  std::set<xfrm::SaId> odd;
  std::ranges::set_symmetric_difference(there, known, std::inserter(odd, odd.end()));
  std::ranges::set_symmetric_difference(there, written, std::inserter(odd, odd.end()));
  return odd;
}

}  // namespace espgate::soak
