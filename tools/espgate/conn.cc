// SPDX-License-Identifier: Apache-2.0
// conn and ike: what the daemon knows, and asking it to bring something up or down.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>

#include "control/report/daemon.h"
#include "control/report/json.h"
#include "control/report/views.h"
#include "tools/espgate/handlers.h"

namespace espgate::tools {
namespace {

namespace report = control::report;
namespace vici = control::vici;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint32_t kWait = 30;  // seconds, unless --timeout says otherwise

std::int64_t epoch_now() {
  return std::chrono::duration_cast<seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

struct Name {
  std::string conn, child;
};

Name name_of(const Context& context) {
  const std::string text = context.invocation.get("NAME").value_or("");
  const auto slash = text.find('/');
  if (slash == std::string::npos) return {text, {}};
  return {text.substr(0, slash), text.substr(slash + 1)};
}

std::string text_of(const Name& name) { return name.child.empty() ? name.conn : name.conn + "/" + name.child; }

std::string done_text(const Context& context, const Name& name, const std::string& result, const std::string& text) {
  if (!context.options.json) return text + "\n";
  return report::json_text({{"conn", name.conn}, {"child", report::json_text_or_null(name.child)}, {"result", result}},
                           context.options.pretty);
}

constexpr std::size_t kNamed = 10;  // of many connections in one message

// Nothing is configured by that name; says what is.
Failure not_found(const std::string& name, const std::vector<report::ConnRow>& all) {
  std::vector<std::string> known;
  for (const auto& row : all) known.push_back(row.conn + "/" + row.child);
  std::string list = fmt::format("{}", fmt::join(known.begin(), known.begin() + std::min(known.size(), kNamed), ", "));
  if (known.size() > kNamed) list += fmt::format(" and {} more (`espgate conn show`)", known.size() - kNamed);
  return {Exit::refused, "not-found",
          fmt::format("no connection {} is configured; {}", name,
                      known.empty() ? "there is none at all" : "there is " + list)};
}

// The configured children that `name` means.
std::expected<std::vector<report::ConnRow>, Failure> rows_of(vici::Client& client, const Context& context,
                                                             const Name& name) {
  auto all = report::ask_conns(client);
  if (!all) return std::unexpected(daemon_failure(all.error(), context.options.vici));
  std::vector<report::ConnRow> rows;
  for (const auto& row : *all) {
    if (row.conn == name.conn && (name.child.empty() || row.child == name.child)) rows.push_back(row);
  }
  if (rows.empty()) return std::unexpected(not_found(text_of(name), *all));
  return rows;
}

// "IKE_AUTH: ... (peer: AUTHENTICATION_FAILED)": the daemon's own sentence names the step. Where it only ran out of
// time, what it remembers of this attempt says more.
Failure why_not(vici::Client& client, const Context& context, const Name& name, const vici::Message& answer,
                std::int64_t since) {
  const std::string code = answer.text("code");
  std::string text = fmt::format("{} is not up: {}", text_of(name), answer.text("errmsg"));
  if (answer.text("step").empty()) {
    const auto rows = rows_of(client, context, name);
    for (const auto& row : rows.value_or(std::vector<report::ConnRow>{})) {
      if (!row.last_error || row.last_error->at < since) continue;
      text +=
          fmt::format("; last error: {}: {} ({})", row.last_error->step, row.last_error->text, row.last_error->code);
      if (!row.last_error->peer_notify.empty()) text += fmt::format(", the peer sent {}", row.last_error->peer_notify);
      break;
    }
  }
  return {Exit::refused, code.empty() ? "refused" : code, std::move(text)};
}

std::vector<std::string> lines_of(const vici::Message& answer, std::string_view list) {
  const auto* lines = answer.items(list);
  return lines == nullptr ? std::vector<std::string>{} : *lines;
}

vici::Message command_for(const Name& name, seconds patience) {
  vici::Message message;
  message.set("ike", name.conn);
  if (!name.child.empty()) message.set("child", name.child);
  message.number("timeout", static_cast<std::uint64_t>(milliseconds(patience).count()));
  message.set("loglevel", "1");
  return message;
}

}  // namespace

Outcome conn_show(const Context& context) {
  auto client = vici::Client::connect(context.options.vici);
  if (!client) return std::unexpected(daemon_failure(client.error(), context.options.vici));
  auto rows = report::ask_conns(*client);
  if (!rows) return std::unexpected(daemon_failure(rows.error(), context.options.vici));
  if (const auto name = context.invocation.get("name")) {
    auto wanted = *rows;
    std::erase_if(wanted, [&](const auto& row) { return !report::names(*name, row.conn, row.child); });
    if (wanted.empty()) return std::unexpected(not_found(*name, *rows));
    *rows = std::move(wanted);
  }
  return context.options.json ? report::conn_json(*rows, context.options.pretty)
                              : report::conn_text(*rows, context.options.color, epoch_now());
}

Outcome ike_show(const Context& context) {
  auto client = vici::Client::connect(context.options.vici);
  if (!client) return std::unexpected(daemon_failure(client.error(), context.options.vici));
  const auto rows = report::ask_ikes(*client);
  if (!rows) return std::unexpected(daemon_failure(rows.error(), context.options.vici));
  return context.options.json ? report::ike_json(*rows, context.options.pretty)
                              : report::ike_text(*rows, context.options.color, epoch_now());
}

Outcome conn_up(const Context& context) {
  auto client = vici::Client::connect(context.options.vici);
  if (!client) return std::unexpected(daemon_failure(client.error(), context.options.vici));
  const Name name = name_of(context);
  if (const auto known = rows_of(*client, context, name); !known) return std::unexpected(known.error());
  const seconds patience(context.invocation.number("--timeout", kWait));
  const std::int64_t since = epoch_now();
  // Progress goes to stderr, so that stdout has the outcome alone.
  const auto progress = [&](std::string_view, const vici::Message& event) {
    if (!context.options.json) note(event.text("msg"));
  };
  const auto answer =
      client->stream("initiate", command_for(name, patience), "control-log", progress, patience + seconds(5));
  if (!answer) return std::unexpected(daemon_failure(answer.error(), context.options.vici));
  if (answer->get("success") != "yes") {
    return std::unexpected(why_not(*client, context, name, *answer, since));
  }
  return done_text(context, name, "up", fmt::format("{} is up", text_of(name)));
}

Outcome conn_rekey(const Context& context) {
  auto client = vici::Client::connect(context.options.vici);
  if (!client) return std::unexpected(daemon_failure(client.error(), context.options.vici));
  const Name name = name_of(context);
  if (const auto known = rows_of(*client, context, name); !known) return std::unexpected(known.error());
  const seconds patience(context.invocation.number("--timeout", kWait));
  const auto answer = client->request("rekey", command_for(name, patience), patience + seconds(5));
  if (!answer) return std::unexpected(daemon_failure(answer.error(), context.options.vici));
  if (answer->get("success") != "yes" || answer->get("code") == "timeout") {
    const bool late = answer->get("code") == "timeout";
    return std::unexpected(Failure{Exit::refused, late ? "timeout" : "refused",
                                   fmt::format("{} is not rekeyed: {}", text_of(name),
                                               late ? "no answer in time; it goes on" : answer->text("errmsg"))});
  }
  return done_text(context, name, "rekeyed", fmt::format("{} is rekeyed", text_of(name)));
}

Outcome conn_down(const Context& context) {
  auto client = vici::Client::connect(context.options.vici);
  if (!client) return std::unexpected(daemon_failure(client.error(), context.options.vici));
  const Name name = name_of(context);
  const auto known = rows_of(*client, context, name);
  if (!known) return std::unexpected(known.error());
  const seconds patience(context.invocation.number("--timeout", kWait));
  auto command = command_for(name, patience);
  if (context.invocation.has("--force")) command.set("force", "yes");
  const auto answer = client->request("terminate", command, patience + seconds(5));
  if (!answer) return std::unexpected(daemon_failure(answer.error(), context.options.vici));
  const std::string code = answer->text("code");
  const bool nothing_there = code == "not-found";
  if (answer->get("success") != "yes" && !nothing_there) {
    std::string text = fmt::format("{} is not down: {}", text_of(name), answer->text("errmsg"));
    if (code == "timeout") text += "; a peer that is gone for good is not waited for with `conn down NAME --force`";
    return std::unexpected(Failure{Exit::refused, code.empty() ? "refused" : code, std::move(text)});
  }
  return done_text(context, name, "down", text_of(name) + (nothing_there ? " was not up" : " is down"));
}

// Problems of the file are told as FILE:LINE:COLUMN, all of them at once.
Outcome conn_reload(const Context& context) {
  auto client = vici::Client::connect(context.options.vici);
  if (!client) return std::unexpected(daemon_failure(client.error(), context.options.vici));
  const bool dry = context.invocation.has("--dry-run");
  vici::Message command;
  if (dry) command.set("dry-run", "yes");
  const auto answer = client->request("espgate-reload", command, seconds(kWait));
  if (!answer) return std::unexpected(daemon_failure(answer.error(), context.options.vici));
  if (answer->get("success") != "yes") {
    const std::string all = fmt::format("{}", fmt::join(lines_of(*answer, "errors"), "\n"));
    return std::unexpected(Failure{Exit::refused, "config", "the file is not taken, nothing is changed:\n" + all});
  }
  const auto warnings = lines_of(*answer, "warnings");
  if (context.options.json) {
    return report::json_text({{"result", dry ? "valid" : "reloaded"}, {"warnings", warnings}}, context.options.pretty);
  }
  for (const auto& line : warnings) note("warning: " + line);
  return std::string(dry ? "the configuration is valid\n" : "the configuration is reloaded\n");
}

}  // namespace espgate::tools
