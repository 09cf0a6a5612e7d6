// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "control/report/sa_render.h"
#include "control/report/text_table.h"

namespace espgate::control::report {
namespace {

using Align = TextTable::Align;

std::vector<TextTable::Column> columns(const TextStyle& style) {
  std::vector<TextTable::Column> columns{{"CHILD"},
                                         {"STATE"},
                                         {"SUITE"},
                                         {"MODE"},
                                         {"DIR"},
                                         {"SPI"},
                                         {"WANTED"},
                                         {"ACTUAL"},
                                         {"DEVICE"},
                                         {"EFFECTIVE"},
                                         {"HW PKTS", Align::right},
                                         {"HW BYTES", Align::right},
                                         {"SW PKTS", Align::right},
                                         {"SW BYTES", Align::right}};
  if (style.kernel) {
    columns.push_back({"KERNEL PKTS", Align::right});
    columns.push_back({"KERNEL BYTES", Align::right});
    columns.push_back({"ERRORS", Align::right});
  }
  return columns;
}

// A number that is not exact says so.
Cell number(std::uint64_t value, bool exact) { return {fmt::format("{}{}", exact ? "" : "~", value)}; }

Paint paint_of(Effective effective) {
  switch (effective) {
    case Effective::hw:
      return Paint::good;
    case Effective::mixed:
      return Paint::warn;
    case Effective::idle:
      return Paint::dim;
    case Effective::sw:
      return Paint::plain;
  }
  return Paint::plain;
}

std::string errors_text(const Errors& errors) {
  return fmt::format("{}/{}/{}", errors.integrity, errors.replay, errors.other);
}

void add_side(TextTable& text, std::vector<Cell> cells, std::string_view direction, const std::optional<Side>& side,
              const TextStyle& style) {
  cells.emplace_back(std::string(direction));
  if (!side) {
    text.row(std::move(cells));  // the rest shows as "-"
    return;
  }
  const bool short_of_it = side->less_than_wanted();
  cells.emplace_back(side->spi.text());
  cells.emplace_back(std::string(base::to_string(side->wanted)));
  cells.emplace_back(std::string(base::to_string(side->actual)), short_of_it ? Paint::warn : Paint::plain);
  cells.emplace_back(side->device);
  cells.emplace_back(std::string(to_string(side->effective())), paint_of(side->effective()));
  for (const std::uint64_t value : {side->hw.packets, side->hw.bytes, side->sw.packets, side->sw.bytes}) {
    cells.push_back(number(value, side->exact));
  }
  if (style.kernel) {
    cells.push_back(side->kernel ? number(side->kernel->packets, true) : Cell("-"));
    cells.push_back(side->kernel ? number(side->kernel->bytes, true) : Cell("-"));
    cells.emplace_back(errors_text(side->errors));
  }
  text.row(std::move(cells));
}

std::string why(const std::optional<Side>& side) {
  if (!side) return {};
  return side->reason.empty() ? side->reason_code : side->reason;
}

// Below both rows: what is wrong with them, once if it is the same.
void add_remarks(TextTable& text, const ChildRow& row) {
  const auto lost = [](const std::optional<Side>& side) { return side && !side->in_kernel; };
  if (lost(row.in)) text.line({"in: the kernel has no such SA any more", Paint::bad});
  if (lost(row.out)) text.line({"out: the kernel has no such SA any more", Paint::bad});
  const std::string in = why(row.in);
  const std::string out = why(row.out);
  if (!in.empty() && in == out) {
    text.line({"in, out: " + in, Paint::warn});
    return;
  }
  if (!in.empty()) text.line({"in: " + in, Paint::warn});
  if (!out.empty()) text.line({"out: " + out, Paint::warn});
}

std::string suite_text(const ChildRow& row) {
  return fmt::format("{}{}{}", row.suite, row.esn ? "-esn" : "", row.encap ? "/udp" : "");
}

}  // namespace

std::string sa_text(const SaTable& table, const TextStyle& style) {
  if (table.rows.empty()) return "no child SAs\n";
  TextTable text(columns(style));
  bool inexact = false;
  for (const auto& row : table.rows) {
    add_side(text,
             {Cell(fmt::format("{}/{}", row.conn, row.child), Paint::bold), Cell(row.state.value_or("?")),
              Cell(suite_text(row)), Cell(std::string(base::to_string(row.mode)))},
             "in", row.in, style);
    add_side(text, {" ", " ", " ", " "}, "out", row.out, style);
    add_remarks(text, row);
    for (const auto* side : {&row.in, &row.out}) inexact = inexact || (*side && !(*side)->exact);
  }
  std::string out = text.text(style.color);
  if (style.kernel) out += "ERRORS: integrity/replay/other; outbound KERNEL PKTS counts a GSO batch once\n";
  if (inexact) out += "~: not exact (tracing hooks not attached, or packet offload)\n";
  return out;
}

}  // namespace espgate::control::report
