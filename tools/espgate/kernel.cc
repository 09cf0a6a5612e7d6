// SPDX-License-Identifier: Apache-2.0
// policy show: the pinned ledger beside what the kernel says.
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <optional>

#include "control/report/views.h"
#include "maps/reader.h"
#include "tools/espgate/handlers.h"
#include "xfrm/netlink.h"

namespace espgate::tools {
namespace {

namespace report = control::report;

xfrm::Layer layer_of(maps::PolicyKind kind) {
  switch (kind) {
    case maps::PolicyKind::child:
      return xfrm::Layer::child;
    case maps::PolicyKind::floor:
      return xfrm::Layer::floor;
    case maps::PolicyKind::bypass:
      return xfrm::Layer::bypass;
    case maps::PolicyKind::trap:
      return xfrm::Layer::trap;
    case maps::PolicyKind::shunt:
      return xfrm::Layer::shunt;
    case maps::PolicyKind::guard:
      return xfrm::Layer::guard;
  }
  return xfrm::Layer::foreign;
}

std::string_view layer_text(maps::PolicyKind kind) {
  switch (kind) {
    case maps::PolicyKind::child:
      return "child";
    case maps::PolicyKind::floor:
      return "floor";
    case maps::PolicyKind::bypass:
      return "bypass";
    case maps::PolicyKind::trap:
      return "trap";
    case maps::PolicyKind::shunt:
      return "shunt";
    case maps::PolicyKind::guard:
      return "guard";
  }
  return "";
}

xfrm::PolicyDirection direction_of(maps::PolicyDir dir) {
  switch (dir) {
    case maps::PolicyDir::in:
      return xfrm::PolicyDirection::in;
    case maps::PolicyDir::out:
      return xfrm::PolicyDirection::out;
    case maps::PolicyDir::fwd:
      return xfrm::PolicyDirection::forward;
  }
  return xfrm::PolicyDirection::out;
}

xfrm::PolicyId id_of(const maps::PolicyRecord& record) {
  xfrm::Selector selector{record.src,
                          record.dst,
                          record.proto,
                          {record.src_port, record.src_port_mask},
                          {record.dst_port, record.dst_port_mask}};
  return {direction_of(record.dir), selector, layer_of(record.kind), {record.mark, record.mark_mask}, record.if_id};
}

// A policy with the kernel's word for it, if it has one and was asked.
report::PolicyRow policy_row(const maps::PolicyRecord& record, const std::vector<xfrm::PolicySpec>* kernel) {
  const xfrm::PolicyId id = id_of(record);
  report::PolicyRow row;
  row.conn = record.conn;
  row.child = record.child;
  row.direction = xfrm::to_string(id.direction);
  row.selector = id.selector.text();
  row.layer = layer_text(record.kind);
  row.action = record.kind == maps::PolicyKind::floor || record.kind == maps::PolicyKind::guard ? "block" : "allow";
  row.priority = record.priority;
  if (kernel == nullptr || (record.netns != 0 && record.netns != maps::netns_cookie())) return row;
  const auto found =
      std::find_if(kernel->begin(), kernel->end(), [&](const xfrm::PolicySpec& each) { return each.id == id; });
  row.in_kernel = found != kernel->end();
  if (found == kernel->end()) return row;
  row.action = found->action == xfrm::PolicyAction::block ? "block" : "allow";
  if (found->esp) {
    row.esp = std::string(base::to_string(found->esp->mode));
    if (found->esp->mode == base::SaMode::tunnel) {
      row.esp += fmt::format(" {} -> {}", found->esp->source.text(), found->esp->destination.text());
    }
  }
  return row;
}

std::string sysctl(const char* name) {
  std::ifstream in(std::string("/proc/sys/net/core/") + name);
  std::string out;
  std::getline(in, out);
  return out;
}

// What becomes of the packet that meets a trap; empty if there is none.
std::string about_traps(const std::vector<report::PolicyRow>& rows) {
  if (std::none_of(rows.begin(), rows.end(), [](const auto& row) { return row.layer == "trap"; })) return {};
  const auto drop = sysctl("xfrm_larval_drop");
  const auto patience = sysctl("xfrm_acq_expires");
  if (drop.empty() || patience.empty()) return {};
  return fmt::format(
      "{}: net.core.xfrm_larval_drop = {}; after one that came to nothing the next packet asks again in "
      "{} s: net.core.xfrm_acq_expires",
      drop == "0" ? "packets that meet a trap wait for its child" : "the first packet at a trap is lost", drop,
      patience);
}

}  // namespace

Outcome policy_show(const Context& context) {
  const auto reader = maps::Reader::open(context.options.bpffs);
  if (!reader) return std::unexpected(maps_failure(reader.error(), context.options.bpffs));
  std::optional<std::vector<xfrm::PolicySpec>> kernel;
  if (auto opened = xfrm::NetlinkKernel::make_for_reading()) {
    if (auto policies = opened->dump_policies()) {
      kernel = std::move(*policies);
    } else {
      note(kernel_failure(policies.error()).text);
    }
  } else {
    note(kernel_failure(opened.error()).text);
  }
  std::vector<report::PolicyRow> rows;
  for (const auto& [index, record] : reader->policies())
    rows.push_back(policy_row(record, kernel ? &*kernel : nullptr));
  std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
    return std::tie(a.conn, a.child, a.selector) < std::tie(b.conn, b.child, b.selector);
  });
  const auto traps = about_traps(rows);
  if (context.options.json) {
    if (!traps.empty()) note(traps);
    return report::policy_json(rows, context.options.pretty);
  }
  return report::policy_text(rows, context.options.color) + (traps.empty() ? "" : traps + "\n");
}

}  // namespace espgate::tools
