// SPDX-License-Identifier: Apache-2.0
#include "gateway/log.h"

#include <poll.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <memory>
#include <mutex>
#include <utility>

#include "gateway/clock.h"

#include "control/report/text_table.h"

namespace espgate::gateway {

namespace {
// JSON string escapes; spdlog's pattern has no field for it, so the text is escaped before.
std::string json_escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out.push_back(c);
    }
  }
  return out;
}

bool json_lines = false;
std::mutex guard;  // of what follows
LogRules rules;

std::mutex tap_lock;
std::function<void(unsigned, std::string_view)> tap;

void tell(spdlog::level::level_enum level, std::string_view text) {
  const std::lock_guard lock(tap_lock);
  if (tap) tap(level >= spdlog::level::warn ? 0 : level == spdlog::level::info ? 1 : 2, text);
}

// Lines to stderr. A reader that stands still (a pipe or a socket that is full) costs lines, never more than a moment:
// IKE does not wait for its log.
class PatientSink final : public spdlog::sinks::base_sink<std::mutex> {
  static constexpr int kPatience = 50;  // milliseconds; none while lines are being lost

  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    pollfd out{STDERR_FILENO, POLLOUT, 0};
    if (::poll(&out, 1, lost_ == 0 ? kPatience : 0) <= 0) {
      ++lost_;
      return;
    }
    if (lost_ != 0) {
      const std::string more =
          fmt::format("{} lines of the log were lost before this one: nobody read them", std::exchange(lost_, 0U));
      spdlog::memory_buf_t told;
      formatter_->format({message.time, {}, message.logger_name, spdlog::level::warn, more}, told);
      put(told);
    }
    put(line);
  }
  // What cannot be written is left out: there is no other place to say so.
  static void put(const spdlog::memory_buf_t& line) {
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
  }
  void flush_() override {}

  unsigned lost_ = 0;
};

spdlog::level::level_enum level_of(Level level) {
  switch (level) {
    case Level::trace:
      return spdlog::level::trace;
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warn:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

void write(Level level, Subsystem from, std::string_view text) {
  tell(level_of(level), text);
  const std::lock_guard lock(guard);
  if (!rules.wanted(now(), level, from, text)) return;
  if (json_lines) {
    spdlog::log(level_of(level), "{}", json_escaped(text));
  } else {
    spdlog::log(level_of(level), "{}", text);
  }
}
}  // namespace

bool log_setup(std::string_view level, LogFormat format) {
  const auto parsed = level_called(level);
  if (!parsed) return false;
  json_lines = format == LogFormat::json;
  auto logger = std::make_shared<spdlog::logger>("espgated", std::make_shared<PatientSink>());
  logger->set_pattern(json_lines ? R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l","text":"%v"})"
                                 : "%Y-%m-%d %H:%M:%S.%e %l %v");
  logger->set_level(spdlog::level::trace);  // the rules decide
  {
    const std::lock_guard lock(guard);
    rules = LogRules(*parsed);
  }
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
  return true;
}

void log_error(std::string_view text, Subsystem from) { write(Level::error, from, text); }
void log_warn(std::string_view text, Subsystem from) { write(Level::warn, from, text); }
void log_info(std::string_view text, Subsystem from) { write(Level::info, from, text); }
void log_debug(std::string_view text, Subsystem from) { write(Level::debug, from, text); }

std::expected<std::string, std::string> log_level(base::Instant now, std::string_view subsystem, std::string_view level,
                                                  std::string_view conn, std::optional<base::Duration> span) {
  const std::lock_guard lock(guard);
  return rules.set(now, subsystem, level, conn, span);
}

void log_tap(std::function<void(unsigned level, std::string_view text)> to) {
  const std::lock_guard lock(tap_lock);
  tap = std::move(to);
}

namespace {
// Of all threads: lines that are limited are rare.
bool passes(const std::string& key, std::string& text) {
  static std::mutex mutex;
  static LogLimiter limiter;
  const std::scoped_lock lock(mutex);
  const auto verdict = limiter.ask(now(), key);
  if (verdict.held_back > 0) text += fmt::format(" ({} like it held back)", verdict.held_back);
  return verdict.write;
}
}  // namespace

void log_warn_limited(const std::string& key, std::string text) {
  if (passes(key, text)) log_warn(text);
}

void log_error_limited(const std::string& key, std::string text) {
  if (passes(key, text)) log_error(text);
}

void log_last_words(const char* text, const char* more) noexcept {
  std::array<char, 32> when{};
  timespec now{};
  std::tm parts{};
  clock_gettime(CLOCK_REALTIME, &now);
  gmtime_r(&now.tv_sec, &parts);  // localtime_r may want memory
  (void)std::strftime(when.data(), when.size(), json_lines ? "%Y-%m-%dT%H:%M:%S+0000" : "%Y-%m-%d %H:%M:%S UTC",
                      &parts);
  std::array<char, 512> line{};
  const char* pattern =
      json_lines ? "{\"time\":\"%s\",\"level\":\"critical\",\"text\":\"%s%s\"}\n" : "%s critical %s%s\n";
  const int length = std::snprintf(line.data(), line.size(), pattern, when.data(), text, more);
  const auto most = std::min(static_cast<std::size_t>(std::max(length, 0)), line.size() - 1);
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), most);
}

std::string printable(std::string_view text, std::size_t most) {
  auto out = control::report::printable(text.substr(0, most));
  if (text.size() > most) out += "...";
  return out;
}

LogLimiter::Verdict LogLimiter::ask(base::Instant now, const std::string& key) {
  auto& bucket = buckets_[key];
  if (bucket.used == 0 || now - bucket.since >= std::chrono::seconds(1)) {
    bucket.since = now;
    bucket.used = 0;
  }
  if (bucket.used >= burst_) {
    ++bucket.held_back;
    return {};
  }
  ++bucket.used;
  return {true, std::exchange(bucket.held_back, 0U)};
}

}  // namespace espgate::gateway
