// SPDX-License-Identifier: Apache-2.0
#include "gateway/log_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>

namespace espgate::gateway {
namespace {

constexpr std::size_t kMostRules = 64;

bool about(std::string_view line, std::string_view conn) {
  if (conn.empty()) return true;
  if (!line.starts_with(conn)) return false;
  return line.size() == conn.size() || std::strchr("/: ", line[conn.size()]) != nullptr;
}

}  // namespace

std::optional<Level> level_called(std::string_view word) {
  constexpr std::string_view words[] = {"trace", "debug", "info", "warn", "error"};
  for (std::size_t i = 0; i < std::size(words); ++i) {
    if (word == words[i]) return static_cast<Level>(i);
  }
  return std::nullopt;
}

std::string_view to_string(Level level) {
  constexpr std::string_view words[] = {"trace", "debug", "info", "warning", "error"};
  return words[static_cast<std::size_t>(level)];
}

bool LogRules::wanted(base::Instant now, Level level, Subsystem from, std::string_view line) {
  std::erase_if(rules_, [&](const Rule& rule) { return rule.until && *rule.until <= now; });
  for (auto rule = rules_.rbegin(); rule != rules_.rend(); ++rule) {
    if ((!rule->from || *rule->from == from) && about(line, rule->conn)) return level >= rule->level;
  }
  return level >= level_;
}

std::expected<std::string, std::string> LogRules::set(base::Instant now, std::string_view subsystem,
                                                      std::string_view level, std::string_view conn,
                                                      std::optional<base::Duration> span) {
  Rule rule;
  if (subsystem == "ike") {
    rule.from = Subsystem::ike;
  } else if (subsystem == "daemon") {
    rule.from = Subsystem::daemon;
  } else if (subsystem != "all") {
    return std::unexpected(fmt::format("there is no subsystem '{}', expected all, ike or daemon", subsystem));
  }
  const auto wanted = level_called(level);
  if (!wanted)
    return std::unexpected(fmt::format("there is no level '{}', expected error, warn, info, debug or trace", level));
  rule.level = *wanted;
  rule.conn = conn;
  if (span) rule.until = now + *span;
  std::erase_if(rules_, [&](const Rule& old) { return old.from == rule.from && old.conn == rule.conn; });
  if (rules_.size() >= kMostRules)
    return std::unexpected("there are too many rules: set those of connections for some time only");
  rules_.push_back(std::move(rule));
  return fmt::format(
      "{}{} logs {} and above{}", subsystem, conn.empty() ? "" : fmt::format(" about {}", conn), level,
      span ? fmt::format(" for {} s", std::chrono::duration_cast<std::chrono::seconds>(*span).count()) : "");
}

}  // namespace espgate::gateway
