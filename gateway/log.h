// SPDX-License-Identifier: Apache-2.0
// One line a decision, to stderr: text for people and journald, or one JSON object a line. Rate-limited where a
// stranger can cause lines.
#pragma once

#include <expected>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "gateway/log_rules.h"

namespace espgate::gateway {

enum class LogFormat { text, json };

// Sets up the process's logger; `level` is one of error, warn, info, debug, trace. False: unknown level.
bool log_setup(std::string_view level, LogFormat format);

void log_error(std::string_view text, Subsystem from = Subsystem::daemon);
void log_warn(std::string_view text, Subsystem from = Subsystem::daemon);
void log_info(std::string_view text, Subsystem from = Subsystem::daemon);
void log_debug(std::string_view text, Subsystem from = Subsystem::daemon);

// See LogRules::set().
std::expected<std::string, std::string> log_level(base::Instant now, std::string_view subsystem, std::string_view level,
                                                  std::string_view conn, std::optional<base::Duration> span);

// As these, but for each key five lines a second at most; how many were held back is said with the next one.
void log_warn_limited(const std::string& key, std::string text);
void log_error_limited(const std::string& key, std::string text);

// One line straight to stderr: allocates nothing, and what cannot be written is left out. Both texts are plain.
void log_last_words(const char* text, const char* more) noexcept;

// Who wants to hear each line that is written, on whatever thread writes it; `level`: 0 errors and warnings, 1 what
// happens, 2 details. Empty: nobody any more.
void log_tap(std::function<void(unsigned level, std::string_view text)> tap);

// Makes text from the network fit for one line: what could move a cursor or hide a word becomes \xNN
// (control/report/text_table.h), over-long text is cut.
std::string printable(std::string_view text, std::size_t most = 512);

// Lets `burst` lines a second through per key; what was held back is told with the next line that passes.
class LogLimiter {
 public:
  explicit LogLimiter(unsigned burst = 5) : burst_(burst) {}
  // Whether to write, and how many lines of this key were held back before.
  struct Verdict {
    bool write = false;
    unsigned held_back = 0;
  };
  Verdict ask(base::Instant now, const std::string& key);

 private:
  struct Bucket {
    base::Instant since{};
    unsigned used = 0;
    unsigned held_back = 0;
  };
  unsigned burst_;
  std::map<std::string, Bucket> buckets_;  // keys come from closed enums, so this stays small
};

}  // namespace espgate::gateway
