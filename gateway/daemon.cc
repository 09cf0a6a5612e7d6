// SPDX-License-Identifier: Apache-2.0
#include "gateway/daemon.h"

#include <systemd/sd-daemon.h>

#include <asio/post.hpp>
#include <chrono>
#include <csignal>
#include <utility>

#include "control/vici/commands.h"
#include "gateway/clock.h"
#include "gateway/devices.h"
#include "gateway/endpoints.h"
#include "gateway/event_text.h"

namespace espgate::gateway {

namespace {
// Peers get this long to answer the deletes of a clean stop.
constexpr auto kStopPatience = std::chrono::seconds(5);
constexpr auto kReloadEvery = std::chrono::seconds(1);

// systemd 253 and newer wait for a reload that was said to begin (Type=notify-reload).
void tell_reloading() {
  const auto since_boot = std::chrono::steady_clock::now().time_since_epoch();  // CLOCK_MONOTONIC
  const auto microseconds = std::chrono::duration_cast<std::chrono::microseconds>(since_boot).count();
  sd_notify(0, ("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(microseconds)).c_str());
}
}  // namespace

Daemon::Daemon(Options options, Parts parts)
    : options_(std::move(options)),
      signals_(io_, SIGTERM, SIGINT, SIGHUP),
      timer_(io_),
      stop_timer_(io_),
      loaded_timer_(io_),
      watch_timer_(io_),
      events_(std::move(parts.events)),
      links_(std::move(parts.links)),
      device_timer_(io_),
      steer_timer_(io_),
      guard_timer_(io_),
      kernel_(std::move(parts.kernel), std::move(*parts.loader), std::move(*parts.routes),
              [this](ike::ChildAnswer answer) {
                // If the queue is full the engine's own patience with the kernel ends the exchange.
                if (engine_ && !engine_->post(std::move(answer))) {
                  log_error_limited("queue", "engine queue full: an answer is lost");
                }
              }),
      shield_(io_, kernel_.loader(),
              [this](ike::CookieSecrets secrets) { post(ike::SetCookieSecrets{std::move(secrets)}); }),
      devices_(device_means()),
      healing_(io_, {[this] {
                       // The policies that a device held go with its SAs, and no event says so.
                       kernel_.check_policies(gateway::now());
                       return kernel_.lost();
                     },
                     [this](const LostChild& lost, const std::string& why) { heal(lost, why); },
                     [this](const std::string& device) { return uses(device); }, [this] { attach(); },
                     [this](std::uint32_t ifindex, const std::string& name) {
                       kernel_.renamed(gateway::now(), ifindex, name);
                     },
                     [this] {
                       attach();
                       post(ike::PathUp{});
                     }}),
      reroute_(io_, [this] { follow_routes(); }),
      clocks_(io_,
              [this] {
                if (events_) healing_.check("the machine slept");
                post(ike::PathUp{});
              }),
      reload_timer_(io_),
      watchdog_(io_, {[this] { engine_->ask(); }, [this] { return std::vector{engine_->answers()}; },
                      [] { sd_notify(0, "WATCHDOG=1"); },
                      [](std::size_t engine) {
                        log_error("IKE engine " + std::to_string(engine) +
                                  " does not answer: systemd is not told that all is well");
                      }}),
      sockets_(std::move(parts.sockets)) {
  read_store(std::move(parts.config));
}

Daemon::~Daemon() {
  log_tap({});
  if (events_ready_) (void)events_ready_->release();  // its owner is the event socket
}

base::Result<void> Daemon::start() {
  control::vici::add_commands(vici_, *this);
  vici_.before_each([this](std::string_view command) {
    const bool loads = command.starts_with("load-") || command.starts_with("unload-") || command.starts_with("get-");
    if (!loads) settle_loaded();
  });
  auto listener = ViciListener::open(io_, options_.vici, vici_);
  if (!listener) return std::unexpected(listener.error());
  listener_ = std::move(*listener);
  watch_log();
  auto children = open_state();
  std::vector<ike::KeptChild> named;  // the keys are for sad/ alone
  for (const auto& child : children) {
    auto& one = named.emplace_back(ike::KeptChild{child.was, child.announced, {}});
    one.spec.id = child.spec.id;
    one.spec.conn = child.spec.conn;
    one.spec.child = child.spec.child;
  }
  if (auto restored = kernel_.restore(gateway::now(), std::move(children), config_.plan); !restored) return restored;

  EngineThread::Options engine_options;
  engine_options.half_open_limit = config_.gateway.half_open_limit;
  engine_options.state = state_.get();
  engine_options.wake_main = [this] { asio::post(io_, [this] { take_engine_output(); }); };
  engine_ = std::make_unique<EngineThread>(std::move(engine_options), std::move(sockets_));
  started_at_ = epoch_now();
  config_read_at_ = started_at_;
  kernel_.on_place([this](const std::string& device, const base::EspSuite& suite, xfrm::OffloadKind mode) {
    return devices_.distrusted(device, suite, mode);
  });
  kernel_.on_packet_mode([this](const std::string& device) { return devices_.packet_mode(device); });
  kernel_.on_verdict([this](const sad::DeviceVerdict& verdict) { devices_.learn(verdict, epoch_now()); });
  devices_.begin(gateway::now(), config_, kernel_.routes());
  shield_.begin();
  apply();
  go_on(named);
  engine_->begin();
  if (events_) {
    events_ready_.emplace(io_, events_->fd());
    wait_for_kernel();
  }
  if (links_) {
    healing_.watch(std::move(*links_));
    if (auto routes = xfrm::RouteEvents::make()) {
      reroute_.watch(std::move(*routes));
    } else {
      log_warn(routes.error().text());
    }
  }
  arm_watch();
  clocks_.begin();
  return {};
}

int Daemon::run() {
  wait_for_signal();
  sd_notify(0, "READY=1");
  if (const auto patience = watchdog_patience()) watchdog_.start(*patience);
  log_info("espgated " + version() + " is up: " + std::to_string(config_.ike->conns.size()) + " connections");
  io_.run();
  engine_.reset();
  if (closed_ && state_) state_->remove();
  sd_notify(0, "STOPPING=1");
  log_info("espgated is down");
  return status_;
}

void Daemon::apply() {
  const auto now = gateway::now();
  attach();
  shield_.configure(config_);
  kernel_.steer(config_.gateway.steer);
  kernel_.plan(now, config_.plan);  // the floor stands before the engine may send anything
  order_suites();
  if (!engine_->post(ike::Command(ike::Load{config_.ike}))) log_error("engine queue full: configuration not taken");
  connections_.load(now, *config_.ike);
  settle_traps();
  arm_timer();
  arm_devices();
  arm_steering();
}

void Daemon::take_engine_output() {
  for (auto& output : engine_->take_output()) {
    std::visit([this](auto&& value) { take(std::forward<decltype(value)>(value)); }, std::move(output));
  }
  arm_timer();
}

// Probes keep out of the way of each of these.
void Daemon::take(ike::InstallChild&& install) {
  devices_.disturbed(gateway::now());
  kernel_.install(gateway::now(), std::move(install));
}
void Daemon::take(ike::AddInbound&& add) {
  devices_.disturbed(gateway::now());
  kernel_.add_inbound(gateway::now(), std::move(add));
  watch_waiting();
}
void Daemon::take(ike::SwitchOutbound&& order) {
  devices_.disturbed(gateway::now());
  kernel_.switch_outbound(gateway::now(), order);
}
void Daemon::take(ike::RetireSa&& order) { kernel_.retire(gateway::now(), order); }
void Daemon::take(ike::RemoveChild&& remove) { kernel_.remove(gateway::now(), remove); }

void Daemon::take(ike::Event&& event) {
  using Kind = ike::Event::Kind;
  if (event.kind == Kind::ike_up || event.kind == Kind::ike_resumed) ++ike_up_;
  if (event.kind == Kind::ike_down && ike_up_ > 0) --ike_up_;
  if (event.kind == Kind::child_rekeyed) ++child_rekeys_;
  if (event.kind == Kind::ike_rekeyed && event.view) {
    ++(event.view->initiator ? ike_rekeys_begun_ : ike_rekeys_answered_);
  }
  write_log(event);
  connections_.on_event(gateway::now(), event);
  settle_traps();
  raise(event);
}

void Daemon::raise(const ike::Event& event) {
  const auto name = control::vici::event_name(event);
  if (!name || !vici_.anybody_wants(*name)) return;
  if (auto told = control::vici::event_message(event, *this)) vici_.raise(told->name, told->message);
}

void Daemon::write_log(const ike::Event& event) {
  auto line = describe(event);
  logged_ = &event;
  const auto done = std::unique_ptr<const ike::Event*, void (*)(const ike::Event**)>(
      &logged_, [](const ike::Event** at) { *at = nullptr; });
  if (!event.conn.empty()) pending_.progress(event.conn, line.text);
  if (line.limited) {
    const auto verdict = limiter_.ask(gateway::now(), line.key);
    if (!verdict.write) return;
    if (verdict.held_back > 0) line.text += " (" + std::to_string(verdict.held_back) + " like it held back)";
  }
  switch (line.severity) {
    case Severity::debug:
      log_debug(line.text, Subsystem::ike);
      break;
    case Severity::info:
      log_info(line.text, Subsystem::ike);
      break;
    case Severity::warning:
      log_warn(line.text, Subsystem::ike);
      break;
  }
}

void Daemon::take(ike::CommandDone&& done) { pending_.on_done(done); }
void Daemon::take(ike::ListResult&& result) {
  half_open_ = result.half_open;
  rejected_ = std::move(result.rejected);
  tally_ = result.tally;
  pending_.on_list(std::move(result));
}

std::optional<ike::Failure> Daemon::begin(const Key& key, ike::RequestId id) {
  devices_.disturbed(gateway::now());
  for (const auto& conn : config_.ike->conns) {
    if (conn->name != key.first) continue;
    auto ends = choose_endpoints(*conn, kernel_.routes());
    if (!ends) return ends.error();
    if (auto refused = refused_beforehand(*conn, key, *ends)) return refused;
    const auto& child = connections_.children().at(key);
    post(ike::Initiate{id, key.first, key.second, ends->local, ends->remote, child.packet});
    return std::nullopt;
  }
  return ike::Failure{ike::Reason::not_found, "start", "no connection is called " + key.first, ""};
}

void Daemon::post(ike::Command command) {
  if (!engine_->post(std::move(command))) log_error_limited("queue", "engine queue full: a command is lost");
}

// ------------------------------------------------------------------------------------------------- time

void Daemon::arm_timer() {
  auto due = connections_.next_due();
  if (auto expiry = pending_.next_expiry(); expiry && (!due || *expiry < *due)) due = expiry;
  if (!due || stopping_) {
    timer_.cancel();
    return;
  }
  timer_.expires_at(std::chrono::time_point_cast<std::chrono::steady_clock::duration>(*due));
  timer_.async_wait([this](std::error_code error) {
    if (!error) on_timer();
  });
}

void Daemon::on_timer() {
  const auto now = gateway::now();
  for (const auto& key : connections_.take_due(now)) {
    if (auto failure = begin(key, pending_.next_id())) {
      log_warn(key.first + "/" + key.second + ": cannot start: " + failure->text);
      connections_.on_failure(now, key, *failure);
    }
  }
  pending_.expire(now);
  arm_timer();
}

// --------------------------------------------------------------------------------------------- the kernel

void Daemon::wait_for_signal() {
  signals_.async_wait([this](std::error_code error, int signal) {
    if (error) return;
    on_signal(signal);
    wait_for_signal();
  });
}

void Daemon::on_signal(int signal) {
  if (signal == SIGHUP) return reload_soon();
  if (stopping_) {
    log_warn("second signal: not waiting for the peers any more");
    stopped();
    return;
  }
  shut_down();
}

// Once a second at most: of many signals the last is heeded, those between are not.
void Daemon::reload_soon() {
  if (reload_waits_ || stopping_) return;
  const auto due = std::max(gateway::now(), reloaded_at_ + kReloadEvery);
  reload_waits_ = true;
  reload_timer_.expires_at(std::chrono::time_point_cast<std::chrono::steady_clock::duration>(due));
  reload_timer_.async_wait([this](std::error_code error) {
    if (error || stopping_) return;
    reload_waits_ = false;
    reloaded_at_ = gateway::now();
    tell_reloading();
    const auto report = reload(false);
    sd_notify(0, "READY=1");
    for (const auto& problem : report.errors) log_error("reload: " + printable(problem.text()));
    if (report.ok()) log_info("configuration reloaded");
  });
}

void Daemon::shut_down() {
  stopping_ = true;
  clocks_.stop();
  reload_timer_.cancel();
  healing_.stop();
  reroute_.stop();
  timer_.cancel();
  loaded_timer_.cancel();
  device_timer_.cancel();
  steer_timer_.cancel();
  guard_timer_.cancel();
  if (config_.gateway.on_stop == control::OnStop::keep) {
    log_info("stopping; SAs and policies stay in the kernel (on_stop = keep)");
    shield_.stop();
    io_.stop();
    return;
  }
  log_info("stopping: closing all SAs");
  const auto id = pending_.next_id();
  pending_.add(id, "", nullptr, [this](const control::Outcome&) { stopped(); }, std::nullopt);
  post(ike::Shutdown{id});
  stop_timer_.expires_after(kStopPatience);
  stop_timer_.async_wait([this](std::error_code error) {
    if (error) return;
    log_warn("some peers did not answer in time");
    stopped();
  });
}

void Daemon::stopped() {
  // RemoveChild actions that came with the answer are carried out by stop() below: it knows every SA that is ours.
  closed_ = true;
  shield_.stop();
  kernel_.stop(gateway::now());
  io_.stop();
}

}  // namespace espgate::gateway
