// SPDX-License-Identifier: Apache-2.0
#include "sad/slots.h"

#include <fmt/format.h>

#include <algorithm>

namespace espgate::sad {
namespace {

std::string carries(double octets_a_second) {
  constexpr double step = 1000;
  double value = octets_a_second;
  const char* unit = "B/s";
  for (const char* next : {"kB/s", "MB/s", "GB/s"}) {
    if (value < step) break;
    value /= step;
    unit = next;
  }
  return fmt::format("{:.3g} {}", value, unit);
}

std::string why(const steer::Move& move, const std::string& device, const steer::Capacity& capacity) {
  switch (move.why) {
    case steer::Reason::free_slot:
      return fmt::format("a slot is free, and it carries {}", carries(move.rate));
    case steer::Reason::heavier:
      return fmt::format("it carries {}, the child whose slot it gets {}", carries(move.rate), carries(move.against));
    case steer::Reason::outweighed:
      return fmt::format("it carries {}, the child that gets its slot {}", carries(move.rate), carries(move.against));
    case steer::Reason::headroom:
      return fmt::format("{} has {} slots a direction, {} of them are kept free for rekeys", device,
                         capacity.known().value_or(0), capacity.reserve());
    default:
      return "the device does not take it";
  }
}

Placement no_slot(const std::string& device, const steer::Capacity& capacity) {
  Placement out{false, Reason::no_slot, {}};
  out.text =
      fmt::format("{} has {} slots a direction, {} of them are kept free for rekeys, and other children hold the rest",
                  device, capacity.known().value_or(0), capacity.reserve());
  return out;
}

}  // namespace

void Slots::configure(const steer::Config& config) {
  config_ = config;
  for (auto& [name, device] : devices_) device.steer.configure(config);
}

Slots::Line* Slots::line_of(base::ChildId child) {
  const auto found = by_id_.find(child);
  return found == by_id_.end() ? nullptr : found->second.get();
}

Slots::Line& Slots::line_for(const ike::ChildSpec& child) {
  const auto old = child.replaces ? by_id_.find(*child.replaces) : by_id_.end();
  auto line = old != by_id_.end() ? old->second : std::make_shared<Line>();
  by_id_.insert_or_assign(child.id, line);
  line->generations.emplace(child.id, 0);
  line->conn = child.conn;
  line->name = child.child;
  return *line;
}

void Slots::enter(Line& line, const std::string& name) {
  Device& device = devices_.try_emplace(name, config_).first->second;
  steer::Newcomer newcomer;
  newcomer.pinned = line.strict;
  newcomer.eligible = !line.held;
  line.device = name;
  line.fits = true;
  line.ref = device.steer.place(newcomer).child;
  device.lines.insert_or_assign(*line.ref, &line);
}

void Slots::leave(Line& line) {
  if (!line.ref) return;
  Device& device = devices_.at(line.device);
  device.lines.erase(*line.ref);
  device.steer.depart(*line.ref);
  line.ref.reset();
}

Placement Slots::place(const ike::ChildSpec& child, const std::string& device) {
  const bool strict = child.offload == base::OffloadWanted::crypto || child.offload == base::OffloadWanted::packet;
  const bool offload = child.offload != base::OffloadWanted::no && !child.suite.ah() && !device.empty();
  if (!offload && (!child.replaces || !by_id_.contains(*child.replaces))) return {};  // it never had a place
  Line& line = line_for(child);
  if (!offload || device != line.device || strict != line.strict) leave(line);
  line.strict = strict;
  if (!offload) return {};
  if (!line.ref) enter(line, device);
  if (strict) return {};
  if (line.held) return *line.held;
  if (std::exchange(line.comes_back, false)) return {};
  // What the device refused for another cause than want of room is tried again, as every rekey does.
  const auto& steer = steer_of(line);
  return !line.fits || steer.in_hardware(*line.ref) ? Placement{} : no_slot(device, steer.capacity());
}

void Slots::observed(Line& line) {
  if (line.ref) steer_of(line).observed(*line.ref, line.hardware);
}

void Slots::carried(const Carried& what) {
  Line* line = line_of(what.id);
  if (line == nullptr) return;
  line->newest = what.id;
  line->hardware = what.hardware;
  const auto moving = std::exchange(line->moving, std::nullopt);
  if (!line->ref) return;
  Device& device = devices_.at(line->device);
  if (moving && *moving == what.hardware) ++(what.hardware ? device.promoted : device.demoted);
  if (what.reason == Reason::device_full && !what.hardware) return device.steer.refused(*line->ref, what.used);
  const bool by_choice = what.reason == Reason::no_slot || line->held;
  line->fits = what.hardware || by_choice || what.reason == Reason::device_full;
  device.steer.set_eligible(*line->ref, line->fits && !line->held);
  observed(*line);
}

void Slots::gone(const Gone& what) {
  const auto found = by_id_.find(what.id);
  if (found == by_id_.end()) return;
  const auto line = found->second;
  by_id_.erase(found);
  line->generations.erase(what.id);
  if (line->generations.empty()) return leave(*line);
  if (line->newest == what.id) line->newest.reset();
}

void Slots::count(base::ChildId child, std::uint64_t octets) {
  Line* line = line_of(child);
  if (line == nullptr || !line->ref) return;
  auto& seen = line->generations.at(child);
  if (octets > seen) steer_of(*line).count(*line->ref, octets - seen);
  seen = std::max(seen, octets);
}

std::optional<base::Instant> Slots::due() const {
  std::optional<base::Instant> out;
  for (const auto& [name, device] : devices_) {
    const auto at = device.steer.due().value_or(base::Instant{});
    if (!out || at < *out) out = at;
  }
  return out;
}

void Slots::order(Device& device, const steer::Move& move, std::vector<SlotMove>& to) {
  Line& line = *device.lines.at(move.child);
  if (!line.newest || line.moving || line.held) return observed(line);
  line.moving = move.to_hardware;
  SlotMove out{*line.newest, line.conn, line.name, move.to_hardware, {}};
  out.text = fmt::format("{}/{}: moving to {}: {}", line.conn, line.name,
                         move.to_hardware ? "hardware on " + line.device : "software",
                         why(move, line.device, device.steer.capacity()));
  to.push_back(std::move(out));
}

std::vector<SlotMove> Slots::round(base::Instant now) {
  std::vector<SlotMove> out;
  for (auto& [name, device] : devices_) {
    for (const auto& move : device.steer.round(now)) order(device, move, out);
  }
  return out;
}

void Slots::failed(base::ChildId child) {
  Line* line = line_of(child);
  if (line == nullptr) return;
  line->moving.reset();
  observed(*line);
}

void Slots::forgiven(const std::string& device) {
  if (const auto found = devices_.find(device); found != devices_.end()) found->second.steer.forget_refusals();
}

bool Slots::hold(base::ChildId child, Placement why) {
  Line* line = line_of(child);
  if (line == nullptr) return false;
  if (!line->held) line->comes_back = line->hardware;
  line->held = std::move(why);
  if (line->ref) steer_of(*line).set_eligible(*line->ref, false);
  return true;
}

void Slots::let_go(base::ChildId child) {
  Line* line = line_of(child);
  if (line == nullptr) return;
  line->held.reset();
  if (line->ref) steer_of(*line).set_eligible(*line->ref, line->fits);
}

std::map<std::string, SlotView> Slots::view() const {
  std::map<std::string, SlotView> out;
  for (const auto& [name, device] : devices_) {
    const auto& capacity = device.steer.capacity();
    SlotView view{capacity.known(), capacity.reserve(), 0, 0, device.steer.budget(), device.promoted, device.demoted};
    for (const auto& [ref, line] : device.lines) ++(line->hardware ? view.hardware : view.software);
    out.emplace(name, view);
  }
  return out;
}

}  // namespace espgate::sad
