// SPDX-License-Identifier: Apache-2.0
// espgate-log-level.
#include <string>

#include "control/vici/command_parts.h"

namespace espgate::control::vici {

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
