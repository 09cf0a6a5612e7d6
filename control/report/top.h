// SPDX-License-Identifier: Apache-2.0
// What `espgate top` shows: two readings of the counters, and the rates between them. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/report/report.h"

namespace espgate::control::report {

struct TopRow {
  std::string conn, child, device;         // device: that holds the newest SA, either way; empty: none
  double in_bits = 0, out_bits = 0;        // a second, after decapsulation
  double in_packets = 0, out_packets = 0;  // a second, on the wire
  double hardware = 0;                     // share of those packets, 0 to 1
  bool idle = true;                        // no packet in between
  std::string reason;                      // why the newest SA is not offloaded as wanted: a closed code; empty: it is
};
// Packets of offloaded SAs that software carried.
struct TopFallback {
  std::string device, reason;
  double packets = 0;  // a second
};
struct TopView {
  std::vector<TopRow> rows;
  std::vector<TopFallback> fallbacks;  // those with any
};

enum class TopOrder : std::uint8_t { rate, hardware, reason, name };

// `seconds` lie between the readings, more than 0. A counter that fell (another boot) counts as nothing.
TopView top_view(const Report& before, const Report& after, double seconds);
// rate: the most first; hardware: the least share of those that carry anything first; reason: those with one first.
void sort_top(TopView& view, TopOrder order);

struct TopScreen {
  TopOrder order = TopOrder::rate;
  std::size_t lines = 0, columns = 0;  // 0: no limit
  bool color = false, daemon = true;
  double seconds = 0;  // between readings
};
std::string top_text(const TopView& view, const TopScreen& screen);
std::string top_json(const TopView& view, bool pretty);

}  // namespace espgate::control::report
