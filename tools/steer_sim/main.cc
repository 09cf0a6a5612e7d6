// SPDX-License-Identifier: Apache-2.0
// espgate-steer-sim: slot steering over a trace. Exit 0: done; 1: usage, or the trace is wrong.
#include <fmt/core.h>

#include <charconv>
#include <cstring>
#include <fstream>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>

#include "tools/steer_sim/csv.h"
#include "tools/steer_sim/generate.h"
#include "tools/steer_sim/simulate.h"

namespace {

using namespace espgate;

constexpr auto usage_text =
    "usage: steer-sim --trace FILE --slots N [--interval S] [--json]\n"
    "       steer-sim --generate zipf|churn|diurnal|storm|adversary --sas N --slots N [--alpha A] [--seed S]\n"
    "                 [--rounds R] [--json]\n"
    "       steer-sim --bench                      what a round costs with 10^6 SAs and 10^4 slots\n"
    "  FILE       lines t,sa,bytes by time; - is the standard input. S: seconds between decisions; default: the\n"
    "             trace's own step if its times are whole seconds, else 1\n"
    "  --reserve N  slots kept free, if more than 2 and 1 %   --half-life, --factor, --hold, --at-once, --cooldown N\n"
    "  --no-optimum  leaves it out: it takes longer than all the rest\n";

struct Words {
  std::string trace;
  std::optional<double> interval;
  steer_sim::Recipe recipe;
  bool generated = false, json = false, bench = false;
  steer_sim::Options options;
};

template <typename T>
bool number(std::string_view text, T& to) {
  const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), to);
  return error == std::errc{} && at == text.data() + text.size();
}

bool flag(std::string_view word, Words& out) {
  if (word == "--json") return out.json = true;
  if (word == "--bench") return out.bench = true;
  if (word == "--no-optimum") return !(out.options.optimum = false);
  return false;
}

bool steering(std::string_view word, std::string_view value, steer::Config& to) {
  if (word == "--reserve") return number(value, to.reserve);
  if (word == "--half-life") return number(value, to.half_life) && to.half_life > 0;
  if (word == "--factor") return number(value, to.factor) && to.factor >= 1;
  if (word == "--hold") return number(value, to.rounds);
  if (word == "--at-once") return number(value, to.at_once) && to.at_once >= 1;
  if (word == "--cooldown") return number(value, to.cooldown);
  return false;
}

bool setting(std::string_view word, std::string_view value, Words& out) {
  if (word == "--trace") return !(out.trace = value).empty();
  if (word == "--generate") {
    const auto kind = steer_sim::kind_of(value);
    out.generated = kind.has_value();
    out.recipe.kind = kind.value_or(steer_sim::Kind::zipf);
    return out.generated;
  }
  if (word == "--interval") return number(value, out.interval.emplace()) && *out.interval > 0;
  if (word == "--slots") return number(value, out.options.slots) && out.options.slots > 0;
  if (word == "--sas") return number(value, out.recipe.sas) && out.recipe.sas > 1;
  if (word == "--alpha") return number(value, out.recipe.alpha) && out.recipe.alpha >= 0;
  if (word == "--seed") return number(value, out.recipe.seed);
  if (word == "--rounds") return number(value, out.recipe.rounds) && out.recipe.rounds > 0;
  if (word == "--steps") return number(value, out.options.steps);
  if (word == "--sample") return number(value, out.options.sample);
  return steering(word, value, out.options.steer);
}

std::optional<Words> parse(int argc, char** argv) {
  Words out;
  for (int i = 1; i < argc; ++i) {
    if (flag(argv[i], out)) continue;
    if (i + 1 >= argc || !setting(argv[i], argv[i + 1], out)) {
      fmt::print(stderr, "steer-sim: {}: unknown, or its value is wrong\n", argv[i]);
      return std::nullopt;
    }
    ++i;
  }
  if (out.bench) return out;
  if (out.options.slots == 0 || out.trace.empty() != out.generated) return std::nullopt;
  out.recipe.slots = out.options.slots;
  return out;
}

std::expected<std::unique_ptr<steer_sim::Trace>, std::string> open(const Words& words) {
  if (words.generated) return steer_sim::generate(words.recipe);
  if (words.trace == "-") return steer_sim::read_csv(std::cin, "stdin", words.interval);
  std::ifstream file(words.trace);
  if (!file) return std::unexpected(fmt::format("{}: {}", words.trace, std::strerror(errno)));
  return steer_sim::read_csv(file, words.trace, words.interval);
}

std::string title(const Words& words) {
  if (!words.generated) return words.trace;
  const auto& recipe = words.recipe;
  if (recipe.kind == steer_sim::Kind::adversary) return fmt::format("adversary, seed {}", recipe.seed);
  return fmt::format("{}, alpha {:.1f}, seed {}", steer_sim::word_of(recipe.kind), recipe.alpha, recipe.seed);
}

}  // namespace

int main(int argc, char** argv) {
  auto words = parse(argc, argv);
  if (!words) {
    fmt::print(stderr, "{}", usage_text);
    return 1;
  }
  if (words->bench) {
    words->generated = true;
    words->recipe = {steer_sim::Kind::storm, 1'000'000, 10'000, 1, 1, 200};
    words->options.slots = 10'000;
    words->options.optimum = false;
  }
  const auto trace = open(*words);
  if (!trace) {
    fmt::print(stderr, "{}\n", trace.error());
    return 1;
  }
  const auto result = steer_sim::simulate(**trace, words->options);
  if (words->json) {
    fmt::print("{}\n", steer_sim::json(result, title(*words)));
  } else {
    fmt::print("{}", steer_sim::text(result, title(*words)));
  }
  return 0;
}
