// SPDX-License-Identifier: Apache-2.0
// monitor, log level: what the daemon says, as it says it, and how much of it.
#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <ctime>

#include "control/report/json.h"
#include "control/report/text_table.h"
#include "tools/espgate/handlers.h"

namespace espgate::tools {
namespace {

namespace report = control::report;
namespace vici = control::vici;

std::string clock_text(std::int64_t epoch) {
  const auto when = static_cast<std::time_t>(epoch);
  std::tm parts{};
  char text[32] = "";
  if (::localtime_r(&when, &parts) != nullptr) std::strftime(text, sizeof text, "%H:%M:%S", &parts);
  return text;
}

report::Paint paint_of(const std::string& severity) {
  if (severity == "error") return report::Paint::bad;
  return severity == "warning" ? report::Paint::warn : report::Paint::plain;
}

std::string line_of(const vici::Message& event, const Options& options) {
  const std::int64_t at = std::time(nullptr);
  const auto level = event.text("level");
  const std::string severity = level == "0" ? "warning" : level == "1" ? "info" : "debug";
  if (options.json)
    return report::json_text({{"at", at}, {"severity", severity}, {"text", event.text("msg")}}, options.pretty);
  return fmt::format("{} {} {}\n", clock_text(at), report::painted(severity, paint_of(severity), options.color),
                     report::printable(event.text("msg")));
}

// "10m", "90s", "2h", "600": seconds.
std::optional<std::uint64_t> seconds_of(const std::string& text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (error != std::errc{} || value == 0 || value > 86400) return std::nullopt;
  if (unit.empty() || unit == "s") return value;
  if (unit == "m") return value * 60;
  if (unit == "h") return value * 3600;
  return std::nullopt;
}

}  // namespace

Outcome monitor_show(const Context& context) {
  const auto& options = context.options;
  auto client = vici::Client::connect(options.vici);
  if (!client) return std::unexpected(daemon_failure(client.error(), options.vici));
  std::uint32_t left = context.invocation.number("count", 0);
  const bool counted = left != 0;
  const auto done = client->listen("log", [&](const vici::Message& event) {
    if (event.text("level") == "2") return true;  // details are for the log
    std::fputs(line_of(event, options).c_str(), stdout);
    return std::fflush(stdout) == 0 && (!counted || --left != 0);
  });
  if (!done) return std::unexpected(daemon_failure(done.error(), options.vici));
  return std::string();
}

Outcome log_level(const Context& context) {
  const auto& options = context.options;
  vici::Message command;
  command.set("subsystem", context.invocation.get("SUBSYSTEM").value_or(""))
      .set("level", context.invocation.get("LEVEL").value_or(""));
  if (const auto conn = context.invocation.get("conn")) command.set("conn", *conn);
  if (const auto span = context.invocation.get("for")) {
    const auto seconds = seconds_of(*span);
    if (!seconds) {
      return std::unexpected(Failure{Exit::usage, "usage",
                                     fmt::format("for '{}' is wrong, expected a time such as 90s, 10m or 2h", *span)});
    }
    command.set("for", std::to_string(*seconds));
  }
  auto client = vici::Client::connect(options.vici);
  if (!client) return std::unexpected(daemon_failure(client.error(), options.vici));
  const auto answer = client->request("espgate-log-level", command);
  if (!answer) return std::unexpected(daemon_failure(answer.error(), options.vici));
  if (answer->get("success") != "yes") {
    return std::unexpected(Failure{Exit::refused, "refused", answer->text("errmsg")});
  }
  if (options.json) return report::json_text({{"result", "set"}, {"text", answer->text("now")}}, options.pretty);
  return answer->text("now") + "\n";
}

}  // namespace espgate::tools
