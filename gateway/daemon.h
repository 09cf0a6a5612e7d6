// SPDX-License-Identifier: Apache-2.0
// The main thread: moves values between the engine, sad/, the control socket and the log.
#pragma once

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "control/vici/daemon.h"
#include "control/vici/server.h"
#include "gateway/clock_watch.h"
#include "gateway/connections.h"
#include "gateway/device_side.h"
#include "gateway/endpoints.h"
#include "gateway/engine_thread.h"
#include "gateway/healing.h"
#include "gateway/kernel_side.h"
#include "gateway/log.h"
#include "gateway/options.h"
#include "gateway/pending.h"
#include "gateway/remembered.h"
#include "gateway/reroute.h"
#include "gateway/shield.h"
#include "gateway/state_store.h"
#include "gateway/vici_listener.h"
#include "gateway/watchdog.h"

namespace espgate::gateway {

class Daemon final : public control::Daemon {
 public:
  // What has to be there before anything starts; made by start.h, which explains what is missing.
  struct Parts {
    control::Configuration config;
    std::unique_ptr<xfrm::Kernel> kernel;
    std::optional<loader::Loader> loader;
    std::optional<xfrm::RouteTable> routes;
    std::vector<UdpSocket> sockets;
    std::optional<xfrm::EventSocket> events;  // of the kernel; none with --kernel null
    std::optional<xfrm::LinkSocket> links;
  };

  Daemon(Options options, Parts parts);
  ~Daemon() override;

  // Opens the control socket, tidies up after a former self, brings the configuration up. Errors end the start.
  base::Result<void> start();
  // Until a signal ends it; the exit status.
  int run();

  // control::Daemon
  [[nodiscard]] std::string version() const override;
  [[nodiscard]] base::Instant now() const override;
  [[nodiscard]] std::int64_t epoch_now() const override;
  [[nodiscard]] const control::Configuration& config() const override { return config_; }
  [[nodiscard]] std::vector<control::ConnStatus> conn_status() const override;
  [[nodiscard]] control::DaemonStats stats() const override;
  void list(std::function<void(std::vector<ike::IkeView>)> done) override;
  void later(std::function<void()> next) override;
  void initiate(const control::InitiateRequest& request, control::LogLine log, control::Done done) override;
  void terminate(const control::TerminateRequest& request, control::LogLine log, control::Done done) override;
  void rekey(const control::RekeyRequest& request, control::Done done) override;
  std::optional<std::string> trap(const std::string& conn, const std::string& child, bool on) override;
  std::expected<std::string, std::string> log_level(const std::string& subsystem, const std::string& level,
                                                    const std::string& conn,
                                                    std::optional<std::chrono::seconds> span) override;
  control::Report reload(bool dry_run) override;
  [[nodiscard]] std::optional<control::ChildCounters> counters(base::ChildId child) const override;
  [[nodiscard]] control::Store& store() override { return store_; }
  void stored(const std::string& what, const control::Report& report) override;
  void credentials_changed() override;
  void remember(std::string_view command, const std::string& name, const control::vici::Message& request) override;
  void forget(std::string_view command, const std::optional<std::string>& name) override;
  [[nodiscard]] std::vector<control::DeviceReport> devices() const override;
  std::expected<std::size_t, std::string> forgive(const std::string& device, const std::string& suite) override;

