// SPDX-License-Identifier: Apache-2.0
// Commands that change something: initiate, terminate, reload.
#include "control/vici/commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "control/vici/command_parts.h"

namespace espgate::control::vici {

std::optional<std::int64_t> number_of(const Message& request, std::string_view key) {
  const auto text = request.get(key);
  std::int64_t out = 0;
  if (!text) return std::nullopt;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), out);
  return error == std::errc{} && end == text->data() + text->size() ? std::optional(out) : std::nullopt;
}

namespace {

using Answer = std::shared_ptr<Reply>;

constexpr std::chrono::milliseconds kRekeyPatience{20000};

std::optional<std::chrono::milliseconds> timeout_of(const Message& request) {
  constexpr std::int64_t most = 7LL * 24 * 3600 * 1000;
  const auto value = number_of(request, "timeout");
  // strongSwan: 0 waits as long as it takes, -1 does not wait.
  if (!value || *value == 0) return std::nullopt;
  return std::chrono::milliseconds(std::clamp<std::int64_t>(*value, -1, most));
}

// Progress as swanctl shows it; `loglevel` -1 silences it.
LogLine log_to(const Answer& reply, const Message& request) {
  const auto most = number_of(request, "loglevel").value_or(1);
  return [reply, most](const std::string& group, std::uint32_t level, const std::string& text) {
    if (std::int64_t{level} > most) return;
    reply->event("control-log", Message().set("group", group).number("level", level).set("msg", text));
  };
}

std::string sentence(const ike::Failure& failure) {
  auto out = failure.text;
  if (!failure.step.empty() && failure.step != "command") out = failure.step + ": " + out;
  if (!failure.peer_notify.empty()) out += fmt::format(" (peer: {})", failure.peer_notify);
  return out;
}

// Our keys beside errmsg: which step failed, and how, for programs.
void put_failure(Message& out, const ike::Failure& failure) {
  out.set("errmsg", sentence(failure)).set("step", failure.step).set("code", ike::code(failure.code));
  if (!failure.peer_notify.empty()) out.set("peer-notify", failure.peer_notify);
}

void initiate(Daemon& daemon, const Message& request, const Answer& reply) {
  InitiateRequest what{request.text("ike"), request.text("child"), timeout_of(request)};
  if (what.conn.empty() && what.child.empty()) return reply->fail("nothing to initiate: name a child, an ike, or both");
  const auto name = what.child.empty() ? what.conn : what.child;
  const auto timeout = what.timeout;
  daemon.initiate(what, log_to(reply, request), [reply, name, timeout](const Outcome& outcome) {
    Message out;
    // Who does not want to wait is content with the start.
    const bool no_wait = timeout && timeout->count() < 0;
    out.set("success", !outcome.failure && (!outcome.timed_out || no_wait));
    if (outcome.failure) {
      put_failure(out, *outcome.failure);
    } else if (outcome.timed_out && !no_wait) {
      out.set("errmsg",
              fmt::format("'{}' not established after {}ms; it goes on trying", name, timeout ? timeout->count() : 0));
      out.set("code", "timeout");
    }
    reply->finish(out);
  });
}

// Which SAs are meant, by name or number. False: it was said wrongly, and the reply is given.
template <class T>
bool read_selector(const Message& request, T& what, std::string_view command, const Answer& reply) {
  what.conn = request.text("ike");
  what.child = request.text("child");
  for (const auto* key : {"ike-id", "child-id"}) {
    if (!request.get(key)) continue;
    const auto id = number_of(request, key);
    if (!id || *id <= 0) {
      reply->fail(fmt::format("{} is no id of an SA, expected a number", key));
      return false;
    }
    if (key == std::string_view("ike-id")) what.ike = base::IkeId{static_cast<std::uint64_t>(*id)};
    if (key == std::string_view("child-id")) what.child_id = base::ChildId{static_cast<std::uint64_t>(*id)};
  }
  if (!what.conn.empty() || !what.child.empty() || what.ike || what.child_id) return true;
  reply->fail(fmt::format("missing {} selector: ike, child, ike-id or child-id", command));
  return false;
}

// strongSwan answers at once with what it started; we wait a moment, so that the answer says what came of it.
void rekey(Daemon& daemon, const Message& request, const Answer& reply) {
  RekeyRequest what;
  if (!read_selector(request, what, "rekey", reply)) return;
  what.timeout = request.get("timeout") ? timeout_of(request) : std::chrono::milliseconds(kRekeyPatience);
  daemon.rekey(what, [reply](const Outcome& outcome) {
    Message out;
    const bool done = !outcome.failure && !outcome.timed_out && outcome.matched > 0;
    out.set("success", done || outcome.timed_out).number("matches", outcome.matched);
    if (outcome.failure) put_failure(out, *outcome.failure);
    if (outcome.timed_out) out.set("code", "timeout");
    reply->finish(out);
  });
}

void terminate(Daemon& daemon, const Message& request, const Answer& reply) {
  TerminateRequest what;
  if (!read_selector(request, what, "terminate", reply)) return;
  what.force = request.text("force") == "yes";
  what.timeout = timeout_of(request);
  daemon.terminate(what, log_to(reply, request), [reply](const Outcome& outcome) {
    Message out;
    const bool done = !outcome.failure && !outcome.timed_out && outcome.matched > 0;
    out.set("success", done).number("matches", outcome.matched).number("terminated", done ? outcome.matched : 0);
    if (outcome.failure) {
      put_failure(out, *outcome.failure);
    } else if (outcome.timed_out) {
      out.set("errmsg", "not terminated in time; it goes on").set("code", "timeout");
    } else if (outcome.matched == 0) {
      out.set("errmsg", "no matching SAs to terminate found").set("code", ike::code(ike::Reason::not_found));
    }
    reply->finish(out);
  });
}

std::vector<std::string> texts(const std::vector<Problem>& problems) {
  std::vector<std::string> out;
  for (const auto& problem : problems) out.push_back(problem.text());
  return out;
}

void reload(Daemon& daemon, bool dry_run, const Answer& reply) {
  const auto report = daemon.reload(dry_run);
  Message out;
  out.set("success", report.ok());
  if (!report.ok()) {
    const auto more = report.errors.size() - 1;
    out.set("errmsg", report.errors.front().text() + (more > 0 ? fmt::format(" (and {} more)", more) : ""));
  }
  out.list("errors", texts(report.errors)).list("warnings", texts(report.warnings));
  reply->finish(out);
}

// A trap for a child, by hand.
void install(Daemon& daemon, const Message& request, bool on, const Answer& reply) {
  if (request.text("child").empty()) return reply->fail("missing child: name the one whose trap is meant");
  if (auto why = daemon.trap(request.text("ike"), request.text("child"), on)) return reply->fail(*why);
  reply->finish(Message().set("success", true));
}

}  // namespace

