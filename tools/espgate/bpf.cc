// SPDX-License-Identifier: Apache-2.0
// stats, shield, flow, prog and map show: what the BPF side counted, and the BPF side itself. The daemon is not asked.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <map>

#include "control/report/views.h"
#include "loader/inspect.h"
#include "maps/reader.h"
#include "tools/espgate/handlers.h"

namespace espgate::tools {
namespace {

namespace report = control::report;

std::string attached(const espgate_device& device) {
  std::vector<std::string> parts;
  if (device.xdp_mode != ESPGATE_XDP_NONE) parts.push_back(fmt::format("xdp {}", maps::xdp_mode_name(device.xdp_mode)));
  if (device.tc_ingress != 0) parts.emplace_back(device.tc_classes != 0 ? "tc ingress (counts classes)" : "tc ingress");
  if (device.tc_egress != 0) parts.emplace_back("tc egress");
  return parts.empty() ? "nothing" : fmt::format("{}", fmt::join(parts, ", "));
}

std::string protocol_name(std::uint8_t protocol) {
  switch (protocol) {
    case IPPROTO_TCP:
      return "tcp";
    case IPPROTO_UDP:
      return "udp";
    case IPPROTO_ICMP:
      return "icmp";
    case IPPROTO_ICMPV6:
      return "icmpv6";
    case IPPROTO_SCTP:
      return "sctp";
    default:
      return std::to_string(protocol);
  }
}

// Port 0 stands for a protocol that has none.
std::string end_text(const base::Address& address, std::uint16_t port) {
  return port == 0 ? address.text() : base::Endpoint{address, port}.text();
}

report::FlowRow flow_row(const maps::FlowRow& flow, const maps::Reader& reader) {
  report::FlowRow row;
  // A flow of an SA that is gone keeps its counts and has no name.
  const auto sa = reader.sa(flow.key.slot);
  if (sa && sa->generation == flow.key.generation) {
    row.conn = sa->sa.conn;
    row.child = sa->sa.child_name;
  }
  row.direction = base::to_string(flow.key.direction == ESPGATE_IN ? base::Direction::in : base::Direction::out);
  row.source = end_text(flow.src, ntohs(flow.key.src_port));
  row.destination = end_text(flow.dst, ntohs(flow.key.dst_port));
  row.protocol = protocol_name(flow.key.proto);
  row.hw = {flow.value.hw_packets, flow.value.hw_bytes};
  row.sw = {flow.value.sw_packets, flow.value.sw_bytes};
  return row;
}

// Counts outlive the attachment; then only the number of the device is left.
std::string device_name(const std::string& name, std::uint32_t ifindex) {
  return name.empty() ? fmt::format("#{}", ifindex) : name;
}

// Only the device asked for; a failure if there is none of that name.
template <class Row>
std::expected<std::vector<Row>, Failure> shown_of(std::map<std::uint32_t, Row> rows, const Context& context) {
  const auto only = context.invocation.get("dev");
  std::vector<Row> shown;
  for (auto& [ifindex, row] : rows) {
    if (!only || row.device == *only) shown.push_back(std::move(row));
  }
  if (!only || !shown.empty()) return shown;
  return std::unexpected(Failure{Exit::refused, "not-found",
                                 fmt::format("no program of espgate's is or was attached to {}; `espgate stats show` "
                                             "has those there are",
                                             *only)});
}

report::ShieldDevice shield_device(const std::string& name, unsigned xdp,
                                   const std::array<std::uint64_t, ESPGATE_SHIELD_EVENT_COUNT>& events) {
  report::ShieldDevice out{name, maps::xdp_mode_name(xdp), {}};
  for (unsigned event = 0; event < events.size(); ++event) {
    out.events.push_back({name, maps::shield_event_name(event), events[event]});
  }
  return out;
}

std::uint64_t bytes_of(const report::FlowRow& row) { return row.hw.bytes + row.sw.bytes; }

}  // namespace

Outcome stats_show(const Context& context) {
  const auto reader = maps::Reader::open(context.options.bpffs);
  if (!reader) return std::unexpected(maps_failure(reader.error(), context.options.bpffs));
  std::map<std::uint32_t, report::StatsRow> rows;
  for (const auto& device : reader->devices()) rows[device.ifindex] = {device.name, attached(device.device), {}};
  for (const auto& counted : reader->classes()) {
    report::StatsRow& row = rows[counted.ifindex];
    if (row.device.empty()) row = {device_name(counted.device, counted.ifindex), "nothing", {}};
    row.classes.push_back({row.device,
                           maps::class_name(counted.class_),
                           maps::verdict_name(counted.verdict),
                           {counted.packets, counted.bytes}});
  }
  const auto shown = shown_of(std::move(rows), context);
  if (!shown) return std::unexpected(shown.error());
  return context.options.json ? report::stats_json(*shown, context.options.pretty)
                              : report::stats_text(*shown, context.options.color);
}

Outcome shield_show(const Context& context) {
  const auto reader = maps::Reader::open(context.options.bpffs);
  if (!reader) return std::unexpected(maps_failure(reader.error(), context.options.bpffs));
  std::map<std::uint32_t, report::ShieldDevice> rows;
  for (const auto& device : reader->devices()) {
    rows[device.ifindex] = shield_device(device.name, device.device.xdp_mode, {});
  }
  for (const auto& row : reader->shield()) {
    const auto at = rows.find(row.ifindex);
    const unsigned xdp = ESPGATE_XDP_NONE;
    const auto name = device_name(row.device, row.ifindex);
    auto counted = shield_device(at == rows.end() ? name : at->second.device, xdp, row.events);
    if (at != rows.end()) counted.xdp = at->second.xdp;
    rows[row.ifindex] = std::move(counted);
  }
  auto shown = shown_of(std::move(rows), context);
  if (!shown) return std::unexpected(shown.error());
  report::ShieldView view;
  if (const auto rules = reader->shield_rules()) {
    view.rules = {rules->active != 0, rules->drop_unknown != 0, rules->cookie_rate, rules->fragment_rate,
                  rules->source_rate};
  }
  view.devices = std::move(*shown);
  return context.options.json ? report::shield_json(view, context.options.pretty)
                              : report::shield_text(view, context.options.color);
}

Outcome flow_show(const Context& context) {
  const auto reader = maps::Reader::open(context.options.bpffs);
  if (!reader) return std::unexpected(maps_failure(reader.error(), context.options.bpffs));
  std::vector<report::FlowRow> rows;
  for (const auto& flow : reader->flows()) rows.push_back(flow_row(flow, *reader));
  std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return bytes_of(a) > bytes_of(b); });
  const std::size_t top = context.invocation.number("top", static_cast<std::uint32_t>(rows.size()));
  if (rows.size() > top) rows.resize(top);
  return context.options.json ? report::flow_json(rows, context.options.pretty)
                              : report::flow_text(rows, context.options.color);
}

