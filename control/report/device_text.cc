// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "control/report/probe.h"
#include "control/report/text_table.h"
#include "control/report/views.h"

namespace espgate::control::report {
namespace {

using Align = TextTable::Align;

std::string number(std::uint64_t value) { return std::to_string(value); }

std::string joined(const std::vector<std::string>& words) { return fmt::format("{}", fmt::join(words, ", ")); }

std::string plain_name(base::EspSuite suite) {
  suite.esn = false;
  return suite.name();
}

Paint paint_of(const std::string& carrier) {
  return carrier == "hardware" ? Paint::good : carrier == "software" ? Paint::warn : Paint::dim;
}

// How the answers for a suite and mode were learned, and when the last of them was: "probe, install; 3 min ago".
std::string learned_text(const sad::DeviceRecord& record, const ProbeGroup& group, std::int64_t now) {
  std::set<std::string> how;
  std::int64_t last = 0;
  for (const auto& entry : record.entries) {
    if (entry.row.mode != group.mode || plain_name(entry.row.suite) != group.suite) continue;
    how.insert(entry.cached ? "cache" : std::string(sad::to_string(entry.learned)));
    last = std::max(last, entry.at);
  }
  return fmt::format("{}; {} ago", fmt::join(how, ", "), span_text(now - last));
}

std::string answers_text(const sad::DeviceRecord& record, bool color, std::int64_t now) {
  std::vector<sad::ProbeRow> rows;
  std::vector<sad::ProbeAnswer> answers;
  for (const auto& entry : record.entries) {
    rows.push_back(entry.row);
    answers.push_back(entry.answer);
  }
  TextTable table({{"SUITE"}, {"MODE"}, {"WHEN"}, {"ROWS", Align::right}, {"RESULT"}, {"REASON"}, {"LEARNED"}});
  for (const auto& group : probe_groups(rows, answers)) {
    const bool refused = group.answer.result == sad::ProbeResult::refused;
    std::string reason = sad::reason_text(group.answer);
    if (refused) reason = fmt::format("{} ({})", reason, base::errno_name(group.answer.code));
    table.row({Cell(group.suite, Paint::bold), std::string(sad::to_string(group.mode)), group.when, number(group.rows),
               Cell(std::string(sad::to_string(group.answer.result)),
                    group.answer.result == sad::ProbeResult::taken ? Paint::good : Paint::warn),
               reason, learned_text(record, group, now)});
  }
  return table.empty() ? std::string() : table.text(color);
}

std::string slots_text(const DeviceRow& row, const sad::DeviceRecord& record) {
  const auto known = [](const std::optional<std::uint32_t>& slots) {
    return slots ? fmt::format("at most {}", *slots) : std::string("no limit met yet");
  };
  return fmt::format("slots: in {} used, {}; out {} used, {}\n", row.held_in, known(record.slots_in), row.held_out,
                     known(record.slots_out));
}

std::string steering_text(const sad::SlotView& steering) {
  const std::string room = steering.known ? fmt::format("{} slots a direction, {} of them kept free for rekeys",
                                                        *steering.known, steering.reserve)
                                          : std::string("no limit is known");
  return fmt::format("steering: {}; children in hardware {}, in software {}; moved to hardware {}, to software {}\n",
                     room, steering.hardware, steering.software, steering.promoted, steering.demoted);
}

std::string offers_text(const DeviceKnown& known, bool color) {
  std::string out = fmt::format("esp_proposals = default offers here, nothing below {} bits:\n", known.floor);
  TextTable table({{"", Align::right}, {"SUITE"}, {"RUNS IN"}, {"BECAUSE"}});
  std::size_t place = 0;
  for (const auto& offer : known.offers) {
    table.row(
        {number(++place), Cell(offer.suite, Paint::bold), Cell(offer.carrier, paint_of(offer.carrier)), offer.why});
  }
  return out + table.text(color);
}

std::string block(const DeviceRow& row, bool color, std::int64_t now) {
  const DeviceKnown& known = *row.known;
  const std::string flag = !row.esp_hw_offload ? "not there" : *row.esp_hw_offload ? "on" : "off";
  std::string out = fmt::format("\n{}: driver {}{}{}; the feature esp-hw-offload is {} (a hint, no more)\n",
                                printable(row.device), row.driver.empty() ? "unknown" : printable(row.driver),
                                row.driver_version.empty() ? "" : " " + printable(row.driver_version),
                                row.firmware.empty() ? "" : ", firmware " + printable(row.firmware), flag);
  if (!known.state_text.empty()) out += printable(known.state_text) + "\n";
  if (!known.carries.empty()) out += fmt::format("carries {}\n", printable(joined(known.carries)));
  if (!known.disagreement.empty()) out += painted(printable(known.disagreement), Paint::warn, color) + "\n";
  out += slots_text(row, known.record);
  for (const auto& each : known.record.distrusted) {
    out += painted(printable(sad::sentence(row.device, each)), Paint::bad, color) +
           fmt::format(" ({} ago)\n", span_text(now - each.at));
  }
  if (known.steering) out += steering_text(*known.steering);
  return out + answers_text(known.record, color, now) + offers_text(known, color);
}

}  // namespace

std::string device_text(const std::vector<DeviceRow>& rows, bool color, std::int64_t now) {
  TextTable table({{"DEVICE"},
                   {"DRIVER"},
                   {"LINK"},
                   {"ESP-HW-OFFLOAD"},
                   {"HELD IN", Align::right},
                   {"HELD OUT", Align::right},
                   {"IN SOFTWARE", Align::right},
                   {"BECAUSE"}});
  for (const auto& row : rows) {
    std::string flag = !row.esp_hw_offload ? "not there" : *row.esp_hw_offload ? "on" : "off";
    if (row.fixed) flag += " [fixed]";
    table.row({Cell(row.device, Paint::bold), row.driver, row.up ? "up" : "down",
               Cell(flag, row.esp_hw_offload == true ? Paint::good : Paint::plain), number(row.held_in),
               number(row.held_out), number(row.wanted_in_software), joined(row.reasons)});
  }
  std::string out =
      table.empty() ? "no device has ESP offload, and no SA of espgate's is bound to one\n" : table.text(color);
  for (const auto& row : rows) {
    if (row.known) out += block(row, color, now);
  }
  return out;
}

}  // namespace espgate::control::report
