// SPDX-License-Identifier: Apache-2.0
// The configuration at run time: the file anew, and what is loaded over vici beside it.
#include <asio/post.hpp>
#include <chrono>
#include <filesystem>
#include <thread>
#include <utility>

#include "control/vici/commands.h"
#include "gateway/clock.h"
#include "gateway/daemon.h"

namespace espgate::gateway {

namespace {
// Connections and certificates come in dozens: what is costly is done once they have.
constexpr auto kSettle = std::chrono::milliseconds(100);
constexpr std::size_t kLine = 1024;
}  // namespace

std::vector<std::pair<std::string_view, std::uint64_t>> Daemon::counters() const {
  const auto rejected = [this](ike::Reason reason) {
    const auto found = rejected_.find(reason);
    return found != rejected_.end() ? found->second : 0;
  };
  std::vector<std::pair<std::string_view, std::uint64_t>> out{
      {"ike-rekey-init", ike_rekeys_begun_},
      {"ike-rekey-resp", ike_rekeys_answered_},
      {"child-rekey", child_rekeys_},
      {"invalid", rejected(ike::Reason::malformed) + rejected(ike::Reason::bad_integrity)},
      {"invalid-spi", rejected(ike::Reason::unknown_spi)}};
  const auto messages = engine_->counts().all();
  out.insert(out.end(), messages.begin(), messages.end());
  return out;
}

void Daemon::later(std::function<void()> next) { asio::post(io_, std::move(next)); }

// Lines of other threads wait for the main one, so many of them and no more.
void Daemon::watch_log() {
  constexpr unsigned kMostWaiting = 1000;
  const auto main_thread = std::this_thread::get_id();
  log_tap([this, main_thread](unsigned level, std::string_view text) {
    if (log_waiting_.fetch_add(1) >= kMostWaiting) {
      --log_waiting_;
      return;
    }
    control::vici::LogEvent line{"DMN", level, {}, {}, std::string(text)};
    if (std::this_thread::get_id() == main_thread && logged_ != nullptr) {
      line.group = "IKE";
      line.conn = logged_->conn;
      line.ike = logged_->ike;
    }
    asio::post(io_, [this, line = std::move(line)] {
      --log_waiting_;
      if (vici_.anybody_wants("log")) vici_.raise("log", control::vici::log_message(line));
    });
  });
}

void Daemon::read_store(control::Configuration file) {
  const std::filesystem::path path = options_.config;
  const auto home = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  for (const auto& problem : store_.take_file(std::move(file), home).warnings) {
    log_warn(printable(problem.text(), kLine));
  }
  commit(remembered_.only_conns(store_.conns()));
  (void)store_.take_fresh();
  applied_ = store_.version();
  config_ = store_.compose(nullptr);
}

control::Report Daemon::reload(bool dry_run) {
  auto loaded = control::load_file(options_.config);
  if (!dry_run) {
    config_taken_ = loaded.config.has_value();
    config_read_at_ = epoch_now();
  }
  if (loaded.config && !dry_run) {
    read_store(std::move(*loaded.config));
    devices_.survey(gateway::now(), config_, kernel_.routes());
    apply();
  }
  return std::move(loaded.report);
}

void Daemon::stored(const std::string& what, const control::Report& report) {
  for (const auto& warning : report.warnings) log_warn(printable("vici: " + what + ": " + warning.what, kLine));
  for (const auto& error : report.errors) {
    log_warn(printable("vici: " + what + " is not loaded: " + error.what, kLine));
  }
  if (report.ok() && !stopping_ && store_.version() != applied_) apply_loaded();
}

// At once what others must not get ahead of: the floor, the engine, traps. What it means for devices is looked up when
// all that come together are here, and who starts by himself waits for it.
void Daemon::apply_loaded() {
  applied_ = store_.version();
  const auto fresh = store_.take_fresh();
  config_ = store_.compose(&config_);
  const auto now = gateway::now();
  kernel_.plan(now, config_.plan);
  post(ike::Load{config_.ike});
  connections_.load(now + 2 * kSettle, *config_.ike, &fresh);
  settle_traps();
  arm_timer();
  devices_wait_ = true;
  arm_loaded();
}

void Daemon::credentials_changed() {
  credentials_wait_ = devices_wait_ = true;  // those that are made anew have no order of suites yet
  arm_loaded();
}

void Daemon::arm_loaded() {
  if (stopping_ || loaded_timer_.expiry() > std::chrono::steady_clock::now()) return;
  loaded_timer_.expires_after(kSettle);
  loaded_timer_.async_wait([this](std::error_code error) {
    if (!error) settle_loaded();
  });
}

void Daemon::look_at_devices() {
  devices_.survey(gateway::now(), config_, kernel_.routes());
  attach();
  shield_.configure(config_);
  if (order_suites()) post(ike::Load{config_.ike});
  arm_devices();
}

// The engine judges by new credentials from the next IKE_AUTH on; nothing that is up is touched.
void Daemon::settle_loaded() {
  if (stopping_) return;
  if (std::exchange(credentials_wait_, false)) {
    config_ = store_.compose(&config_);
    post(ike::Load{config_.ike});
  }
  if (std::exchange(devices_wait_, false)) look_at_devices();
}

}  // namespace espgate::gateway
