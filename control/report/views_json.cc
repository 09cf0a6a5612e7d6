// SPDX-License-Identifier: Apache-2.0
#include "control/report/json.h"
#include "control/report/views.h"

namespace espgate::control::report {
namespace {

template <class Row, class F>
std::string array_of(const std::vector<Row>& rows, bool pretty, F&& object) {
  Json array = Json::array();
  for (const auto& row : rows) array.push_back(object(row));
  return json_text(array, pretty);
}

Json error_of(const std::optional<LastError>& error) {
  if (!error) return nullptr;
  return Json{{"at", error->at},
              {"step", error->step},
              {"code", error->code},
              {"text", error->text},
              {"peer_notify", json_text_or_null(error->peer_notify)}};
}

Json class_of(const ClassCount& row) {
  return Json{{"class", row.packet_class},
              {"verdict", row.verdict},
              {"packets", json_number(row.count.packets)},
              {"bytes", json_number(row.count.bytes)}};
}

}  // namespace

std::string conn_json(const std::vector<ConnRow>& rows, bool pretty) {
  return array_of(rows, pretty, [](const ConnRow& row) {
    return Json{{"conn", row.conn},
                {"child", json_text_or_null(row.child)},
                {"state", row.state},
                {"origin", json_text_or_null(row.origin)},
                {"attempts", json_number(row.attempts)},
                {"last_error", error_of(row.last_error)},
                {"next_try_at", json_or_null(row.next_try_at)}};
  });
}

std::string ike_json(const std::vector<IkeRow>& rows, bool pretty) {
  return array_of(rows, pretty, [](const IkeRow& row) {
    return Json{{"unique_id", json_number(row.unique_id)},
                {"conn", row.conn},
                {"state", row.state},
                {"role", row.role},
                {"local", row.local},
                {"remote", row.remote},
                {"local_id", row.local_id},
                {"remote_id", row.remote_id},
                {"spi_i", row.spi_i},
                {"spi_r", row.spi_r},
                {"suite", json_text_or_null(row.suite)},
                {"nat", {{"local", row.nat_local}, {"remote", row.nat_remote}}},
                {"established_at", json_or_null(row.established_at)},
                {"rekey_at", json_or_null(row.rekey_at)},
                {"children", json_number(row.children)}};
  });
}

std::string policy_json(const std::vector<PolicyRow>& rows, bool pretty) {
  return array_of(rows, pretty, [](const PolicyRow& row) {
    return Json{{"conn", json_text_or_null(row.conn)},
                {"child", json_text_or_null(row.child)},
                {"dir", row.direction},
                {"selector", row.selector},
                {"layer", row.layer},
                {"action", row.action},
                {"priority", row.priority},
                {"esp", json_text_or_null(row.esp)},
                {"in_kernel", json_or_null(row.in_kernel)}};
  });
}

std::string stats_json(const std::vector<StatsRow>& rows, bool pretty) {
  return array_of(rows, pretty, [](const StatsRow& row) {
    Json classes = Json::array();
    for (const auto& each : row.classes) classes.push_back(class_of(each));
    return Json{{"dev", row.device}, {"attached", row.attached}, {"classes", std::move(classes)}};
  });
}

std::string shield_json(const ShieldView& view, bool pretty) {
  Json rules = nullptr;
  if (view.rules) {
    rules = Json{{"active", view.rules->active},
                 {"unknown_spi", view.rules->drop_unknown ? "drop" : "count"},
                 {"cookie_rate", view.rules->cookie_rate},
                 {"fragment_rate", view.rules->fragment_rate},
                 {"source_rate", view.rules->source_rate}};
  }
  Json devices = Json::array();
  for (const auto& device : view.devices) {
    Json events = Json::object();
    for (const auto& each : device.events) events[each.event] = json_number(each.packets);
    devices.push_back(Json{{"dev", device.device}, {"xdp", device.xdp}, {"events", std::move(events)}});
  }
  return json_text(Json{{"rules", std::move(rules)}, {"devices", std::move(devices)}}, pretty);
}

std::string program_json(const std::vector<ProgramRow>& rows, bool pretty) {
  return array_of(rows, pretty, [](const ProgramRow& row) {
    return Json{{"id", row.id},
                {"name", row.name},
                {"type", row.type},
                {"attached", row.attached},
                {"run_count", json_number(row.run_count)},
                {"run_ns", json_number(row.run_ns)},
                {"ns_per_run", row.run_count == 0 ? Json(nullptr) : json_number(row.run_ns / row.run_count)}};
  });
}

std::string map_json(const std::vector<MapRow>& rows, bool pretty) {
  return array_of(rows, pretty, [](const MapRow& row) {
    return Json{{"id", row.id},
                {"name", row.name},
                {"type", row.type},
                {"used", json_number(row.used)},
                {"max", json_number(row.most)},
                {"octets", json_number(row.octets)}};
  });
}

std::string flow_json(const std::vector<FlowRow>& rows, bool pretty) {
  return array_of(rows, pretty, [](const FlowRow& row) {
    return Json{{"conn", json_text_or_null(row.conn)},
                {"child", json_text_or_null(row.child)},
                {"dir", row.direction},
                {"src", row.source},
                {"dst", row.destination},
                {"protocol", row.protocol},
                {"hw", json_count(row.hw)},
                {"sw", json_count(row.sw)}};
  });
}

std::string error_json(const std::string& code, const std::string& text, bool pretty) {
  return json_text(Json{{"error", {{"code", code}, {"text", text}}}}, pretty);
}

}  // namespace espgate::control::report
