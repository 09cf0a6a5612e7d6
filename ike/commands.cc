// SPDX-License-Identifier: Apache-2.0
#include "ike/commands.h"

#include <fmt/core.h>

#include <algorithm>
#include <ranges>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "ike/resume.h"
#include "ike/task/exchange.h"
#include "ike/task/generation.h"
#include "ike/task/informational.h"
#include "ike/task/init.h"
#include "ike/task/lifetime.h"
#include "ike/task/nat_path.h"
#include "ike/task/rekey_child.h"
#include "ike/task/rekey_ike.h"
#include "ike/task/teardown.h"

namespace espgate::ike {

namespace {

std::shared_ptr<const ConnConfig> find_conn(const Config& config, const std::string& name) {
  auto it = std::ranges::find(config.conns, name, [](const auto& conn) { return conn->name; });
  return it == config.conns.end() ? nullptr : *it;
}

// ------------------------------------------------------------------------------------------------- Initiate

std::shared_ptr<const ChildConfig> find_child(const std::shared_ptr<const ConnConfig>& conn, const std::string& name) {
  for (const auto& child : conn->children) {
    if (name.empty() || child.name == name) return {conn, &child};
  }
  return nullptr;
}

// An IKE SA of this connection to this peer that the child can go to; not one that is about to end.
IkeSa* find_usable(Context& ctx, const ConnConfig& conn, const base::Endpoint& remote) {
  for (auto& [spi, sa] : ctx.sas()) {
    if (!sa->conn || sa->conn->name != conn.name || sa->remote.address != remote.address) continue;
    if (sa->usable() || sa->state == State::init_sent) return sa.get();
    if (sa->state == State::auth_sent && sa->setup && sa->outgoing &&
        (std::holds_alternative<DoAuth>(sa->outgoing->what) ||
         std::holds_alternative<DoIntermediate>(sa->outgoing->what))) {
      return sa.get();
    }
  }
  return nullptr;
}

ChildOffer* offer_of(Operation& operation) {
  if (auto* auth = std::get_if<DoAuth>(&operation)) return auth->offer ? &*auth->offer : nullptr;
  if (auto* create = std::get_if<DoCreateChild>(&operation)) return &create->offer;
  return nullptr;
}

// Joins a child of that name that is up or on its way; false if there is none.
bool join(Context& ctx, IkeSa& sa, const std::string& child, RequestId id) {
  if (auto* there = sa.child_named(child)) {
    if (there->state == ChildState::installed) {
      ctx.done(id);
    } else {
      there->initiates.push_back(id);
    }
    return true;
  }
  auto joins = [&](Operation& operation) {
    auto* offer = offer_of(operation);
    if (offer == nullptr || offer->config->name != child) return false;
    offer->initiates.push_back(id);
    return true;
  };
  if (sa.outgoing && joins(sa.outgoing->what)) return true;
  return std::ranges::any_of(sa.queue, joins);
}

void initiate(Context& ctx, Initiate command) {
  const auto refuse = [&](Reason code, std::string text) {
    ctx.done(command.id, Failure{code, "initiate", std::move(text), {}});
  };
  if (ctx.shutting_down) return refuse(Reason::shutdown, "shutting down");
  const auto conn = find_conn(*ctx.config, command.conn);
  if (!conn) return refuse(Reason::not_found, fmt::format("there is no connection '{}'", command.conn));
  auto child = find_child(conn, command.child);
  if (!child) {
    return refuse(Reason::not_found, command.child.empty()
                                         ? fmt::format("{} has no child", conn->name)
                                         : fmt::format("{} has no child '{}'", conn->name, command.child));
  }
  auto* sa = find_usable(ctx, *conn, command.remote);
  if (sa != nullptr && join(ctx, *sa, child->name, command.id)) return;
  DoCreateChild create;
  create.offer.config = std::move(child);
  create.offer.initiates.push_back(command.id);
  create.offer.packet = command.packet;
  if (sa != nullptr) {
    sa->queue.emplace_back(std::move(create));
    ctx.touch(*sa);
    return run_queue(ctx, *sa);
  }
  auto& fresh = ctx.create(true, {}, command.local, command.remote);
  fresh.conn = conn;
  fresh.natt = command.local.port == ctx.options.natt_port || command.remote.port == 4500;
  fresh.queue.emplace_back(std::move(create));
  ctx.event(Event::Kind::ike_connecting, fresh);
  start_init(ctx, fresh);
}

// ------------------------------------------------------------------------------------------------- Terminate

// SAs that a rekey is about to take away follow the one that stays.
bool counts(const IkeSa& sa) { return sa.state != State::closed && sa.state != State::rekeyed && !sa.spare; }

template <class T>
bool fits(const T& what, const IkeSa& sa) {
  if (!counts(sa)) return false;
  if (what.ike && *what.ike != sa.id) return false;
  return what.conn.empty() || what.conn == sa.conn_name();
}

template <class T>
bool fits(const T& what, const Child& child) {
  if (child.state == ChildState::retired) return false;
  if (what.child_id && *what.child_id != child.id) return false;
  return what.child.empty() || what.child == child.config->name;
}

// Says DELETE once, if the window allows, and does not wait for the answer.
void say_delete(Context& ctx, IkeSa& sa, Operation what) {
  if (sa.state != State::established || sa.outgoing) return;
  start_informational(ctx, sa, std::move(what));
}

void terminate_ike(Context& ctx, IkeSa& sa, const Failure& why, bool force) {
  if (!force) return start_close(ctx, sa, why);
  say_delete(ctx, sa, DoDeleteIke{why});
  if (sa.state != State::closed) close(ctx, sa, why, Linger::no);
}

void terminate_child(Context& ctx, IkeSa& sa, base::ChildId id, const Failure& why, bool force) {
  auto& child = sa.children.at(id);
  if (child.state == ChildState::deleting && !force) return;
  if (sa.state != State::established) return;  // goes with its IKE SA
  const DoDeleteChild what{child.spi_in, id, why.code};
  // A child whose reply is held is not known to the peer yet: it is withdrawn by the install's own way out.
  if (force || child.state == ChildState::installing) {
    sa.queue.emplace_back(DoDeleteChild{child.spi_in, {}, why.code, false, protocol_of(child.suite)});
    if (sa.held && !sa.held->switching && sa.held->child == id) {
      auto payloads = std::move(sa.held->before);
      payloads.emplace_back(wire::notify(wire::NotifyType::no_proposal_chosen));
      sa.queue.pop_back();
      send_response(ctx, sa, sa.held->exchange, payloads);
    }
    remove_child(ctx, sa, id, why);
  } else {
    child.state = ChildState::deleting;
    child.rekey_at.reset();
    sa.queue.emplace_back(what);
  }
  ctx.touch(sa);
  run_queue(ctx, sa);
}

void terminate(Context& ctx, const Terminate& command) {
  const Failure why{Reason::closed_by_operator, "terminate", "closed by the operator", {}};
  if (command.conn.empty() && command.child.empty() && !command.ike && !command.child_id) {
    return ctx.done(command.id, Failure{Reason::not_found, "terminate", "nothing was named to be closed", {}});
  }
  const bool children_only = !command.child.empty() || command.child_id;
  Context::Closing closing;
  std::vector<std::pair<IkeSa*, base::ChildId>> targets;
  for (auto& [spi, sa] : ctx.sas()) {
    if (!fits(command, *sa)) continue;
    if (!children_only) {
      closing.ikes.insert(sa->id);
      targets.emplace_back(sa.get(), base::ChildId{});
      continue;
    }
    // The newest generation first: the peer would take the DELETE of an older one for the end of a rekey.
    for (const auto& [id, child] : std::views::reverse(sa->children)) {
      if (!fits(command, child)) continue;
      closing.children.insert(id);
      targets.emplace_back(sa.get(), id);
    }
  }
  if (targets.empty()) {
    return ctx.done(command.id, Failure{Reason::not_found, "terminate", "no SA matches", {}});
  }
  closing.matched = static_cast<std::uint32_t>(targets.size());
  ctx.wait_for(command.id, std::move(closing));
  for (auto& [sa, child] : targets) {
    if (!children_only) {
      terminate_ike(ctx, *sa, why, command.force);
    } else if (sa->children.contains(child)) {
      terminate_child(ctx, *sa, child, why, command.force);
    }
  }
}

// ------------------------------------------------------------------------------------------------- Rekey

void rekey(Context& ctx, const Rekey& command) {
  const auto refuse = [&](std::string text) {
    ctx.done(command.id, Failure{Reason::not_found, "rekey", std::move(text), {}});
  };
  if (command.conn.empty() && command.child.empty() && !command.ike && !command.child_id) {
    return refuse("nothing was named to be rekeyed");
  }
  const bool children = !command.child.empty() || command.child_id;
  std::vector<std::pair<IkeSa*, Child*>> targets;
  for (auto& [spi, sa] : ctx.sas()) {
    if (!fits(command, *sa) || !sa->usable()) continue;
    if (!children) targets.emplace_back(sa.get(), nullptr);
    for (auto& [id, child] : sa->children) {
      const bool ready =
          child.state == ChildState::installed && child.outbound == Outbound::active && sa->successor_of(id) == nullptr;
      if (children && ready && fits(command, child)) targets.emplace_back(sa.get(), &child);
    }
  }
  if (targets.empty()) return refuse("no SA matches");
  ctx.in_parts(command.id, static_cast<std::uint32_t>(targets.size()));
  for (auto& [sa, child] : targets) {
    if (child == nullptr) {
      queue_ike_rekey(ctx, *sa, {command.id});
    } else {
      queue_rekey(ctx, *sa, *child, {command.id});
    }
  }
  for (auto& [sa, child] : targets) run_queue(ctx, *sa);
}

void expired(Context& ctx, const Expired& command) {
  if (auto* sa = ctx.owner_of(command.child)) on_expired(ctx, *sa, command.child, command.hard);
}

void inbound_used(Context& ctx, const InboundUsed& command) {
  if (auto* sa = ctx.owner_of(command.child)) start_switch(ctx, *sa, sa->children.at(command.child));
}

void send_all_again(Context& ctx) {
  for (auto& [spi, sa] : ctx.sas()) {
    if (sa->outgoing) send_again(ctx, *sa);
  }
}

void moved(Context& ctx, const PeerMoved& command) {
  if (auto* sa = ctx.owner_of(command.child)) peer_moved(ctx, *sa, command.remote);
}

// ------------------------------------------------------------------------------------------------- the others

void load(Context& ctx, const Load& command) {
  if (!command.config) return;
  ctx.config = command.config;
  const Failure gone{Reason::config_removed, "load", "the connection is no longer configured", {}};
  std::unordered_map<std::string_view, const std::shared_ptr<const ConnConfig>*> by_name;
  for (const auto& conn : ctx.config->conns) by_name.emplace(conn->name, &conn);
  std::vector<IkeSa*> unwanted;
  for (auto& [spi, sa] : ctx.sas()) {
    if (!sa->conn || sa->state == State::closed || sa->state == State::rekeyed) continue;
    // Before IKE_AUTH is through an initiator goes on with what it offered.
    if (const auto conn = by_name.find(sa->conn->name); conn == by_name.end()) {
      unwanted.push_back(sa.get());
    } else if (sa->up() && sa->conn != *conn->second) {
      sa->conn = *conn->second;
      ctx.touch(*sa);  // dpd_delay may have changed
    }
  }
  for (auto* sa : unwanted) start_close(ctx, *sa, gone);
}

void list(Context& ctx, const List& command) {
  ListResult result{command.id, {}, ctx.rejected(), ctx.half_open(), ctx.tally};
  for (const auto& [spi, sa] : ctx.sas()) {
    if (counts(*sa) && sa->conn) result.ikes.push_back(view(*sa));
  }
  std::ranges::sort(result.ikes, {}, [](const IkeView& ike) { return ike.id; });
  ctx.emit(std::move(result));
}

void shutdown(Context& ctx, const Shutdown& command) {
  ctx.shutting_down = true;
  const Failure why{Reason::shutdown, "shutdown", "espgate is shutting down", {}};
  Context::Closing closing;
  std::vector<IkeSa*> all;
  for (auto& [spi, sa] : ctx.sas()) {
    if (counts(*sa)) all.push_back(sa.get());
  }
  for (auto* sa : all) closing.ikes.insert(sa->id);
  closing.matched = static_cast<std::uint32_t>(all.size());
  ctx.wait_for(command.id, std::move(closing));
  for (auto* sa : all) {
    start_close(ctx, *sa, why);
    if (sa->state == State::deleting) sa->close_deadline = ctx.now + ctx.options.shutdown_grace;
    ctx.touch(*sa);
  }
}

}  // namespace

void execute(Context& ctx, Command command) {
  if (auto* what = std::get_if<Initiate>(&command)) return initiate(ctx, std::move(*what));
  if (auto* what = std::get_if<Terminate>(&command)) return terminate(ctx, *what);
  if (auto* what = std::get_if<Load>(&command)) return load(ctx, *what);
  if (auto* what = std::get_if<List>(&command)) return list(ctx, *what);
  if (auto* what = std::get_if<Rekey>(&command)) return rekey(ctx, *what);
  if (auto* what = std::get_if<Expired>(&command)) return expired(ctx, *what);
  if (auto* what = std::get_if<InboundUsed>(&command)) return inbound_used(ctx, *what);
  if (auto* what = std::get_if<PeerMoved>(&command)) return moved(ctx, *what);
  if (auto* what = std::get_if<Resume>(&command)) return resume(ctx, std::move(*what));
  if (std::holds_alternative<PathUp>(command)) return send_all_again(ctx);
  if (auto* what = std::get_if<SetCookieSecrets>(&command)) return ctx.cookies.set(std::move(what->secrets));
  shutdown(ctx, std::get<Shutdown>(command));
}

}  // namespace espgate::ike
