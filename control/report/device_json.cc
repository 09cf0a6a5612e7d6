// SPDX-License-Identifier: Apache-2.0
#include "control/report/json.h"
#include "control/report/views.h"

namespace espgate::control::report {
namespace {

Json slots_json(const DeviceRow& row) {
  const auto* known = row.known ? &row.known->record : nullptr;
  return Json{{"used", {{"in", json_number(row.held_in)}, {"out", json_number(row.held_out)}}},
              {"known",
               {{"in", known == nullptr ? Json(nullptr) : json_or_null(known->slots_in)},
                {"out", known == nullptr ? Json(nullptr) : json_or_null(known->slots_out)}}}};
}

Json steering_json(const std::optional<sad::SlotView>& steering) {
  if (!steering) return nullptr;
  return Json{{"slots", json_or_null(steering->known)},
              {"reserve", steering->reserve},
              {"children", {{"hardware", steering->hardware}, {"software", steering->software}}},
              {"budget", steering->budget},
              {"moves", {{"promote", json_number(steering->promoted)}, {"demote", json_number(steering->demoted)}}}};
}

Json answer_json(const sad::DeviceEntry& entry) {
  const auto& row = entry.row;
  base::EspSuite suite = row.suite;
  suite.esn = false;  // a member of its own
  const bool refused = entry.answer.result == sad::ProbeResult::refused;
  return Json{{"suite", suite.name()},
              {"mode", sad::to_string(row.mode)},
              {"dir", base::to_string(row.direction)},
              {"sa_mode", base::to_string(row.sa_mode)},
              {"family", row.family == base::Family::ipv4 ? "ipv4" : "ipv6"},
              {"esn", row.suite.esn},
              {"encap", row.encap},
              {"replay_window", row.replay_window},
              {"result", sad::to_string(entry.answer.result)},
              {"errno", refused ? Json(base::errno_name(entry.answer.code)) : Json(nullptr)},
              {"reason", json_text_or_null(sad::reason_text(entry.answer))},
              {"learned", entry.cached ? "cache" : sad::to_string(entry.learned)},
              {"at", entry.at}};
}

Json distrust_json(const std::string& device, const sad::Distrust& distrust) {
  return Json{{"suite", distrust.suite.name()},
              {"mode", sad::to_string(distrust.mode)},
              {"dir", distrust.direction ? Json(base::to_string(*distrust.direction)) : Json(nullptr)},
              {"reason", sad::sentence(device, distrust)},
              {"at", distrust.at}};
}

// What only the table of devices knows; null or empty where it knows nothing.
void put_known(Json& into, const std::optional<DeviceKnown>& known) {
  Json answers = Json::array();
  Json offers = Json::array();
  Json distrusted = Json::array();
  if (known) {
    for (const auto& each : known->record.distrusted) distrusted.push_back(distrust_json(known->record.name, each));
    for (const auto& entry : known->record.entries) answers.push_back(answer_json(entry));
    for (const auto& offer : known->offers) {
      offers.push_back(Json{{"suite", offer.suite}, {"carrier", offer.carrier}, {"reason", offer.why}});
    }
  }
  const bool told = known && !known->state.empty();
  into["probe"] = told ? Json{{"state", known->state}, {"text", known->state_text}} : Json(nullptr);
  into["takes"] = std::move(answers);
  into["distrusted"] = std::move(distrusted);
  into["steering"] = known ? steering_json(known->steering) : Json(nullptr);
  into["esp_floor"] = known ? Json(known->floor) : Json(nullptr);
  into["offers"] = std::move(offers);
  into["carries"] = known ? Json(known->carries) : Json::array();
  into["disagreement"] = known ? json_text_or_null(known->disagreement) : Json(nullptr);
}

}  // namespace

std::string device_json(const std::vector<DeviceRow>& rows, bool pretty) {
  Json array = Json::array();
  for (const auto& row : rows) {
    Json one{{"dev", row.device},
             {"driver", json_text_or_null(row.driver)},
             {"driver_version", json_text_or_null(row.driver_version)},
             {"firmware", json_text_or_null(row.firmware)},
             {"up", row.up},
             {"esp_hw_offload", json_or_null(row.esp_hw_offload)},
             {"fixed", row.fixed},
             {"held", {{"in", json_number(row.held_in)}, {"out", json_number(row.held_out)}}},
             {"wanted_in_software", json_number(row.wanted_in_software)},
             {"reason_codes", row.reasons},
             {"slots", slots_json(row)}};
    put_known(one, row.known);
    array.push_back(std::move(one));
  }
  return json_text(array, pretty);
}

}  // namespace espgate::control::report
