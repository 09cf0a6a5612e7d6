// SPDX-License-Identifier: Apache-2.0
// espgate-sim: simulated pairs of gateways, by seed. Exit 0: all runs are good; 1: usage; 2: one is not.
#include <fmt/core.h>

#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>

#include "tests/sim/soak/fleet.h"
#include "tests/sim/soak/run.h"

namespace {

using espgate::soak::RunOptions;
using espgate::soak::RunResult;

struct Options {
  std::uint64_t seed = 1, runs = 1, loss = 30, hours = 0, tunnels = 0, days = 3;
  bool json = false, trace = false, until_bad = false;
};

int usage() {
  fmt::print(
      stderr,
      "usage: sim [--seed N] [--runs M] [--loss PERCENT] [--json] [--until-bad] [--trace] [--hours H]\n"
      "       sim --tunnels T [--days D] [--seed N]\n"
      "  M runs with seeds from N on, up to PERCENT of datagrams lost, repeated, late and out of order\n"
      "  --hours H  one tunnel with the default lifetimes for so long, PERCENT of datagrams lost, no commands\n"
      "  --tunnels T --days D  a hub and T sites for so long: rekeys, ways that are cut, reloads; memory each day\n"
      "  --until-bad  ends at the first run that is not good     --trace  what happens, line by line\n");
  return 1;
}

bool read_number(const char* text, std::uint64_t& to) {
  const auto* end = text + std::strlen(text);
  const auto [at, error] = std::from_chars(text, end, to);
  return error == std::errc{} && at == end;
}

std::optional<Options> parse(int argc, char** argv) {
  Options out;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    const bool more = i + 1 < argc;
    if (word == "--json") {
      out.json = true;
    } else if (word == "--trace") {
      out.trace = true;
    } else if (word == "--until-bad") {
      out.until_bad = true;
    } else if (word == "--seed" && more && read_number(argv[i + 1], out.seed)) {
      ++i;
    } else if (word == "--runs" && more && read_number(argv[i + 1], out.runs)) {
      ++i;
    } else if (word == "--hours" && more && read_number(argv[i + 1], out.hours)) {
      ++i;
    } else if (word == "--tunnels" && more && read_number(argv[i + 1], out.tunnels)) {
      ++i;
    } else if (word == "--days" && more && read_number(argv[i + 1], out.days)) {
      ++i;
    } else if (word == "--loss" && more && read_number(argv[i + 1], out.loss) && out.loss < 100) {
      ++i;
    } else {
      return std::nullopt;
    }
  }
  return out;
}

void print_json(const RunResult& one, bool first) {
  fmt::print(
      "{}{{\"seed\":{},\"converged\":{},\"virtual_s\":{:.1f},\"max_generations\":{},\"orphan_sas\":{},"
      "\"plaintext\":{},\"lost\":{},\"two_generations_s\":{:.1f},\"rekeys\":{},\"why\":\"{}\"}}",
      first ? "" : ",\n", one.seed, one.converged, one.virtual_s, one.max_generations, one.orphan_sas, one.plaintext,
      one.lost, one.two_generations_s, one.rekeys, one.why);
}

void print_text(const RunResult& one) {
  fmt::print(
      "seed {}: {} after {:.1f} s; {} generations at most, two for {:.1f} s, {} orphans, {} in the clear, {} "
      "lost{}{}\n",
      one.seed, one.converged ? "converged" : "NOT CONVERGED", one.virtual_s, one.max_generations,
      one.two_generations_s, one.orphan_sas, one.plaintext, one.lost, one.why.empty() ? "" : ": ", one.why);
}

int run_fleet(const Options& options) {
  const auto done = espgate::soak::run_fleet({options.seed, options.tunnels, static_cast<int>(options.days), true});
  fmt::print("{} tunnels, {} days: {} rekeys, {} datagrams ({} lost), {} outages, {} reloads: {}\n", options.tunnels,
             done.days.size(), done.days.empty() ? 0 : done.days.back().rekeys, done.datagrams, done.lost, done.outages,
             done.reloads, done.why.empty() ? "good" : "NOT GOOD: " + done.why);
  return done.why.empty() ? 0 : 2;
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = parse(argc, argv);
  if (!options) return usage();
  if (options->tunnels != 0) return run_fleet(*options);
  std::uint64_t bad = 0, rekeys = 0, done = 0;
  RunResult last;
  if (options->json) fmt::print("[");
  for (std::uint64_t i = 0; i < options->runs; ++i) {
    const auto one = espgate::soak::run(RunOptions{options->seed + i, static_cast<int>(options->loss), options->trace,
                                                   static_cast<int>(options->hours)});
    ++done;
    rekeys += one.rekeys;
    if (!one.good()) ++bad;
    if (options->json) {
      print_json(one, i == 0);
    } else if (!one.good() || options->runs == 1) {
      print_text(one);
    }
    last = one;
    if (!one.good() && options->until_bad) break;
  }
  if (options->json) fmt::print("]\n");
  if (options->hours != 0 && last.heap_early != 0) {
    fmt::print(stderr, "heap in use: {} octets after two hours, {} at the end; open files: {} and {}\n",
               last.heap_early, last.heap_late, last.files_early, last.files_late);
  }
  fmt::print(stderr, "{} runs, {} not good; {} rekeys\n", done, bad, rekeys);
  return bad == 0 ? 0 : 2;
}
