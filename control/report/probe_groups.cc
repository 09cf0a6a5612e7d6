// SPDX-License-Identifier: Apache-2.0
// From a hundred rows to a dozen lines: the rows of a suite and mode are divided, one property at a time, by the
// property that leaves the fewest unlike rows together, until those in each part came out alike.
#include <algorithm>
#include <array>
#include <map>

#include "control/report/probe.h"

namespace espgate::control::report {
namespace {

using sad::ProbeAnswer;
using sad::ProbeRow;

struct Tried {
  const ProbeRow* row = nullptr;
  const ProbeAnswer* answer = nullptr;
};
using Part = std::vector<Tried>;

// A property's value in words; those that do not apply ("" of an outbound window) are a part of their own.
using Property = std::string (*)(const ProbeRow&);
constexpr std::array<Property, 6> kProperties{
    [](const ProbeRow& row) -> std::string { return row.encap ? "in UDP" : "not in UDP"; },
    [](const ProbeRow& row) -> std::string { return row.suite.esn ? "esn" : "no esn"; },
    [](const ProbeRow& row) -> std::string { return row.direction == base::Direction::in ? "in" : "out"; },
    [](const ProbeRow& row) -> std::string { return std::string(base::to_string(row.sa_mode)); },
    [](const ProbeRow& row) -> std::string { return row.family == base::Family::ipv4 ? "ipv4" : "ipv6"; },
    [](const ProbeRow& row) -> std::string {
      return row.direction == base::Direction::out ? "out" : "window " + std::to_string(row.replay_window);
    },
};

bool alike(const Part& part) {
  return std::ranges::all_of(part, [&](const Tried& tried) { return *tried.answer == *part.front().answer; });
}

// Rows that are not like most of their part.
std::size_t unlike(const Part& part) {
  std::size_t most = 0;
  for (const auto& one : part) {
    const auto same = std::ranges::count_if(part, [&](const Tried& tried) { return *tried.answer == *one.answer; });
    most = std::max(most, static_cast<std::size_t>(same));
  }
  return part.size() - most;
}

// The values in order of appearance, each with its rows.
std::vector<std::pair<std::string, Part>> divided(const Part& part, Property property) {
  std::vector<std::pair<std::string, Part>> out;
  for (const auto& tried : part) {
    const std::string value = property(*tried.row);
    auto found = std::ranges::find(out, value, &std::pair<std::string, Part>::first);
    if (found == out.end()) found = out.insert(out.end(), {value, {}});
    found->second.push_back(tried);
  }
  return out;
}

std::size_t unlike_after(const Part& part, Property property) {
  std::size_t out = 0;
  for (const auto& [value, rows] : divided(part, property)) out += unlike(rows);
  return out;
}

std::string joined(const std::string& before, const std::string& more) {
  return before.empty() ? more : before + ", " + more;
}

void emit(const Part& part, const std::string& when, std::vector<ProbeGroup>& into) {
  base::EspSuite suite = part.front().row->suite;
  suite.esn = false;
  into.push_back(
      {suite.name(), part.front().row->mode, when.empty() ? "always" : when, part.size(), *part.front().answer});
}

// Neighbours that came out alike become one: "window 32 or window 64".
void merge(std::vector<std::pair<std::string, Part>>& parts) {
  for (std::size_t i = 0; i < parts.size(); ++i) {
    for (std::size_t j = i + 1; alike(parts[i].second) && j < parts.size();) {
      if (!alike(parts[j].second) || !(*parts[j].second.front().answer == *parts[i].second.front().answer)) {
        ++j;
        continue;
      }
      parts[i].first += " or " + parts[j].first;
      parts[i].second.insert(parts[i].second.end(), parts[j].second.begin(), parts[j].second.end());
      parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(j));
    }
  }
}

void divide(const Part& part, const std::string& when, std::vector<ProbeGroup>& into) {
  if (alike(part)) return emit(part, when, into);
  Property best = nullptr;
  for (const auto property : kProperties) {
    if (divided(part, property).size() < 2) continue;
    if (best == nullptr || unlike_after(part, property) < unlike_after(part, best)) best = property;
  }
  if (best == nullptr) {  // the same row came out in two ways: say each
    for (const auto& tried : part) emit({tried}, when, into);
    return;
  }
  auto parts = divided(part, best);
  merge(parts);
  for (const auto& [value, rows] : parts) divide(rows, joined(when, value), into);
}

}  // namespace

std::vector<ProbeGroup> probe_groups(const std::vector<ProbeRow>& rows, const std::vector<ProbeAnswer>& answers) {
  std::vector<std::pair<std::string, Part>> suites;  // and modes
  for (std::size_t i = 0; i < rows.size(); ++i) {
    base::EspSuite suite = rows[i].suite;
    suite.esn = false;
    const std::string key = suite.name() + std::string(sad::to_string(rows[i].mode));
    auto found = std::ranges::find(suites, key, &std::pair<std::string, Part>::first);
    if (found == suites.end()) found = suites.insert(suites.end(), {key, {}});
    found->second.push_back({&rows[i], &answers[i]});
  }
  std::vector<ProbeGroup> out;
  for (const auto& [key, part] : suites) divide(part, {}, out);
  return out;
}

}  // namespace espgate::control::report
