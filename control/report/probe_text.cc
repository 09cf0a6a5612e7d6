// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "control/report/probe.h"
#include "control/report/text_table.h"

namespace espgate::control::report {
namespace {

using sad::ProbeResult;
using Align = TextTable::Align;

std::string suite_name(base::EspSuite suite) {
  suite.esn = false;
  return suite.name();
}

std::string device_names(const ProbeView& view) {
  std::vector<std::string> names;
  for (const auto& device : view.devices) names.push_back(printable(device.device));
  return fmt::format("{}", fmt::join(names, ", "));
}

std::string heading(const ProbedDevice& device) {
  const std::string flag = !device.esp_hw_offload ? "not there" : *device.esp_hw_offload ? "on" : "off";
  return fmt::format("{}: driver {}{}, link {}; the feature esp-hw-offload is {} (a hint, no more)\n",
                     printable(device.device), device.driver.empty() ? "unknown" : printable(device.driver),
                     device.firmware.empty() ? "" : ", firmware " + printable(device.firmware),
                     device.up ? "up" : "down", flag);
}

Paint paint_of(ProbeResult result) {
  switch (result) {
    case ProbeResult::taken:
      return Paint::good;
    case ProbeResult::silent_software:
      return Paint::warn;
    case ProbeResult::refused:
      break;
  }
  return Paint::bad;
}

std::size_t count(const ProbedDevice& device, ProbeResult result) {
  return static_cast<std::size_t>(std::ranges::count(device.answers, result, &sad::ProbeAnswer::result));
}

std::string device_block(const ProbedDevice& device, const std::vector<sad::ProbeRow>& rows, bool color) {
  TextTable table({{"SUITE"}, {"MODE"}, {"WHEN"}, {"ROWS", Align::right}, {"RESULT"}, {"ERRNO"}, {"REASON"}});
  for (const auto& group : probe_groups(rows, device.answers)) {
    const bool refused = group.answer.result == ProbeResult::refused;
    table.row({Cell(group.suite, Paint::bold), std::string(sad::to_string(group.mode)), group.when,
               std::to_string(group.rows),
               Cell(std::string(sad::to_string(group.answer.result)), paint_of(group.answer.result)),
               refused ? base::errno_name(group.answer.code) : std::string(), sad::reason_text(group.answer)});
  }
  std::string out = heading(device) + table.text(color);
  out += fmt::format("{} rows: {} taken, {} silently in software, {} refused\n", rows.size(),
                     count(device, ProbeResult::taken), count(device, ProbeResult::silent_software),
                     count(device, ProbeResult::refused));
  if (std::ranges::any_of(device.answers, [](const auto& answer) { return answer.code == ENOSPC; })) {
    out +=
        "a device whose SA table is full refuses with ENOSPC what it might take otherwise: try again when it has "
        "room\n";
  }
  return out;
}

std::string resolution(const ProbeView& view) {
  if (view.devices.size() == 1 && view.devices.front().device == view.asked) return {};
  return fmt::format("{} stands on {}, which {} tried\n", printable(view.asked), device_names(view),
                     view.devices.size() == 1 ? "was" : "were");
}

}  // namespace

std::size_t probe_disagreements(const ProbeView& view) {
  std::size_t out = 0;
  for (std::size_t i = 0; i < view.rows.size(); ++i) {
    out += std::ranges::any_of(view.devices, [&](const ProbedDevice& device) {
      return device.answers[i].result != view.devices.front().answers[i].result;
    });
  }
  return out;
}

std::optional<std::string> probe_disagreement_text(const ProbeView& view) {
  const std::size_t rows = probe_disagreements(view);
  if (rows == 0) return std::nullopt;
  return fmt::format(
      "{} disagree on {} of {} rows: what is offloaded on {} depends on which of them carries it, and changes when "
      "another takes over",
      device_names(view), rows, view.rows.size(), printable(view.asked));
}

std::string probe_text(const ProbeView& view, bool color) {
  std::string out = resolution(view);
  for (const auto& device : view.devices) out += device_block(device, view.rows, color);
  if (const auto disagreement = probe_disagreement_text(view)) out += *disagreement + "\n";
  if (view.took) out += fmt::format("took {:.0f} ms\n", static_cast<double>(view.took->count()) / 1000);
  return out;
}

std::string probe_plan_text(const ProbeView& view, bool color) {
  TextTable table({{"DEVICE"},
                   {"SUITE"},
                   {"MODE"},
                   {"DIR"},
                   {"SA MODE"},
                   {"FAMILY"},
                   {"ESN"},
                   {"IN UDP"},
                   {"WINDOW", Align::right}});
  for (const auto& device : view.devices) {
    for (const auto& row : view.rows) {
      table.row({device.device, Cell(suite_name(row.suite), Paint::bold), std::string(sad::to_string(row.mode)),
                 std::string(base::to_string(row.direction)), std::string(base::to_string(row.sa_mode)),
                 row.family == base::Family::ipv4 ? "ipv4" : "ipv6", row.suite.esn ? "yes" : "no",
                 row.encap ? "yes" : "no",
                 row.direction == base::Direction::in ? std::to_string(row.replay_window) : ""});
    }
  }
  return table.text(color) + fmt::format("{} rows, none tried\n", view.rows.size() * view.devices.size());
}

}  // namespace espgate::control::report
