// SPDX-License-Identifier: Apache-2.0
#include "sad/device_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace espgate::sad {
namespace {

// Real installations bring rows that no plan has; a device that is asked for ever new ones is not remembered for ever.
constexpr std::size_t kMostEntries = 1024;

std::string shown(const std::string& text) { return text.empty() ? "none" : text; }

// What became another: "firmware 1.2, now 1.3".
std::string difference(const DeviceIdentity& before, const DeviceIdentity& now) {
  std::vector<std::string> out;
  const auto compare = [&](std::string_view what, const std::string& was, const std::string& is) {
    if (was != is) out.push_back(fmt::format("{} {}, now {}", what, shown(was), shown(is)));
  };
  compare("driver", before.driver, now.driver);
  compare("driver version", before.driver_version, now.driver_version);
  compare("firmware", before.firmware, now.firmware);
  compare("kernel", before.kernel, now.kernel);
  return fmt::format("{}", fmt::join(out, "; "));
}

bool called(base::EspSuite suite, std::string_view name) {
  suite.esn = false;
  return suite.name() == name;
}

}  // namespace

std::string_view to_string(Learned learned) { return learned == Learned::probe ? "probe" : "install"; }

const DeviceEntry* DeviceRecord::find(const ProbeRow& row) const {
  const auto found = std::ranges::find(entries, row, &DeviceEntry::row);
  return found == entries.end() ? nullptr : &*found;
}

const Distrust* DeviceRecord::distrust(base::EspSuite suite, xfrm::OffloadKind mode) const {
  suite.esn = false;
  const auto found =
      std::ranges::find_if(distrusted, [&](const Distrust& each) { return each.suite == suite && each.mode == mode; });
  return found == distrusted.end() ? nullptr : &*found;
}

std::string sentence(const std::string& device, const Distrust& distrust) {
  const auto suite = distrust.suite.name();
  return fmt::format("{} gets {} wrong in {} mode{}: {}; in software until `espgate offload forgive dev {} suite {}`",
                     device, suite, to_string(distrust.mode),
                     distrust.direction ? fmt::format(" ({})", base::to_string(*distrust.direction)) : std::string{},
                     distrust.text, device, suite);
}

bool tells(const ProbeAnswer& answer) {
  if (answer.result != ProbeResult::refused) return true;
  switch (answer.code) {
    case ENOSPC:
    case EPERM:
    case EACCES:
    case ENODEV:
    case ENXIO:
    case ENETDOWN:
    case ENOMEM:
    case ENOBUFS:
    case EAGAIN:
    case EBUSY:
    case EINTR:
    case EIO:
    case ETIMEDOUT:
    case EEXIST:
    case ESRCH:
      return false;
    default:
      return true;
  }
}

PacketMode packet_mode(const DeviceRecord& record) {
  bool refused = false;
  const auto usual = usual_row(xfrm::OffloadKind::packet, base::Direction::in);
  for (const auto& entry : record.entries) {
    if (entry.row.mode != xfrm::OffloadKind::packet) continue;
    if (entry.answer.result == ProbeResult::taken) return PacketMode::takes;
    refused |= entry.row == usual && entry.answer.result == ProbeResult::refused;
  }
  return refused ? PacketMode::refuses : PacketMode::unknown;
}

std::vector<base::EspSuite> suites_taken(const DeviceRecord& record, xfrm::OffloadKind mode) {
  const auto taken = [&](ProbeRow row, const base::EspSuite& suite) {
    row.suite = suite;
    const auto* entry = record.find(row);
    return entry != nullptr && entry->answer.result == ProbeResult::taken;
  };
  const auto in = usual_row(mode, base::Direction::in);
  const auto out = usual_row(mode, base::Direction::out);
  std::vector<base::EspSuite> suites;
  for (const auto& row : probe_plan()) {
    if (row.suite.esn || std::ranges::find(suites, row.suite) != suites.end()) continue;
    if (record.distrust(row.suite, mode) != nullptr) continue;
    if (taken(in, row.suite) && taken(out, row.suite)) suites.push_back(row.suite);
  }
  return suites;
}

void DeviceTable::adopt(std::vector<DeviceRecord> cached) {
  for (auto& record : cached) {
    for (auto& entry : record.entries) entry.cached = true;
    auto name = record.name;
    records_.insert_or_assign(std::move(name), std::move(record));
  }
}

