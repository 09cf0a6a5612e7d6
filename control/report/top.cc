// SPDX-License-Identifier: Apache-2.0
#include "control/report/top.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <tuple>
#include <utility>

#include "control/report/json.h"
#include "control/report/text_table.h"

namespace espgate::control::report {
namespace {

using Key = std::pair<std::string, std::string>;

double per_second(std::uint64_t before, std::uint64_t after, double seconds) {
  return after > before ? static_cast<double>(after - before) / seconds : 0;
}

// 1234567 -> "1.23 M".
std::string scaled(double value) {
  constexpr const char* kUnits[] = {"", " k", " M", " G", " T"};
  std::size_t unit = 0;
  while (value >= 1000 && unit + 1 < std::size(kUnits)) {
    value /= 1000;
    ++unit;
  }
  return unit == 0 ? fmt::format("{:.0f}", value) : fmt::format("{:.3g}{}", value, kUnits[unit]);
}

Cell share(const TopRow& row) {
  if (row.idle) return {"-", Paint::dim};
  return {fmt::format("{:.0f} %", row.hardware * 100), row.hardware > 0.99   ? Paint::good
                                                       : row.hardware > 0.01 ? Paint::warn
                                                                             : Paint::plain};
}

TopRow rates(const ChildTotal& before, const ChildTotal& after, double seconds) {
  TopRow row;
  row.conn = after.conn;
  row.child = after.child;
  double hardware = 0;
  for (std::size_t i = 0; i < 2; ++i) {
    const double hw = per_second(before.hw[i].packets, after.hw[i].packets, seconds);
    const double sw = per_second(before.sw[i].packets, after.sw[i].packets, seconds);
    const double bits = 8 * (per_second(before.hw[i].bytes, after.hw[i].bytes, seconds) +
                             per_second(before.sw[i].bytes, after.sw[i].bytes, seconds));
    const bool in = i == static_cast<std::size_t>(base::Direction::in);
    (in ? row.in_packets : row.out_packets) = hw + sw;
    (in ? row.in_bits : row.out_bits) = bits;
    hardware += hw;
  }
  const double all = row.in_packets + row.out_packets;
  row.idle = all <= 0;
  row.hardware = row.idle ? 0 : hardware / all;
  return row;
}

std::string_view order_text(TopOrder order) {
  switch (order) {
    case TopOrder::rate:
      return "rate";
    case TopOrder::hardware:
      return "hardware share";
    case TopOrder::reason:
      return "reason";
    case TopOrder::name:
      return "name";
  }
  return "";
}

// No more than the screen has; the last line says what is left out. Colours have no width, so columns are cut only
// where there are none.
std::string fitted(const std::string& text, const TopScreen& screen) {
  std::string out;
  std::size_t lines = 0, at = 0;
  while (at < text.size()) {
    auto end = text.find('\n', at);
    if (end == std::string::npos) end = text.size();
    auto line = text.substr(at, end - at);
    at = end + 1;
    if (screen.lines != 0 && lines + 1 >= screen.lines && at < text.size()) {
      return out + fmt::format("... {} lines more\n",
                               std::count(text.begin() + static_cast<std::ptrdiff_t>(at), text.end(), '\n') + 1);
    }
    if (screen.columns != 0 && !screen.color && line.size() > screen.columns) line.resize(screen.columns);
    out += line + '\n';
    ++lines;
  }
  return out;
}

}  // namespace

TopView top_view(const Report& before, const Report& after, double seconds) {
  TopView view;
  std::map<Key, ChildTotal> then;
  for (const auto& total : before.totals) then.emplace(Key{total.conn, total.child}, total);
  std::map<Key, std::pair<std::string, std::string>> newest;  // device, reason
  for (const auto& row : after.sas.rows) {
    auto& about = newest[{row.conn, row.child}];
    about = {};
    for (const auto* side : {&row.in, &row.out}) {
      if (!*side) continue;
      if (!(*side)->device.empty()) about.first = (*side)->device;
      if (!(*side)->reason_code.empty()) about.second = (*side)->reason_code;
    }
  }
  for (const auto& total : after.totals) {
    const auto found = then.find({total.conn, total.child});
    auto row = rates(found == then.end() ? ChildTotal{} : found->second, total, seconds);
    if (const auto about = newest.find({total.conn, total.child}); about != newest.end()) {
      std::tie(row.device, row.reason) = about->second;
    }
    view.rows.push_back(std::move(row));
  }
  std::map<Key, std::uint64_t> fell;
  for (const auto& row : before.fallbacks) fell[{row.device, row.reason}] = row.packets;
  for (const auto& row : after.fallbacks) {
    const double packets = per_second(fell[{row.device, row.reason}], row.packets, seconds);
    if (packets > 0) view.fallbacks.push_back({row.device, row.reason, packets});
  }
  return view;
}

void sort_top(TopView& view, TopOrder order) {
  const auto rate = [](const TopRow& row) { return row.in_bits + row.out_bits; };
  std::ranges::stable_sort(view.rows, {}, [](const TopRow& row) { return std::tie(row.conn, row.child); });
  switch (order) {
    case TopOrder::name:
      break;
    case TopOrder::rate:
      std::ranges::stable_sort(view.rows, std::greater<>(), rate);
      break;
    case TopOrder::hardware:
      std::ranges::stable_sort(view.rows, {}, [](const TopRow& row) { return std::pair(row.idle, row.hardware); });
      break;
    case TopOrder::reason:
      std::ranges::stable_sort(
          view.rows, {}, [&](const TopRow& row) { return std::tuple(row.reason.empty(), row.reason, -rate(row)); });
      break;
  }
  std::ranges::stable_sort(view.fallbacks, std::greater<>(), [](const TopFallback& row) { return row.packets; });
}

std::string top_text(const TopView& view, const TopScreen& screen) {
  double in = 0, out = 0, packets = 0, hardware = 0;
  for (const auto& row : view.rows) {
    in += row.in_bits;
    out += row.out_bits;
    packets += row.in_packets + row.out_packets;
    hardware += row.hardware * (row.in_packets + row.out_packets);
  }
  std::string text =
      fmt::format("espgate top: {} children, in {}bit/s, out {}bit/s, {} in hardware{}\n", view.rows.size(), scaled(in),
                  scaled(out), packets > 0 ? fmt::format("{:.0f} %", 100 * hardware / packets) : "-",
                  screen.daemon ? "" : "; espgated does not answer");
  text += fmt::format("every {:g} s, sorted by {}; keys: r rate, h hardware share, f reason, n name, q quit\n",
                      screen.seconds, order_text(screen.order));
  for (const auto& row : view.fallbacks) {
    text += fmt::format("fallback {} {}: {} packets/s\n", printable(row.device), row.reason, scaled(row.packets));
  }
  using Align = TextTable::Align;
  TextTable table({{"CHILD"},
                   {"IN BIT/S", Align::right},
                   {"OUT BIT/S", Align::right},
                   {"IN PKT/S", Align::right},
                   {"OUT PKT/S", Align::right},
                   {"HW", Align::right},
                   {"DEVICE"},
                   {"WHY NOT"}});
  for (const auto& row : view.rows) {
    table.row({Cell(row.conn + "/" + row.child, Paint::bold), scaled(row.in_bits), scaled(row.out_bits),
               scaled(row.in_packets), scaled(row.out_packets), share(row), row.device, Cell(row.reason, Paint::warn)});
  }
  text += table.empty() ? "no child has carried a packet yet\n" : table.text(screen.color);
  return fitted(text, screen);
}

std::string top_json(const TopView& view, bool pretty) {
  Json children = Json::array(), fallbacks = Json::array();
  for (const auto& row : view.rows) {
    children.push_back({{"conn", row.conn},
                        {"child", row.child},
                        {"in", {{"bits", row.in_bits}, {"packets", row.in_packets}}},
                        {"out", {{"bits", row.out_bits}, {"packets", row.out_packets}}},
                        {"hardware", row.idle ? Json(nullptr) : Json(row.hardware)},
                        {"dev", json_text_or_null(row.device)},
                        {"reason_code", json_text_or_null(row.reason)}});
  }
  for (const auto& row : view.fallbacks) {
    fallbacks.push_back({{"dev", row.device}, {"reason", row.reason}, {"packets", row.packets}});
  }
  return json_text({{"children", children}, {"fallbacks", fallbacks}}, pretty);
}

}  // namespace espgate::control::report
