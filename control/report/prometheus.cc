// SPDX-License-Identifier: Apache-2.0
#include "control/report/prometheus.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <map>
#include <set>
#include <sstream>
#include <utility>

#include "control/report/text_table.h"

namespace espgate::control::report {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

MetricFamily family(std::string name, std::string help, MetricType type) {
  return {std::move(name), std::move(help), type, {}};
}

// Names come from maps and configurations: one that is no UTF-8 would cost a scraper the whole text.
void add(MetricFamily& into, Labels labels, double value) {
  for (auto& label : labels) label.value = printable(label.value);
  ClientMetric metric;
  metric.label = std::move(labels);
  (into.type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
  into.metric.push_back(std::move(metric));
}

MetricFamily one(std::string name, std::string help, double value, Labels labels = {}) {
  MetricFamily result = family(std::move(name), std::move(help), MetricType::Gauge);
  add(result, std::move(labels), value);
  return result;
}

using ChildName = std::pair<std::string, std::string>;

// Every child anyone has heard of: configured, installed, or counted once.
std::set<ChildName> children_of(const Report& report) {
  std::set<ChildName> names;
  for (const auto& row : report.sas.rows) names.emplace(row.conn, row.child);
  for (const auto& total : report.totals) names.emplace(total.conn, total.child);
  if (report.daemon) {
    for (const auto& conn : report.daemon->conns) {
      if (!conn.child.empty()) names.emplace(conn.conn, conn.child);
    }
  }
  return names;
}

void add_children(const Report& report, std::vector<MetricFamily>& out) {
  MetricFamily up = family("espgate_child_up", "Whether the child has both its SAs in the kernel", MetricType::Gauge);
  MetricFamily sas = family("espgate_child_sas", "Child SAs of this name that are up", MetricType::Gauge);
  std::map<ChildName, std::size_t> counts;
  for (const auto& row : report.sas.rows) counts[{row.conn, row.child}] += row.up() ? 1U : 0U;
  for (const auto& name : children_of(report)) {
    const auto& [conn, child] = name;
    const auto found = counts.find(name);
    const std::size_t count = found == counts.end() ? 0 : found->second;
    add(up, {{"conn", conn}, {"child", child}}, count > 0 ? 1 : 0);
    add(sas, {{"conn", conn}, {"child", child}}, static_cast<double>(count));
  }
  out.push_back(std::move(up));
  out.push_back(std::move(sas));
}

// Moments that the daemon alone knows: of children, and of the certificates that connections show.
void add_moments(const Report& report, std::vector<MetricFamily>& out) {
  if (!report.daemon) return;
  MetricFamily changed = family("espgate_child_last_change_timestamp_seconds",
                                "When the child last came up, went down or was rekeyed", MetricType::Gauge);
  MetricFamily expiry = family("espgate_certificate_expiry_timestamp_seconds",
                               "When the first certificate of ours for the connection runs out", MetricType::Gauge);
  std::set<std::string> told;
  for (const auto& row : report.daemon->conns) {
    if (row.changed_at && !row.child.empty()) {
      add(changed, {{"conn", row.conn}, {"child", row.child}}, static_cast<double>(*row.changed_at));
    }
    if (row.cert_expires_at && told.insert(row.conn).second) {
      add(expiry, {{"conn", row.conn}}, static_cast<double>(*row.cert_expires_at));
    }
  }
  // Of several SAs of one name the one that lasts longest: an older one beside it is on its way out.
  MetricFamily hard = family("espgate_child_hard_expiry_timestamp_seconds",
                             "When the child's newest SA ends, if it is not rekeyed before", MetricType::Gauge);
  std::map<ChildName, std::int64_t> last;
  for (const auto& row : report.sas.rows) {
    if (!row.expires_at) continue;
    auto& at = last[{row.conn, row.child}];
    at = std::max(at, *row.expires_at);
  }
  for (const auto& [name, at] : last) {
    add(hard, {{"conn", name.first}, {"child", name.second}}, static_cast<double>(at));
  }
  for (auto* each : {&changed, &hard, &expiry}) out.push_back(std::move(*each));
}

void add_totals(const Report& report, std::vector<MetricFamily>& out) {
  MetricFamily packets = family("espgate_child_packets_total",
                                "ESP packets on the wire, by who encrypted or decrypted them", MetricType::Counter);
  MetricFamily bytes = family("espgate_child_bytes_total",
                              "Octets after decapsulation, by who encrypted or decrypted them", MetricType::Counter);
  for (const auto& total : report.totals) {
    for (const auto direction : {base::Direction::in, base::Direction::out}) {
      const auto index = static_cast<std::size_t>(direction);
      for (const auto& [path, count] : {std::pair{"hardware", total.hw[index]}, {"software", total.sw[index]}}) {
        const Labels labels{{"conn", total.conn},
                            {"child", total.child},
                            {"direction", std::string(base::to_string(direction))},
                            {"path", path}};
        add(packets, labels, static_cast<double>(count.packets));
        add(bytes, labels, static_cast<double>(count.bytes));
      }
    }
  }
  out.push_back(std::move(packets));
  out.push_back(std::move(bytes));
}

// One series per child and direction: that of the newest SA, which is the last row of its name.
void add_offload(const Report& report, std::vector<MetricFamily>& out) {
  MetricFamily info =
      family("espgate_child_offload_info", "Offload wanted and actual of the child's newest SA, and why it is less",
             MetricType::Gauge);
  std::map<std::tuple<std::string, std::string, base::Direction>, const Side*> newest;
  for (const auto& row : report.sas.rows) {
    if (row.in) newest[{row.conn, row.child, base::Direction::in}] = &*row.in;
    if (row.out) newest[{row.conn, row.child, base::Direction::out}] = &*row.out;
  }
  std::map<std::string, double> used;
  for (const auto& [key, side] : newest) {
    const auto& [conn, child, direction] = key;
    add(info,
        {{"conn", conn},
         {"child", child},
         {"direction", std::string(base::to_string(direction))},
         {"wanted", std::string(base::to_string(side->wanted))},
         {"actual", std::string(base::to_string(side->actual))},
         {"dev", side->device},
         {"reason", side->reason_code}},
        1);
  }
  for (const auto& row : report.sas.rows) {
    for (const auto* side : {&row.in, &row.out}) {
      if (*side && (*side)->actual != base::OffloadActual::none) used[(*side)->device] += 1;
    }
  }
  out.push_back(std::move(info));
  MetricFamily slots =
      family("espgate_device_offload_slots",
             "SAs, both directions: that the device holds, that it is known to have room for", MetricType::Gauge);
  for (const auto& [device, count] : used) add(slots, {{"dev", device}, {"state", "used"}}, count);
  if (report.daemon) {
    for (const auto& [device, room] : report.daemon->rooms) {
      if (!used.contains(device)) add(slots, {{"dev", device}, {"state", "used"}}, 0);
      add(slots, {{"dev", device}, {"state", "known"}}, static_cast<double>(room));
    }
  }
  out.push_back(std::move(slots));
}

void add_packets(const Report& report, std::vector<MetricFamily>& out) {
  MetricFamily fallbacks = family("espgate_offload_fallbacks_total",
                                  "Packets of an offloaded SA that software carried, by reason", MetricType::Counter);
  for (const auto& row : report.fallbacks) {
    add(fallbacks, {{"dev", row.device}, {"reason", row.reason}}, static_cast<double>(row.packets));
  }
  MetricFamily classes =
      family("espgate_class_packets_total", "Packets the XDP program saw, by class and verdict", MetricType::Counter);
  for (const auto& row : report.classes) {
    add(classes, {{"dev", row.device}, {"class", row.packet_class}, {"verdict", row.verdict}},
        static_cast<double>(row.count.packets));
  }
  MetricFamily shield = family("espgate_shield_packets_total", "Packets that the shield judged, by what became of them",
                               MetricType::Counter);
  for (const auto& row : report.shield) {
    add(shield, {{"dev", row.device}, {"event", row.event}}, static_cast<double>(row.packets));
  }
  out.push_back(std::move(fallbacks));
  out.push_back(std::move(classes));
  out.push_back(std::move(shield));
}

void add_ikes(const Report& report, std::vector<MetricFamily>& out) {
  if (!report.daemon) return;  // unknown is no series, not zero
  MetricFamily sas = family("espgate_ike_sas", "IKE SAs by state", MetricType::Gauge);
  std::map<std::string, double> by_state{{"connecting", 0}, {"established", 0}, {"deleting", 0}};
  for (const auto& ike : report.daemon->ikes) {
    std::string state = ike.state;
    for (char& c : state) c = (c >= 'A' && c <= 'Z') ? static_cast<char>(c - 'A' + 'a') : c;
    by_state[state] += 1;
  }
  for (const auto& [state, count] : by_state) add(sas, {{"state", state}}, count);
  out.push_back(std::move(sas));
  MetricFamily rejected =
      family("espgate_ike_rejected_total", "IKE datagrams and requests that came to nothing", MetricType::Counter);
  for (const auto& [reason, count] : report.daemon->rejected) {
    add(rejected, {{"reason", reason}}, static_cast<double>(count));
  }
  out.push_back(std::move(rejected));
  MetricFamily exchanges =
      family("espgate_ike_exchanges_total", "IKE exchanges that ended, by who began them and how", MetricType::Counter);
  for (const auto& row : report.daemon->exchanges) {
    add(exchanges, {{"exchange", row.exchange}, {"role", row.role}, {"result", row.result}},
        static_cast<double>(row.count));
  }
  out.push_back(std::move(exchanges));
  MetricFamily again =
      family("espgate_ike_retransmits_total", "IKE requests sent again for want of an answer", MetricType::Counter);
  add(again, {}, static_cast<double>(report.daemon->retransmits));
  out.push_back(std::move(again));
  MetricFamily moves = family("espgate_steer_moves_total",
                              "Children moved to hardware (promote) and to software (demote)", MetricType::Counter);
  for (const auto& [device, count] : report.daemon->moves) {
    add(moves, {{"dev", device}, {"move", "promote"}}, static_cast<double>(count.promoted));
    add(moves, {{"dev", device}, {"move", "demote"}}, static_cast<double>(count.demoted));
  }
  out.push_back(std::move(moves));
}

}  // namespace

std::string prometheus_text(const Report& report) {
  std::vector<MetricFamily> out;
  out.push_back(one("espgate_build_info", "The version of espgate that wrote this", 1, {{"version", ESPGATE_VERSION}}));
  out.push_back(one("espgate_up", "Whether espgated answers", report.daemon ? 1 : 0));
  if (report.daemon && report.daemon->config_taken) {
    out.push_back(one("espgate_config_last_reload_success", "Whether the configuration was taken when it was last read",
                      *report.daemon->config_taken ? 1 : 0));
  }
  add_children(report, out);
  add_moments(report, out);
  add_totals(report, out);
  add_offload(report, out);
  add_packets(report, out);
  add_ikes(report, out);
  std::erase_if(out, [](const MetricFamily& each) { return each.metric.empty(); });
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, out);
  return text.str();
}

}  // namespace espgate::control::report