std::vector<std::string> DeviceTable::follow(std::vector<DeviceFacts> facts) {
  std::vector<std::string> out;
  facts_.clear();
  for (auto& each : facts) {
    auto [at, is_new] = records_.try_emplace(each.name);
    DeviceRecord& known = at->second;
    if (is_new) known.name = each.name;
    if (known.identity != each.identity) {
      if (!known.entries.empty() || !known.distrusted.empty()) {
        out.push_back(fmt::format("{} is not what it was ({}): what it took and refused is found out anew", each.name,
                                  difference(known.identity, each.identity)));
      }
      known = {each.name, each.identity, {}, {}, {}, {}};
      changed_ = true;
    }
    auto name = each.name;
    facts_.insert_or_assign(std::move(name), std::move(each));
  }
  return out;
}

DeviceRecord* DeviceTable::record(const std::string& device) {
  if (!facts_.contains(device)) return nullptr;
  const auto found = records_.find(device);
  return found == records_.end() ? nullptr : &found->second;
}

const DeviceRecord* DeviceTable::find(const std::string& device) const {
  if (!facts_.contains(device)) return nullptr;
  const auto found = records_.find(device);
  return found == records_.end() ? nullptr : &found->second;
}

bool DeviceTable::learn(const std::string& device, const ProbeRow& row, ProbeAnswer answer, Learned learned,
                        std::int64_t at) {
  DeviceRecord* known = record(device);
  if (known == nullptr || !tells(answer)) return false;
  const auto found = std::ranges::find(known->entries, row, &DeviceEntry::row);
  if (found == known->entries.end()) {
    if (known->entries.size() >= kMostEntries) return false;
    known->entries.push_back({row, std::move(answer), learned, false, at});
    return changed_ = true;
  }
  const bool same = found->answer == answer;
  *found = {row, std::move(answer), learned, false, at};
  if (same) return false;  // not worth a write
  return changed_ = true;
}

bool DeviceTable::distrust(const std::string& device, Distrust what) {
  DeviceRecord* known = record(device);
  if (known == nullptr || known->distrust(what.suite, what.mode) != nullptr) return false;
  known->distrusted.push_back(std::move(what));
  return changed_ = true;
}

void DeviceTable::met_limit(const std::string& device, base::Direction direction, const Held& held) {
  DeviceRecord* known = record(device);
  if (known == nullptr) return;
  const bool in = direction == base::Direction::in;
  auto& limit = in ? known->slots_in : known->slots_out;
  const std::uint32_t now = in ? held.in : held.out;
  if (limit == now) return;
  limit = now;
  changed_ = true;
}

void DeviceTable::holds(const std::string& device, const Held& held) {
  DeviceRecord* known = record(device);
  if (known == nullptr) return;
  const auto outgrown = [&](std::optional<std::uint32_t>& limit, std::uint32_t now) {
    if (!limit || now <= *limit) return;
    limit.reset();
    changed_ = true;
  };
  outgrown(known->slots_in, held.in);
  outgrown(known->slots_out, held.out);
}

std::optional<std::size_t> DeviceTable::forgive(const std::string& device, std::string_view suite) {
  DeviceRecord* known = record(device);
  if (known == nullptr) return std::nullopt;
  if (suite.empty()) {
    known->slots_in.reset();
    known->slots_out.reset();
    changed_ = true;
  }
  auto gone = std::erase_if(known->entries,
                            [&](const DeviceEntry& entry) { return suite.empty() || called(entry.row.suite, suite); });
  gone += std::erase_if(known->distrusted,
                        [&](const Distrust& each) { return suite.empty() || called(each.suite, suite); });
  changed_ = changed_ || gone != 0;
  return gone;
}

std::vector<DeviceRecord> DeviceTable::records() const {
  std::vector<DeviceRecord> out;
  for (const auto& [name, record] : records_) {
    if (!record.entries.empty() || !record.distrusted.empty() || record.slots_in || record.slots_out)
      out.push_back(record);
  }
  return out;
}

bool DeviceTable::take_changed() { return std::exchange(changed_, false); }

}  // namespace espgate::sad
