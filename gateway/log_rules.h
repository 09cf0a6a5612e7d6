// SPDX-License-Identifier: Apache-2.0
// Which lines are written: a level for all, and rules of `espgate log level` above it. Not for several threads at once.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"

namespace espgate::gateway {

enum class Subsystem : std::uint8_t { daemon, ike };  // ike: what peers do; daemon: everything else
enum class Level : std::uint8_t { trace, debug, info, warn, error };
std::optional<Level> level_called(std::string_view word);  // "error", "warn", ...
std::string_view to_string(Level level);                   // as lines have it: "warning" for warn

class LogRules {
 public:
  explicit LogRules(Level level = Level::info) : level_(level) {}

  // The last rule that fits the line decides. A line is about `conn` if it begins with its name.
  [[nodiscard]] bool wanted(base::Instant now, Level level, Subsystem from, std::string_view line);
  // `subsystem`: "all", "ike" or "daemon"; `conn` may be empty; `span`: none: for good. Replaces a rule for the same.
  // What holds now, as a sentence, or what is wrong.
  std::expected<std::string, std::string> set(base::Instant now, std::string_view subsystem, std::string_view level,
                                              std::string_view conn, std::optional<base::Duration> span);

 private:
  struct Rule {
    std::optional<Subsystem> from;  // none: all
    std::string conn;
    Level level{};
    std::optional<base::Instant> until;
  };
  Level level_;
  std::vector<Rule> rules_;
};

}  // namespace espgate::gateway
