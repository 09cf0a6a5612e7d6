// SPDX-License-Identifier: Apache-2.0
// Pinned maps with anything in them, as somebody else with the right to bpf(2), or a broken self, may leave them: read,
// joined, shown, and taken over by the next start. The input is a list of records: kind, then the octets of an entry of
// maps/abi.h; what is missing of the last one is zero.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <variant>

#include "control/report/collect.h"
#include "control/report/prometheus.h"
#include "control/report/sa_render.h"
#include "maps/reader.h"
#include "sad/ledger.h"
#include "sad/sad.h"
#include "xfrm/message.h"

namespace {

namespace base = espgate::base;
namespace maps = espgate::maps;
namespace report = espgate::control::report;
namespace sad = espgate::sad;
namespace xfrm = espgate::xfrm;

template <class T>
T take(base::ByteReader& in) {
  T out{};
  const auto octets = in.take(std::min(sizeof out, in.left()));
  if (octets && !octets->empty()) std::memcpy(&out, octets->data(), octets->size());
  return out;
}

struct World {
  report::MapsView view;
  sad::Leftover left;
};

void sa(World& world, base::ByteReader& in) {
  const auto entry = take<espgate_sa_entry>(in);
  const auto folded = take<espgate_folded>(in);
  maps::SaRow row;
  row.slot = static_cast<std::uint32_t>(world.view.sas.size());
  row.generation = entry.generation;
  row.sa = maps::from_abi(entry);
  row.counts = {folded.hw_packets, folded.hw_bytes, folded.sw_packets, folded.sw_bytes, {}};
  (void)maps::value_of(entry, row.slot);
  (void)maps::key_of(entry);
  world.left.sas[row.slot] = row.sa;
  world.view.sas.push_back(std::move(row));
}

void policy(World& world, base::ByteReader& in) {
  const auto record = maps::from_abi(take<espgate_policy_entry>(in));
  if (maps::from_abi(maps::to_abi(record)) != record) std::abort();
  world.left.policies[static_cast<std::uint32_t>(world.left.policies.size())] = record;
}

void others(World& world, std::uint8_t kind, base::ByteReader& in) {
  if (kind == 2) {
    const auto uid = take<std::uint64_t>(in);
    world.view.totals.push_back(maps::from_abi(uid, take<espgate_child_total>(in)));
  } else if (kind == 3) {
    const auto key = take<espgate_class_key>(in);
    const auto count = take<espgate_class_count>(in);
    world.view.classes.push_back({key.ifindex, "nic0", key.class_, key.verdict, count.packets, count.bytes});
  } else {
    maps::ShieldRow row{in.u8().value_or(0), "nic0", {}};
    row.events[in.u8().value_or(0) % row.events.size()] = take<std::uint64_t>(in);
    world.view.shield.push_back(row);
  }
}

void show(const World& world) {
  const auto all = report::join(&world.view, nullptr, std::nullopt);
  (void)report::sa_text(all.sas, {false, true});
  if (!nlohmann::json::accept(report::sa_json(all.sas, false))) std::abort();
  const auto text = report::prometheus_text(all);
  if (std::ranges::any_of(text, [](char c) { return c != '\n' && static_cast<unsigned char>(c) < 0x20; })) std::abort();
}

// What the next start asks of the kernel. A hostile ledger may have it delete what is not ours (it could do so itself);
// it may not make it do anything else.
void take_over(World world) {
  sad::Sad next;
  for (const auto& output : next.restore(base::Instant{}, std::move(world.left))) {
    const auto* op = std::get_if<sad::Op>(&output);
    if (op == nullptr) continue;
    if (std::holds_alternative<xfrm::AddSa>(op->request)) std::abort();
    std::vector<std::uint8_t> room(xfrm::kMessageRoom);
    (void)xfrm::encode(op->request, 1, {}, room);
    (void)xfrm::describe(op->request);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  World world;
  world.view.meta.abi_version = ESPGATE_ABI_VERSION;
  base::ByteReader in({data, size});
  while (!in.done()) {
    const auto kind = static_cast<std::uint8_t>(in.u8().value_or(0) % 5);
    if (kind == 0) {
      sa(world, in);
    } else if (kind == 1) {
      policy(world, in);
    } else {
      others(world, kind, in);
    }
  }
  show(world);
  take_over(std::move(world));
  return 0;
}