void add_commands(Server& server, Daemon& daemon) {
  for (const auto* event :
       {"list-sa", "list-conn", "list-policy", "list-cert", "list-authority", "control-log", "log", "ike-updown",
        "ike-rekey", "child-updown", "child-rekey", "espgate-child", "espgate-conn", "espgate-device"}) {
    server.declare_event(event);
  }
  add_queries(server, daemon);
  add_sa_queries(server, daemon);
  add_loading(server, daemon);
  add_credential_commands(server, daemon);
  add_device_commands(server, daemon);
  add_log_commands(server, daemon);
  server.on("initiate", [&daemon](const Message& request, const Answer& reply) { initiate(daemon, request, reply); });
  server.on("terminate", [&daemon](const Message& request, const Answer& reply) { terminate(daemon, request, reply); });
  server.on("rekey", [&daemon](const Message& request, const Answer& reply) { rekey(daemon, request, reply); });
  for (const bool on : {true, false}) {
    server.on(on ? "install" : "uninstall",
              [&daemon, on](const Message& request, const Answer& reply) { install(daemon, request, on, reply); });
  }
  server.on("reload-settings", [&daemon](const Message&, const Answer& reply) { reload(daemon, false, reply); });
  server.on("espgate-reload", [&daemon](const Message& request, const Answer& reply) {
    reload(daemon, request.text("dry-run") == "yes", reply);
  });
  server.on("redirect", [](const Message&, const Answer& reply) { reply->fail("redirect is not supported yet"); });
}

}  // namespace espgate::control::vici
