// SPDX-License-Identifier: Apache-2.0
// The daemon's log: the event `log` with each line, and espgate-log-level.
#include <string>

#include "control/vici/command_parts.h"

namespace espgate::control::vici {

Message log_message(const LogEvent& line) {
  Message out;
  // strongSwan's keys, then ours.
  out.set("group", line.ike ? "IKE" : "DMN").set("level", line.severity == "debug" ? "2" : "1").set("thread", "1");
  out.set("msg", line.text).set("severity", line.severity);
  return out.set("at", std::to_string(line.at));
}

void add_log_commands(Server& server, Daemon& daemon) {
  server.on("espgate-log-level", [&daemon](const Message& request, const std::shared_ptr<Reply>& reply) {
    std::optional<std::chrono::seconds> span;
    if (const auto seconds = number_of(request, "for")) span = std::chrono::seconds(*seconds);
    const auto now = daemon.log_level(request.text("subsystem"), request.text("level"), request.text("conn"), span);
    if (!now) return reply->fail(now.error());
    reply->finish(Message().set("success", true).set("now", *now));
  });
}

}  // namespace espgate::control::vici