Outcome prog_show(const Context& context) {
  const auto programs = loader::programs(context.options.bpffs);
  if (!programs) return std::unexpected(maps_failure(programs.error(), context.options.bpffs));
  // A program is listed once for each place it is attached to.
  std::map<std::uint32_t, report::ProgramRow> rows;
  for (const auto& program : *programs) {
    report::ProgramRow& row = rows[program.id];
    row.id = program.id;
    row.name = program.name;
    row.type = program.type;
    row.run_count = program.run_count;
    row.run_ns = program.run_ns;
    if (!program.attach.empty()) row.attached.push_back(program.attach);
  }
  std::vector<report::ProgramRow> shown;
  for (auto& [id, row] : rows) shown.push_back(std::move(row));
  return context.options.json ? report::program_json(shown, context.options.pretty)
                              : report::program_text(shown, context.options.color);
}

Outcome map_show(const Context& context) {
  const auto maps = loader::map_infos(context.options.bpffs);
  if (!maps) return std::unexpected(maps_failure(maps.error(), context.options.bpffs));
  std::vector<report::MapRow> rows;
  for (const auto& map : *maps) rows.push_back({map.id, map.name, map.type, map.entries, map.max_entries, map.octets});
  return context.options.json ? report::map_json(rows, context.options.pretty)
                              : report::map_text(rows, context.options.color);
}

}  // namespace espgate::tools
