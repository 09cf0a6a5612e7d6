// SPDX-License-Identifier: Apache-2.0
#include "gateway/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <memory>

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

void write(spdlog::level::level_enum level, std::string_view text) {
  if (json_lines) {
    spdlog::log(level, "{}", json_escaped(text));
  } else {
    spdlog::log(level, "{}", text);
  }
}
}  // namespace

bool log_setup(std::string_view level, LogFormat format) {
  const auto parsed = spdlog::level::from_str(std::string(level));
  if (parsed == spdlog::level::off && level != "off") return false;
  json_lines = format == LogFormat::json;
  auto logger = std::make_shared<spdlog::logger>("espgated", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern(json_lines ? R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l","text":"%v"})"
                                 : "%Y-%m-%d %H:%M:%S.%e %l %v");
  logger->set_level(parsed);
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
  return true;
}

void log_error(std::string_view text) { write(spdlog::level::err, text); }
void log_warn(std::string_view text) { write(spdlog::level::warn, text); }
void log_info(std::string_view text) { write(spdlog::level::info, text); }
void log_debug(std::string_view text) { write(spdlog::level::debug, text); }

std::string printable(std::string_view text, std::size_t most) {
  std::string out;
  for (char c : text.substr(0, most)) {
    const auto octet = static_cast<unsigned char>(c);
    if (octet < 0x20 || octet == 0x7f) {
      out += fmt::format("\\x{:02x}", octet);
    } else {
      out.push_back(c);
    }
  }
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
