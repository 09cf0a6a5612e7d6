// SPDX-License-Identifier: Apache-2.0
#include "control/report/json.h"
#include "control/report/sa_render.h"

namespace espgate::control::report {
namespace {

Json offload(const Side& side) {
  return Json{{"wanted", base::to_string(side.wanted)},
              {"actual", base::to_string(side.actual)},
              {"effective", to_string(side.effective())},
              {"dev", json_text_or_null(side.device)},
              {"reason_code", json_text_or_null(side.reason_code)},
              {"reason", json_text_or_null(side.reason)}};
}

Json direction(const std::optional<Side>& side) {
  if (!side) return nullptr;
  return Json{{"spi", side->spi.text()},
              {"src", side->src.text()},
              {"dst", side->dst.text()},
              {"offload", offload(*side)},
              {"hw", json_count(side->hw)},
              {"sw", json_count(side->sw)},
              {"exact", side->exact},
              {"kernel", side->kernel ? json_count(*side->kernel) : Json(nullptr)},
              {"errors",
               {{"integrity", json_number(side->errors.integrity)},
                {"replay", json_number(side->errors.replay)},
                {"other", json_number(side->errors.other)}}}};
}

Json child(const ChildRow& row) {
  return Json{{"conn", row.conn},
              {"child", row.child},
              {"unique_id", row.unique_id ? json_number(*row.unique_id) : Json(nullptr)},
              {"state", json_or_null(row.state)},
              {"mode", base::to_string(row.mode)},
              {"suite", row.suite},
              {"esn", row.esn},
              {"encap", row.encap},
              {"in", direction(row.in)},
              {"out", direction(row.out)},
              {"established_at", json_or_null(row.established_at)},
              {"rekey_at", json_or_null(row.rekey_at)}};
}

}  // namespace

std::string sa_json(const SaTable& table, bool pretty) {
  Json rows = Json::array();
  for (const auto& row : table.rows) rows.push_back(child(row));
  return json_text(rows, pretty);
}

}  // namespace espgate::control::report
