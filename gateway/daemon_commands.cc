// SPDX-License-Identifier: Apache-2.0
// What the control socket may ask of the daemon.
#include <algorithm>
#include <memory>

#include "gateway/clock.h"
#include "gateway/daemon.h"
#include "gateway/devices.h"
#include "gateway/log.h"

namespace espgate::gateway {

namespace {
std::optional<base::Instant> deadline(const std::optional<std::chrono::milliseconds>& timeout) {
  if (!timeout) return std::nullopt;
  return now() + std::max<base::Duration>(*timeout, base::Duration::zero());
}

control::Outcome failed(ike::Reason reason, std::string text) {
  control::Outcome out;
  out.failure = ike::Failure{reason, "command", std::move(text), ""};
  return out;
}

// Several children started by one command: done when the last one is, with the first failure.
struct Together {
  std::size_t open = 0;
  control::Outcome outcome;
  control::Done done;
  void one(const control::Outcome& part) {
    if (part.failure && !outcome.failure) outcome.failure = part.failure;
    outcome.timed_out = outcome.timed_out || part.timed_out;
    outcome.matched += part.matched;
    if (--open == 0 && done) done(outcome);
  }
};

control::Origin origin_of(const control::Configuration& config, const std::string& conn, const std::string& child) {
  for (const auto& origin : config.origins) {
    if (origin.name != conn) continue;
    const auto at = origin.children.find(child);
    return at != origin.children.end() ? at->second : origin.at;
  }
  return {};
}

// When the first of the certificates that we show for a connection, or of their issuers, runs out.
std::optional<std::int64_t> certificate_expiry(const control::Configuration& config, const std::string& name) {
  std::optional<std::int64_t> first;
  const auto sooner = [&](const ike::crypto::Certificate& cert) {
    if (!first || cert.not_after() < *first) first = cert.not_after();
  };
  for (const auto& conn : config.ike->conns) {
    if (conn->name != name) continue;
    for (const auto& credential : conn->local.credentials) {
      sooner(credential.cert);
      for (const auto& issuer : credential.chain) sooner(issuer);
    }
  }
  return first;
}

std::string quoted_name(const std::string& conn, const std::string& child) {
  if (conn.empty()) return "\"" + child + "\"";
  return "\"" + (child.empty() ? conn : conn + "/" + child) + "\"";
}
}  // namespace

std::string Daemon::version() const { return ESPGATE_VERSION; }
base::Instant Daemon::now() const { return gateway::now(); }
std::int64_t Daemon::epoch_now() const { return epoch_seconds(gateway::now()); }

std::vector<control::ConnStatus> Daemon::conn_status() const {
  std::vector<control::ConnStatus> out;
  for (const auto& [key, child] : connections_.children()) {
    control::ConnStatus status;
    status.conn = key.first;
    status.child = key.second;
    status.state = to_string(child);
    status.standing = child.trapped();
    status.attempts = child.attempts;
    if (child.next_try_at) status.next_try_at = epoch_seconds(*child.next_try_at);
    if (child.changed_at) status.changed_at = epoch_seconds(*child.changed_at);
    status.cert_expires_at = certificate_expiry(config_, key.first);
    if (child.last_error) {
      status.last_error = control::LastError{epoch_seconds(child.last_error->at), child.last_error->failure};
    }
    status.origin = origin_of(config_, key.first, key.second);
    out.push_back(std::move(status));
  }
  for (const auto& child : config_.plan.children) {
    if (child.treatment == sad::Treatment::protect) continue;
    control::ConnStatus status;
    status.conn = child.conn;
    status.child = child.child;
    status.state = !child.trap ? "down" : child.treatment == sad::Treatment::pass ? "pass" : "drop";
    status.standing = child.trap;
    status.origin = origin_of(config_, child.conn, child.child);
    out.push_back(std::move(status));
  }
  return out;
}

control::DaemonStats Daemon::stats() const {
  control::DaemonStats out;
  out.started_at = started_at_;
  out.workers = 1;
  out.ike_sas = ike_up_;
  out.half_open = half_open_;
  out.rejected = rejected_;
  out.tally = tally_;
  out.config_taken = config_taken_;
  out.config_read_at = config_read_at_;
  out.counters = counters();
  for (const auto& [device, slots] : kernel_.slots()) out.moves[device] = {slots.promoted, slots.demoted};
  return out;
}

void Daemon::list(std::function<void(std::vector<ike::IkeView>)> done) {
  const auto id = pending_.next_id();
  pending_.add_list(id, std::move(done));
  post(ike::List{id});
}

void Daemon::initiate(const control::InitiateRequest& request, control::LogLine log, control::Done done) {
  std::vector<Key> keys;
  for (const auto& [key, status] : connections_.children()) {
    const bool conn_fits = request.conn.empty() || key.first == request.conn;
    if (conn_fits && (request.child.empty() || key.second == request.child)) keys.push_back(key);
  }
  if (keys.empty() || (request.conn.empty() && request.child.empty())) {
    return done(failed(ike::Reason::not_found, "no child is called " + quoted_name(request.conn, request.child) +
                                                   " in the configuration; `espgate conn show` lists what there is"));
  }
  auto together = std::make_shared<Together>();
  together->open = keys.size();
  together->done = std::move(done);
  for (const auto& key : keys) {
    const auto id = pending_.next_id();
    pending_.add(
        id, key.first, log, [together](const control::Outcome& part) { together->one(part); },
        deadline(request.timeout));
    connections_.operator_up(key.first, key.second);
    if (auto failure = begin(key, id)) {
      log_warn(printable(key.first + "/" + key.second + ": cannot start: " + failure->text, 1024));
      connections_.on_failure(gateway::now(), key, *failure);
      pending_.on_done({id, *failure, 0});
    }
  }
  arm_timer();
}

void Daemon::terminate(const control::TerminateRequest& request, control::LogLine log, control::Done done) {
  if (request.conn.empty() && request.child.empty() && !request.ike && !request.child_id) {
    return done(failed(ike::Reason::not_found, "nothing was named to be terminated"));
  }
  for (const auto& [key, status] : connections_.children()) {
    const bool conn_fits = request.conn.empty() || key.first == request.conn;
    const bool named = !request.conn.empty() || !request.child.empty();
    if (named && conn_fits && (request.child.empty() || key.second == request.child)) {
      connections_.operator_down(key.first, key.second);
    }
  }
  const auto id = pending_.next_id();
  pending_.add(id, request.conn, std::move(log), std::move(done), deadline(request.timeout));
  post(ike::Terminate{id, request.conn, request.child, request.ike, request.child_id, request.force});
  arm_timer();
}

void Daemon::rekey(const control::RekeyRequest& request, control::Done done) {
  const auto id = pending_.next_id();
  pending_.add(id, request.conn, nullptr, std::move(done), deadline(request.timeout));
  post(ike::Rekey{id, request.conn, request.child, request.ike, request.child_id});
  arm_timer();
}

std::optional<std::string> Daemon::trap(const std::string& conn, const std::string& child, bool on) {
  std::optional<Key> found;
  for (const auto& planned : config_.plan.children) {
    if (planned.child != child || (!conn.empty() && planned.conn != conn)) continue;
    if (planned.trap) {
      if (on) return std::nullopt;
      return quoted_name(conn, child) + " is trapped by its start_action: change that, then `espgate conn reload`";
    }
    if (planned.treatment != sad::Treatment::protect) {
      return quoted_name(conn, child) + " passes or drops traffic with start_action = trap only";
    }
    found = Key{planned.conn, planned.child};
  }
  if (found && !on && !connections_.children().at(*found).trapped()) {
    return "policy " + quoted_name(conn, child) + " not found: there is no trap";
  }
  if (!found || !connections_.operator_trap(*found, on)) return "no child is called " + quoted_name(conn, child);
  settle_traps();
  return std::nullopt;
}

std::expected<std::string, std::string> Daemon::log_level(const std::string& subsystem, const std::string& level,
                                                          const std::string& conn,
                                                          std::optional<std::chrono::seconds> span) {
  auto set = gateway::log_level(gateway::now(), subsystem, level, conn, span);
  if (set) log_info("log: " + printable(*set));
  return set;
}

std::optional<control::ChildCounters> Daemon::counters(base::ChildId child) const { return kernel_.counters(child); }

}  // namespace espgate::gateway
