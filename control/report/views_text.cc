// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "control/report/text_table.h"
#include "control/report/views.h"

namespace espgate::control::report {
namespace {

using Align = TextTable::Align;

std::string joined(const std::vector<std::string>& words) { return fmt::format("{}", fmt::join(words, ", ")); }

std::string name_of(const std::string& conn, const std::string& child) {
  return child.empty() ? conn : conn + "/" + child;
}

Cell number(std::uint64_t value) { return {std::to_string(value)}; }

Cell state_cell(const std::string& state) {
  if (state == "up" || state == "ESTABLISHED") return {state, Paint::good};
  if (state == "trapped" || state == "pass" || state == "drop") return {state};
  return {state, state == "down" ? Paint::bad : Paint::warn};
}

std::string whole(const TextTable& table, bool color, std::string_view none) {
  return table.empty() ? fmt::format("{}\n", none) : table.text(color);
}

}  // namespace

std::string conn_text(const std::vector<ConnRow>& rows, bool color, std::int64_t now) {
  TextTable table({{"CHILD"}, {"STATE"}, {"ORIGIN"}, {"ATTEMPTS", Align::right}, {"NEXT TRY"}});
  for (const auto& row : rows) {
    table.row({Cell(name_of(row.conn, row.child), Paint::bold), state_cell(row.state), row.origin, number(row.attempts),
               row.next_try_at ? "in " + span_text(*row.next_try_at - now) : std::string()});
    if (!row.last_error) continue;
    const auto& error = *row.last_error;
    table.line({fmt::format("{} ago, {}: {} ({}){}", span_text(now - error.at), error.step, error.text, error.code,
                            error.peer_notify.empty() ? "" : "; the peer sent " + error.peer_notify),
                row.state == "up" ? Paint::dim : Paint::warn});
  }
  return whole(table, color, "no connections configured");
}

std::string ike_text(const std::vector<IkeRow>& rows, bool color, std::int64_t now) {
  TextTable table({{"ID", Align::right},
                   {"CONN"},
                   {"STATE"},
                   {"ROLE"},
                   {"LOCAL"},
                   {"REMOTE"},
                   {"SUITE"},
                   {"AGE"},
                   {"CHILDREN", Align::right}});
  for (const auto& row : rows) {
    table.row({number(row.unique_id), Cell(row.conn, Paint::bold), state_cell(row.state), row.role, row.local,
               row.remote, row.suite, row.established_at ? span_text(now - *row.established_at) : std::string(),
               number(row.children)});
    std::string ids = fmt::format("{} ... {}", row.local_id, row.remote_id);
    if (row.nat_local || row.nat_remote) {
      ids += fmt::format("; NAT on {}", row.nat_local && row.nat_remote ? "both ends"
                                        : row.nat_local                 ? "our end"
                                                                        : "the peer's end");
    }
    table.line({std::move(ids), Paint::dim});
  }
  return whole(table, color, "no IKE SAs");
}

std::string policy_text(const std::vector<PolicyRow>& rows, bool color) {
  TextTable table({{"CHILD"}, {"DIR"}, {"LAYER"}, {"ACTION"}, {"PRIORITY", Align::right}, {"SELECTOR"}, {"ESP"}});
  for (const auto& row : rows) {
    table.row({Cell(row.conn.empty() ? "(all)" : name_of(row.conn, row.child), Paint::bold), row.direction, row.layer,
               Cell(row.action, row.action == "block" ? Paint::warn : Paint::plain), number(row.priority), row.selector,
               row.esp});
    if (row.in_kernel == false) table.line({"the kernel has no such policy any more", Paint::bad});
  }
  return whole(table, color, "no policies of espgate's");
}

std::string stats_text(const std::vector<StatsRow>& rows, bool color) {
  TextTable table(
      {{"DEVICE"}, {"ATTACHED"}, {"CLASS"}, {"VERDICT"}, {"PACKETS", Align::right}, {"BYTES", Align::right}});
  for (const auto& row : rows) {
    if (row.classes.empty()) table.row({Cell(row.device, Paint::bold), row.attached});
    for (const auto& each : row.classes) {
      table.row({Cell(row.device, Paint::bold), row.attached, each.packet_class,
                 Cell(each.verdict, each.verdict == "drop" ? Paint::warn : Paint::plain), number(each.count.packets),
                 number(each.count.bytes)});
    }
  }
  return whole(table, color, "no packets counted: the XDP program is attached to no device");
}

namespace {

std::string rate_text(std::uint32_t rate) { return rate == 0 ? "any number" : fmt::format("{} a second", rate); }

std::string rules_text(const std::optional<ShieldRules>& rules) {
  if (!rules) return "its rules cannot be read\n";
  if (!rules->active) return "off: packets are only counted (gateway.shield.mode)\n";
  return fmt::format(
      "on: of IKE_SA_INIT without a cookie {} pass, of fragments of IKE {}, of other IKE of one source prefix {}; "
      "unknown SPIs are {}\n",
      rate_text(rules->cookie_rate), rate_text(rules->fragment_rate), rate_text(rules->source_rate),
      rules->drop_unknown ? "dropped" : "counted");
}

}  // namespace

std::string shield_text(const ShieldView& view, bool color) {
  TextTable table({{"DEVICE"}, {"XDP"}, {"EVENT"}, {"PACKETS", Align::right}});
  const bool active = view.rules && view.rules->active;
  for (const auto& device : view.devices) {
    const Cell name(device.device, Paint::bold);
    const Cell xdp(device.xdp, active && device.xdp == "none" ? Paint::bad : Paint::plain);
    bool quiet = true;
    for (const auto& each : device.events) {
      if (each.packets == 0) continue;
      quiet = false;
      table.row({name, xdp, each.event, number(each.packets)});
    }
    if (quiet) table.row({name, xdp});
    if (active && device.xdp == "none") table.line({"no XDP: the shield does not act there", Paint::bad});
  }
  return rules_text(view.rules) + whole(table, color, "the XDP program is attached to no device");
}

std::string program_text(const std::vector<ProgramRow>& rows, bool color) {
  TextTable table(
      {{"ID", Align::right}, {"PROGRAM"}, {"TYPE"}, {"RUNS", Align::right}, {"NS/RUN", Align::right}, {"ATTACHED TO"}});
  bool counted = false;
  for (const auto& row : rows) {
    counted = counted || row.run_count > 0;
    table.row({number(row.id), Cell(row.name, Paint::bold), row.type, number(row.run_count),
               row.run_count == 0 ? Cell() : number(row.run_ns / row.run_count), joined(row.attached)});
  }
  std::string text = whole(table, color, "no BPF program of espgate's is loaded");
  if (!rows.empty() && !counted) text += "runs are counted while kernel.bpf_stats_enabled is 1\n";
  return text;
}

std::string map_text(const std::vector<MapRow>& rows, bool color) {
  TextTable table({{"ID", Align::right},
                   {"MAP"},
                   {"TYPE"},
                   {"USED", Align::right},
                   {"MAX", Align::right},
                   {"MEMORY", Align::right}});
  for (const auto& row : rows) {
    table.row({number(row.id), Cell(row.name, Paint::bold), row.type,
               Cell(std::to_string(row.used), row.most > 1 && row.used >= row.most ? Paint::bad : Paint::plain),
               number(row.most), number(row.octets)});
  }
  return whole(table, color, "no BPF map of espgate's is pinned");
}

std::string flow_text(const std::vector<FlowRow>& rows, bool color) {
  TextTable table({{"CHILD"},
                   {"DIR"},
                   {"PROTO"},
                   {"FROM"},
                   {"TO"},
                   {"HW PKTS", Align::right},
                   {"HW BYTES", Align::right},
                   {"SW PKTS", Align::right},
                   {"SW BYTES", Align::right}});
  for (const auto& row : rows) {
    table.row({Cell(row.conn.empty() ? std::string() : name_of(row.conn, row.child), Paint::bold), row.direction,
               row.protocol, row.source, row.destination, number(row.hw.packets), number(row.hw.bytes),
               number(row.sw.packets), number(row.sw.bytes)});
  }
  return whole(table, color, "no flows counted");
}

}  // namespace espgate::control::report