 private:
  using Key = Connections::Key;
  void apply();  // config_ to engine, sad/, devices and retries
  void apply_loaded();
  void look_at_devices();
  // daemon_loading.cc
  void read_store(control::Configuration file);
  void watch_log();
  [[nodiscard]] std::vector<std::pair<std::string_view, std::uint64_t>> counters() const;
  void settle_loaded();
  void arm_loaded();
  void take_engine_output();
  void take(ike::InstallChild&& install);
  void take(ike::AddInbound&& add);
  void take(ike::SwitchOutbound&& order);
  void take(ike::RetireSa&& order);
  void take(ike::RemoveChild&& remove);
  void wait_for_kernel();
  void watch_waiting();
  void take(const xfrm::Notification& event);
  void acquired(const xfrm::Notification& event);
  void heal(const LostChild& lost, const std::string& why);
  void follow_routes();
  // Whether anything of ours goes, or should go, by this device.
  [[nodiscard]] bool uses(const std::string& device);
  void attach();  // the BPF programs to the devices they belong on now
  void settle_traps();
  void raise(const ike::Event& event);
  void take(ike::Event&& event);
  void take(ike::CommandDone&& done);
  void take(ike::ListResult&& result);
  void write_log(const ike::Event& event);
  [[nodiscard]] std::optional<Key> find(const std::string& conn, const std::string& child) const;
  std::optional<ike::Failure> begin(const Key& key, ike::RequestId id);
  // A child that must be offloaded, by a device that takes none of its suites: the peer need not be asked.
  std::optional<ike::Failure> refused_beforehand(const ike::ConnConfig& conn, const Key& key, const Endpoints& ends);
  void post(ike::Command command);
  void arm_timer();
  void on_timer();
  // daemon_devices.cc
  DeviceSide::Means device_means();
  bool order_suites();  // true: config_ has another order now
  void arm_devices();
  void on_devices();
  void arm_steering();
  void move_children();
  // daemon_watch.cc
  void arm_watch();
  void obey(sad::TrySoftware&& order);
  void obey(sad::BackToHardware&& order);
  void obey(sad::CallOff&& order);
  void obey(sad::Convict&& order);
  void obey(sad::Again&& order);
  void obey(sad::WatchSays&& order);
  void rekey_watched(base::ChildId child);
  // resume.cc
  std::vector<ike::KeptChild> open_state();
  ike::Record load_again();
  void commit(const ike::Record& record);
  void go_on(const std::vector<ike::KeptChild>& children);
  void wait_for_signal();
  void on_signal(int signal);
  void reload_soon();
  void shut_down();
  void stopped();

  Options options_;
  control::Store store_;
  control::Configuration config_;
  asio::io_context io_{1};
  asio::signal_set signals_;
  asio::steady_timer timer_;
  asio::steady_timer stop_timer_;
  asio::steady_timer loaded_timer_;
  asio::steady_timer watch_timer_;  // while an outbound SA waits for its peer
  std::optional<xfrm::EventSocket> events_;
  std::optional<xfrm::LinkSocket> links_;  // until healing_ takes it
  std::optional<asio::posix::stream_descriptor> events_ready_;
  asio::steady_timer device_timer_;
  asio::steady_timer steer_timer_;
  asio::steady_timer guard_timer_;  // of the watch
  KernelSide kernel_;
  ShieldSide shield_;
  DeviceSide devices_;
  Healing healing_;
  Reroute reroute_;
  ClockWatch clocks_;
  asio::steady_timer reload_timer_;
  base::Instant reloaded_at_{};
  bool reload_waits_ = false;
  base::Instant floor_due_{};                      // when it is tried again, if the kernel refused any of it
  std::map<base::ChildId, std::string> followed_;  // rekeyed for its route to that device
  Watchdog watchdog_;
  Connections connections_;
  PendingCommands pending_;
  LogLimiter limiter_;
  control::vici::Server vici_;
  std::unique_ptr<ViciListener> listener_;
  std::vector<UdpSocket> sockets_;                // until the engine takes them
  std::unique_ptr<StateStore> state_;             // outlives the engine; none: SAs do not outlive this process
  std::vector<ike::Record::Entry> former_state_;  // until the engine has it
  Remembered remembered_;
  std::unique_ptr<EngineThread> engine_;
  std::map<std::string, std::optional<std::uint32_t>> attached_to_;  // that they belong on, and the index of each
  std::pair<control::ShieldMode, loader::XdpWish> attached_for_{};
  std::int64_t started_at_ = 0;
  std::uint64_t ike_up_ = 0;
  std::uint64_t half_open_ = 0;                    // as of the last ListResult
  std::map<ike::Reason, std::uint64_t> rejected_;  // likewise
  ike::Tally tally_;                               // likewise
  bool config_taken_ = true;                       // the last time it was read
  std::int64_t config_read_at_ = 0;                // epoch seconds
  std::uint64_t ike_rekeys_begun_ = 0, ike_rekeys_answered_ = 0, child_rekeys_ = 0;
  const ike::Event* logged_ = nullptr;    // that the line being written is about
  std::atomic<unsigned> log_waiting_{0};  // lines on their way to clients
  bool stopping_ = false;
  bool closed_ = false;  // nothing is left for a process after this one
  bool watching_ = false;
  bool credentials_wait_ = false;  // for loaded_timer_, each
  bool devices_wait_ = false;
  std::uint64_t applied_ = 0;  // version of store_
  int status_ = 0;
};

}  // namespace espgate::gateway
