// SPDX-License-Identifier: Apache-2.0
#include "control/doctor/finding.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "control/report/json.h"
#include "control/report/text_table.h"

namespace espgate::control::doctor {
namespace {

using report::Json;
using report::Paint;

Paint paint_of(Level level) {
  switch (level) {
    case Level::error:
      return Paint::bad;
    case Level::warning:
      return Paint::warn;
    case Level::ok:
      return Paint::good;
    case Level::note:
      break;
  }
  return Paint::dim;
}

}  // namespace

std::string_view to_string(Level level) {
  switch (level) {
    case Level::ok:
      return "ok";
    case Level::note:
      return "note";
    case Level::warning:
      return "warning";
    case Level::error:
      return "error";
  }
  return "";
}

Level Diagnosis::worst() const {
  Level worst = Level::ok;
  for (const auto& finding : findings) worst = std::max(worst, finding.level);
  return worst;
}

std::string diagnosis_text(const Diagnosis& diagnosis, bool color) {
  std::string out;
  for (const auto& finding : diagnosis.findings) {
    const auto subject = finding.subject.empty() ? std::string() : report::printable(finding.subject) + ": ";
    out += fmt::format("{} {}: {}{}\n", report::painted(to_string(finding.level), paint_of(finding.level), color),
                       finding.check, subject, report::printable(finding.text));
    if (!finding.next_step.empty()) out += fmt::format("    -> {}\n", report::printable(finding.next_step));
  }
  for (const auto& each : diagnosis.unmade) {
    out += fmt::format("not checked {}: {}\n", each.check, report::printable(each.why));
  }
  const auto count = [&](Level level) { return std::ranges::count(diagnosis.findings, level, &Finding::level); };
  return out + fmt::format("checked: {}; errors: {}, warnings: {}, notes: {}\n", diagnosis.checked.size(),
                           count(Level::error), count(Level::warning), count(Level::note));
}

std::string diagnosis_json(const Diagnosis& diagnosis, bool pretty) {
  Json findings = Json::array(), unmade = Json::array();
  for (const auto& each : diagnosis.findings) {
    findings.push_back({{"level", to_string(each.level)},
                        {"check", each.check},
                        {"subject", report::json_text_or_null(each.subject)},
                        {"text", each.text},
                        {"next_step", report::json_text_or_null(each.next_step)}});
  }
  for (const auto& each : diagnosis.unmade) unmade.push_back({{"check", each.check}, {"why", each.why}});
  return report::json_text({{"worst", to_string(diagnosis.worst())},
                            {"checked", diagnosis.checked},
                            {"not_checked", std::move(unmade)},
                            {"findings", std::move(findings)}},
                           pretty);
}

}  // namespace espgate::control::doctor
