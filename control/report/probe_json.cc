// SPDX-License-Identifier: Apache-2.0
#include "control/report/json.h"
#include "control/report/probe.h"

namespace espgate::control::report {
namespace {

std::string suite_name(base::EspSuite suite) {
  suite.esn = false;  // a member of its own
  return suite.name();
}

// `answer` null: planned, not tried.
Json row_json(const ProbedDevice& device, const sad::ProbeRow& row, const sad::ProbeAnswer* answer) {
  Json out{{"dev", device.device},
           {"suite", suite_name(row.suite)},
           {"mode", sad::to_string(row.mode)},
           {"dir", base::to_string(row.direction)},
           {"sa_mode", base::to_string(row.sa_mode)},
           {"family", row.family == base::Family::ipv4 ? "ipv4" : "ipv6"},
           {"esn", row.suite.esn},
           {"encap", row.encap},
           {"replay_window", row.replay_window},
           {"result", nullptr},
           {"errno", nullptr},
           {"reason", nullptr}};
  if (answer == nullptr) return out;
  out["result"] = sad::to_string(answer->result);
  if (answer->result == sad::ProbeResult::refused) out["errno"] = base::errno_name(answer->code);
  out["reason"] = json_text_or_null(sad::reason_text(*answer));
  return out;
}

Json rows_json(const ProbedDevice& device, const std::vector<sad::ProbeRow>& rows) {
  Json out = Json::array();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    out.push_back(row_json(device, rows[i], device.answers.empty() ? nullptr : &device.answers[i]));
  }
  return out;
}

}  // namespace

std::string probe_json(const ProbeView& view, bool pretty) {
  Json out = Json::array();
  for (const auto& device : view.devices) {
    for (auto& row : rows_json(device, view.rows)) out.push_back(std::move(row));
  }
  return json_text(out, pretty);
}

std::string probe_report_json(const SystemInfo& system, const std::vector<ProbedDevice>& devices,
                              const std::vector<sad::ProbeRow>& rows, bool pretty) {
  Json list = Json::array();
  for (const auto& device : devices) {
    list.push_back(Json{{"dev", device.device},
                        {"driver", json_text_or_null(device.driver)},
                        {"driver_version", json_text_or_null(device.driver_version)},
                        {"firmware", json_text_or_null(device.firmware)},
                        {"bus", json_text_or_null(device.bus)},
                        {"pci_id", json_text_or_null(device.pci_id)},
                        {"up", device.up},
                        {"esp_hw_offload", json_or_null(device.esp_hw_offload)},
                        {"probe", rows_json(device, rows)}});
  }
  return json_text(
      Json{{"espgate", system.espgate},
           {"kernel", {{"release", system.release}, {"version", system.version}, {"machine", system.machine}}},
           {"devices", std::move(list)}},
      pretty);
}

}  // namespace espgate::control::report
