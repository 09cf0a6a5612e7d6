// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cmath>

#include "tools/steer_sim/simulate.h"

namespace espgate::steer_sim {
namespace {

// Integers beyond 2^53 go as strings: many a JSON reader has only doubles.
std::string octets(double n) {
  const auto text = fmt::format("{:.0f}", n);
  return n > 0x1p53 ? '"' + text + '"' : text;
}

std::string ratio(double a, double b) { return b > 0 ? fmt::format("{:.4f}", a / b) : "null"; }

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string outcome(const Outcome& one, const Result& all) {
  return fmt::format(
      "\"bytes_in_hw\":{},\"share\":{},\"share_second_half\":{},\"ratio_to_optimum\":{},\"moves\":{},\"promotions\":{},"
      "\"demotions\":{},\"max_moves_per_interval\":{},\"max_slots_held\":{}",
      octets(one.octets_in_hardware), ratio(one.octets_in_hardware, all.octets),
      ratio(one.second_half, all.octets_second_half), ratio(one.octets_in_hardware, all.optimum), one.moves,
      one.promotions, one.demotions, one.most_moves, one.most_holders);
}

}  // namespace

std::string json(const Result& r, const std::string& what) {
  const double mine = r.steered.octets_in_hardware;
  const auto bounded = [&](double n) { return r.optimum > 0 ? octets(n) : std::string("null"); };
  return fmt::format(
             "{{\"trace\":{},\"sas\":{},\"slots\":{},\"reserve\":{},\"usable\":{},\"rounds\":{},\"interval_s\":{:g},"
             "\"budget\":{},\"bytes_total\":{},",
             quoted(what), r.sas, r.slots, r.reserve, r.usable, r.rounds, r.interval, r.budget, octets(r.octets)) +
         outcome(r.steered, r) +
         fmt::format(
             ",\"optimum_bytes\":{},\"optimum_is\":\"upper "
             "bound\",\"free_optimum_bytes\":{},\"ratio_to_free_optimum\":{},"
             "\"topk_each_interval_bytes\":{},\"best_static_bytes\":{},\"ratio_to_best_static\":{},"
             "\"round_ms_median\":{:.3f},\"round_ms_p99\":{:.3f},\"round_ms_max\":{:.3f},",
             bounded(r.optimum), bounded(r.free_optimum), ratio(mine, r.free_optimum), bounded(r.top_each),
             octets(r.best_static), ratio(mine, r.best_static), r.round_ms_median, r.round_ms_p99, r.round_ms_most) +
         fmt::format("\"baselines\":{{\"fcfs\":{{{}}},\"topk_no_hysteresis\":{{{}}}}}}}", outcome(r.first_come, r),
                     outcome(r.top_of_last, r));
}

std::string text(const Result& r, const std::string& what) {
  const auto percent = [](double a, double b) { return b > 0 ? fmt::format("{:.2f} %", 100 * a / b) : "-"; };
  const double mine = r.steered.octets_in_hardware;
  return fmt::format(
      "{}: {} SAs, {} slots ({} kept free), {} intervals of {:g} s\n"
      "in hardware: {} of the octets; {} of the optimum, {} of the one that also knows newcomers, {} of the best "
      "static "
      "set\n"
      "moves: {}, at most {} an interval (budget {})\n"
      "first come first served: {}; top-k without hysteresis: {} with {} moves, at most {} an interval\n"
      "a round took {:.2f} ms (median), {:.2f} ms (99th percentile)\n",
      what, r.sas, r.slots, r.reserve, r.rounds, r.interval, percent(mine, r.octets), percent(mine, r.optimum),
      percent(mine, r.free_optimum), percent(mine, r.best_static), r.steered.moves, r.steered.most_moves, r.budget,
      percent(r.first_come.octets_in_hardware, r.octets), percent(r.top_of_last.octets_in_hardware, r.octets),
      r.top_of_last.moves, r.top_of_last.most_moves, r.round_ms_median, r.round_ms_p99);
}

}  // namespace espgate::steer_sim
