// SPDX-License-Identifier: Apache-2.0
// Commands that only ask.
#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <map>
#include <set>

#include "control/vici/command_parts.h"

namespace espgate::control::vici {
namespace {

using Answer = std::shared_ptr<Reply>;

Message version_message(const Daemon& daemon) {
  utsname system{};
  Message out;
  out.set("daemon", "espgated").set("version", daemon.version());
  if (::uname(&system) == 0) {
    out.set("sysname", system.sysname).set("release", system.release).set("machine", system.machine);
  }
  return out;
}

std::string date_of(std::int64_t epoch) {
  const auto when = static_cast<std::time_t>(epoch);
  std::tm parts{};
  std::array<char, 64> text{};
  if (!::localtime_r(&when, &parts)) return {};
  return {text.data(), std::strftime(text.data(), text.size(), "%b %d %H:%M:%S %Y", &parts)};
}

std::string span_of(std::int64_t seconds) {
  if (seconds < 120) return fmt::format("{} seconds", seconds);
  if (seconds < 7200) return fmt::format("{} minutes", seconds / 60);
  if (seconds < 172800) return fmt::format("{} hours", seconds / 3600);
  return fmt::format("{} days", seconds / 86400);
}

Message stats_message(const Daemon& daemon) {
  const auto stats = daemon.stats();
  Message out;
  auto& uptime = out.open("uptime");
  uptime.set("running", span_of(daemon.epoch_now() - stats.started_at)).set("since", date_of(stats.started_at));
  const auto by_priority = [](Message& message, std::uint64_t medium) {
    for (const auto* priority : {"critical", "high", "medium", "low"}) {
      message.number(priority, priority == std::string_view("medium") ? medium : 0);
    }
  };
  auto& workers = out.open("workers");
  workers.number("total", stats.workers).number("idle", stats.queued > 0 ? 0 : stats.workers);
  by_priority(workers.open("active"), stats.queued > 0 ? stats.workers : 0);
  by_priority(out.open("queues"), stats.queued);
  out.number("scheduled", 0);
  out.open("ikesas").number("total", stats.ike_sas).number("half-open", stats.half_open);
  auto& moves = out.open("moves");  // not strongSwan's
  for (const auto& [device, count] : stats.moves) {
    moves.open(device).number("promote", count.promoted).number("demote", count.demoted);
  }
  auto& config = out.open("config");  // not strongSwan's
  config.set("taken", stats.config_taken).set("read-at", std::to_string(stats.config_read_at));
  auto& exchanges = out.open("exchanges");  // not strongSwan's
  for (std::size_t e = 0; e < ike::kExchanges.size(); ++e) {
    auto& roles = exchanges.open(ike::kExchanges[e]);
    for (std::size_t r = 0; r < ike::kRoles.size(); ++r) {
      auto& endings = roles.open(ike::kRoles[r]);
      for (std::size_t i = 0; i < ike::kEndings.size(); ++i) {
        endings.number(ike::kEndings[i], stats.tally.ended[e][r][i]);
      }
    }
  }
  out.number("retransmits", stats.tally.retransmits);
  auto& rejected = out.open("rejected");  // not strongSwan's
  for (const auto& [reason, count] : stats.rejected) rejected.number(ike::code(reason), count);
  return out.list("plugins", {});
}

void list_conns(const Daemon& daemon, const Message& request, const Answer& reply) {
  const auto wanted = request.text("ike");
  std::map<std::string_view, const ike::ConnConfig*> speaking;
  for (const auto& conn : daemon.config().ike->conns) speaking.emplace(conn->name, conn.get());
  for (const auto& origin : daemon.config().origins) {
    if (!wanted.empty() && origin.name != wanted) continue;
    const auto found = speaking.find(origin.name);
    const auto* conn = found != speaking.end() ? found->second : origin.silent.get();
    if (conn != nullptr) reply->event("list-conn", conn_message(*conn, origin));
  }
  reply->finish({});
}

// Traps and shunts, as `swanctl --list-pols` shows them; what a child's SAs need is not told. Without `trap`, `pass` or
// `drop` in the request all are meant.
void list_policies(const Daemon& daemon, const Message& request, const Answer& reply) {
  using enum sad::Treatment;
  const auto asked = [&](const char* key) { return request.text(key) == "yes"; };
  const bool all = !asked("trap") && !asked("pass") && !asked("drop");
  std::set<std::pair<std::string, std::string>> standing;
  for (const auto& status : daemon.conn_status()) {
    if (status.standing) standing.emplace(status.conn, status.child);
  }
  const auto fits = [&](std::string_view key, const std::string& name) {
    const auto wanted = request.text(key);
    return wanted.empty() || wanted == name;
  };
  for (const auto& child : daemon.config().plan.children) {
    const auto* kind = child.treatment == pass ? "pass" : child.treatment == drop ? "drop" : "trap";
    if (!(all || asked(kind)) || !standing.contains({child.conn, child.child})) continue;
    if (!fits("ike", child.conn) || !fits("child", child.child)) continue;
    const auto* mode = child.treatment == pass                 ? "PASS"
                       : child.treatment == drop               ? "DROP"
                       : child.mode == base::SaMode::transport ? "TRANSPORT"
                                                               : "TUNNEL";
    Message body;
    body.set("child", child.child).set("ike", child.conn).set("mode", mode);
    body.list("local-ts", selector_texts(child.local_ts)).list("remote-ts", selector_texts(child.remote_ts));
    reply->event("list-policy", Message().section(child.conn + "/" + child.child, std::move(body)));
  }
  reply->finish({});
}

void espgate_conns(const Daemon& daemon, const Answer& reply) {
  Entries entries(reply, "espgate-conn", "conns");
  for (const auto& status : daemon.conn_status()) {
    entries.add(status.child.empty() ? status.conn : fmt::format("{}/{}", status.conn, status.child),
                status_message(status));
  }
  entries.finish();
}

Message algorithms() {
  Message out;
  const auto group = [&](std::string_view name, std::initializer_list<const char*> all) {
    auto& section = out.open(name);
    for (const auto* one : all) section.set(one, "openssl");
  };
  group("encryption", {"AES_CBC"});
  group("integrity", {"HMAC_SHA2_256_128", "HMAC_SHA2_384_192", "HMAC_SHA2_512_256"});
  group("aead", {"AES_GCM_16", "CHACHA20_POLY1305"});
  group("prf", {"PRF_HMAC_SHA2_256", "PRF_HMAC_SHA2_384", "PRF_HMAC_SHA2_512"});
  group("dh", {"CURVE_25519", "CURVE_448", "ECP_256", "ECP_384", "ECP_521", "MODP_2048", "MODP_3072", "MODP_4096"});
  return out;
}

}  // namespace

void add_queries(Server& server, Daemon& daemon) {
  const auto ask = [&](std::string name, std::function<Message()> answer) {
    server.on(std::move(name), [answer](const Message&, const Answer& reply) { reply->finish(answer()); });
  };
  ask("version", [&daemon] { return version_message(daemon); });
  server.on("stats", [&daemon](const Message&, const Answer& reply) {
    daemon.list([&daemon, reply](const std::vector<ike::IkeView>&) { reply->finish(stats_message(daemon)); });
  });
  ask("get-algorithms", algorithms);
  server.on("list-conns",
            [&daemon](const Message& request, const Answer& reply) { list_conns(daemon, request, reply); });
  server.on("list-policies",
            [&daemon](const Message& request, const Answer& reply) { list_policies(daemon, request, reply); });
  server.on("espgate-conns", [&daemon](const Message&, const Answer& reply) { espgate_conns(daemon, reply); });
}

}  // namespace espgate::control::vici
