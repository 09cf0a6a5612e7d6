// SPDX-License-Identifier: Apache-2.0
// Connections, authorities and pools over vici: load-conn, unload-conn and their like.
#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "control/vici/command_parts.h"
#include "control/vici/tree_of.h"

namespace espgate::control::vici {
namespace {

using Answer = std::shared_ptr<Reply>;

std::vector<std::string> sentences(const std::vector<Problem>& problems) {
  std::vector<std::string> out;
  for (const auto& problem : problems) out.push_back(problem.what);
  return out;
}

void answer(const Report& report, const Answer& reply) {
  Message out;
  out.set("success", report.ok());
  if (!report.ok()) {
    const auto more = report.errors.size() - 1;
    out.set("errmsg", report.errors.front().what + (more > 0 ? fmt::format(" (and {} more)", more) : ""));
    out.list("errors", sentences(report.errors));
  }
  if (!report.warnings.empty()) out.list("warnings", sentences(report.warnings));
  reply->finish(out);
}

// Of a request that holds one section, which is what is to be loaded.
std::unique_ptr<Section> only_section(const Message& request) {
  for (const auto& entry : request.entries()) {
    if (entry.kind == Message::Kind::section) return tree_of(entry.name, entry.section());
  }
  return nullptr;
}

// strongSwan's clients read no message with other names in it.
bool printable(const Section& section) {
  const auto plain = [](const std::string& name) {
    return !name.empty() && std::ranges::all_of(name, [](char c) { return c >= 0x20 && c < 0x7f; });
  };
  return plain(section.name) && std::ranges::all_of(section.values, plain, &Value::key) &&
         std::ranges::all_of(section.sections, [](const auto& sub) { return printable(*sub); });
}

using Load = Report (Store::*)(const Section&);
using Unload = Refusal (Store::*)(const std::string&);

void load(Daemon& daemon, const Message& request, Load how, const std::string& command, std::string_view kind,
          const Answer& reply) {
  const auto section = only_section(request);
  if (!section) return reply->fail(fmt::format("expected one section, of the name of the {}", kind));
  if (!printable(*section)) return reply->fail(fmt::format("a name in this {} is not printable ASCII", kind));
  const auto report = (daemon.store().*how)(*section);
  if (report.ok()) daemon.remember(command, section->name, request);
  daemon.stored(fmt::format("{} {}", kind, section->name), report);
  answer(report, reply);
}

void unload(Daemon& daemon, const Message& request, Unload how, const std::string& loaded_by, std::string_view kind,
            const Answer& reply) {
  const auto name = request.text("name");
  if (name.empty()) return reply->fail(fmt::format("missing name of the {} to unload", kind));
  if (auto why = (daemon.store().*how)(name)) return reply->fail(*why);
  daemon.forget(loaded_by, name);
  daemon.stored(fmt::format("{} {}", kind, name), {});
  reply->finish(Message().set("success", true));
}

void add(Server& server, Daemon& daemon, std::string_view suffix, std::string_view kind, Load how, Unload undo) {
  const auto command = fmt::format("load-{}", suffix);
  server.on(command, [&daemon, how, command, kind](const Message& request, const Answer& reply) {
    load(daemon, request, how, command, kind, reply);
  });
  server.on(fmt::format("unload-{}", suffix),
            [&daemon, undo, command, kind](const Message& request, const Answer& reply) {
              unload(daemon, request, undo, command, kind, reply);
            });
}

Message pool_message(const Pool& pool, bool leases) {
  Message out;
  out.set("base", pool.base.is_any() ? "%any" : pool.base.text()).number("size", pool.size);
  out.number("online", 0).number("offline", 0);
  if (leases) out.open("leases");
  return out;
}

// Those of the file, too.
void get_pools(const Daemon& daemon, const Message& request, const Answer& reply) {
  Message out;
  const auto wanted = request.text("name");
  for (const auto& pool : daemon.config().pools) {
    if (!wanted.empty() && pool.name != wanted) continue;
    out.section(pool.name, pool_message(pool, request.text("leases") == "yes"));
  }
  reply->finish(out);
}

void list_authorities(const Daemon& daemon, const Message& request, const Answer& reply) {
  const auto wanted = request.text("name");
  for (const auto& authority : daemon.config().authorities) {
    if (!wanted.empty() && authority.name != wanted) continue;
    Message body;
    if (authority.cert) body.set("cacert", authority.cert->subject().text());
    body.list("crl_uris", authority.crl_uris).list("ocsp_uris", authority.ocsp_uris);
    if (!authority.cert_uri_base.empty()) body.set("cert_uri_base", authority.cert_uri_base);
    reply->event("list-authority", Message().section(authority.name, std::move(body)));
  }
  reply->finish({});
}

}  // namespace

void add_loading(Server& server, Daemon& daemon) {
  add(server, daemon, "conn", "connection", &Store::load_conn, &Store::unload_conn);
  add(server, daemon, "authority", "authority", &Store::load_authority, &Store::unload_authority);
  add(server, daemon, "pool", "pool", &Store::load_pool, &Store::unload_pool);
  // What vici brought, and no more: stock swanctl unloads of these what its file does not have.
  server.on("get-conns", [&daemon](const Message&, const Answer& reply) {
    reply->finish(Message().list("conns", daemon.store().conns()));
  });
  server.on("get-authorities", [&daemon](const Message&, const Answer& reply) {
    reply->finish(Message().list("authorities", daemon.store().authorities()));
  });
  server.on("get-pools", [&daemon](const Message& request, const Answer& reply) { get_pools(daemon, request, reply); });
  server.on("list-authorities",
            [&daemon](const Message& request, const Answer& reply) { list_authorities(daemon, request, reply); });
}

}  // namespace espgate::control::vici
