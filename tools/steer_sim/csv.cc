// SPDX-License-Identifier: Apache-2.0
#include "tools/steer_sim/csv.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <istream>
#include <numeric>
#include <string_view>
#include <unordered_map>

namespace espgate::steer_sim {
namespace {

constexpr std::uint64_t most_intervals = 1'000'000;

constexpr double most_octets = 1e18;  // of a line

struct Line {
  double t;
  Sa sa;
  double octets;
};

std::string_view trimmed(std::string_view text) {
  const auto blank = std::string_view(" \t\r");
  const auto first = text.find_first_not_of(blank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

std::optional<double> number(std::string_view text) {
  double value = 0;
  const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || at != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

class Reader {
 public:
  std::optional<std::string> line(std::string_view text, bool first) {
    const auto one = text.find(','), two = one == text.npos ? text.npos : text.find(',', one + 1);
    if (two == text.npos || text.find(',', two + 1) != text.npos) return "expected three fields: t,sa,bytes";
    const auto t = number(trimmed(text.substr(0, one)));
    const auto name = trimmed(text.substr(one + 1, two - one - 1));
    const auto octets = number(trimmed(text.substr(two + 1)));
    if (!t && first) return std::nullopt;
    if (!t) return "t is no number of seconds";
    if (!lines.empty() && *t < lines.back().t) return "t is less than in the line before; lines go by time";
    if (name.empty()) return "sa is empty";
    if (!octets || *octets < 0 || *octets > most_octets) return "bytes is no number, negative, or beyond 10^18";
    const auto [at, fresh] = names_.try_emplace(std::string(name), static_cast<Sa>(names_.size()));
    lines.push_back({*t, at->second, *octets});
    return std::nullopt;
  }
  std::vector<Line> lines;
  [[nodiscard]] std::size_t sas() const { return names_.size(); }

 private:
  std::unordered_map<std::string, Sa> names_;
};

double step_of(const std::vector<Line>& lines) {
  std::uint64_t step = 0;
  for (const auto& line : lines) {
    const double since = line.t - lines.front().t;
    if (since != std::floor(since) || since > 1e15) return 1;
    step = std::gcd(step, static_cast<std::uint64_t>(since));
  }
  return step == 0 ? 1 : static_cast<double>(step);
}

class CsvTrace : public Trace {
 public:
  CsvTrace(const Reader& reader, double interval) : seconds_(interval) {
    std::vector<std::uint64_t> last(reader.sas(), 0);
    const auto at = [&](const Line& line) {
      return static_cast<std::uint64_t>(std::floor((line.t - reader.lines.front().t) / interval));
    };
    for (const auto& line : reader.lines) last[line.sa] = at(line);
    std::vector<std::uint32_t> where(reader.sas(), 0);
    Sa known = 0;
    for (const auto& line : reader.lines) {
      if (at(line) >= intervals_.size()) intervals_.resize(at(line) + 1);
      auto& now = intervals_.back();
      if (line.sa == known) {
        now.arrivals.push_back(known++);
      }
      if (where[line.sa] < now.rows.size() && now.rows[where[line.sa]].sa == line.sa) {
        now.rows[where[line.sa]].octets += line.octets;
        continue;
      }
      where[line.sa] = static_cast<std::uint32_t>(now.rows.size());
      now.rows.push_back({line.sa, line.octets});
      if (last[line.sa] + 1 == intervals_.size()) now.departures.push_back(line.sa);
    }
  }
  void rewind() override { next_ = 0; }
  bool next(Interval& out) override {
    if (next_ == intervals_.size()) return false;
    out = intervals_[next_++];
    return true;
  }
  [[nodiscard]] std::uint64_t rounds() const override { return intervals_.size(); }
  [[nodiscard]] double seconds() const override { return seconds_; }

 private:
  std::vector<Interval> intervals_;
  std::size_t next_ = 0;
  double seconds_;
};

}  // namespace

std::expected<std::unique_ptr<Trace>, std::string> read_csv(std::istream& in, const std::string& name,
                                                            std::optional<double> interval) {
  Reader reader;
  std::string text;
  bool first = true;
  for (std::uint64_t line = 1; std::getline(in, text); ++line) {
    if (trimmed(text).empty()) continue;
    if (const auto wrong = reader.line(text, first))
      return std::unexpected(fmt::format("{}:{}: {}", name, line, *wrong));
    first = false;
  }
  if (reader.lines.empty()) return std::unexpected(fmt::format("{}: no line `t,sa,bytes` in it", name));
  const double step = interval.value_or(step_of(reader.lines));
  if ((reader.lines.back().t - reader.lines.front().t) / step > static_cast<double>(most_intervals)) {
    return std::unexpected(
        fmt::format("{}: more than {} intervals of {} s; choose a longer --interval", name, most_intervals, step));
  }
  return std::make_unique<CsvTrace>(reader, step);
}

}  // namespace espgate::steer_sim
