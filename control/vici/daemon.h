// SPDX-License-Identifier: Apache-2.0
// What vici's commands need of the daemon; gateway/ implements it. All calls are made on the main thread; callbacks are
// called there too, at once or later, exactly once unless said otherwise.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "control/config/model.h"
#include "control/config/store.h"
#include "control/offload/device_report.h"
#include "ike/api.h"

namespace espgate::control {

namespace vici {
class Message;
}

struct InitiateRequest {
  std::string conn, child;                           // conn may be empty: the child of that name wherever it is
  std::optional<std::chrono::milliseconds> timeout;  // none: as long as it takes; 0 or less: do not wait
};
struct TerminateRequest {
  std::string conn, child;
  std::optional<base::IkeId> ike;
  std::optional<base::ChildId> child_id;
  bool force = false;
  std::optional<std::chrono::milliseconds> timeout;
};
struct RekeyRequest {
  std::string conn, child;
  std::optional<base::IkeId> ike;
  std::optional<base::ChildId> child_id;
  std::optional<std::chrono::milliseconds> timeout;
};
// How a command ended.
struct Outcome {
  std::optional<ike::Failure> failure;  // none: done
  bool timed_out = false;               // it goes on, but nobody waits any more
  std::uint32_t matched = 0;            // terminate, rekey: SAs that matched
};

// One line of progress for `swanctl --initiate` and `espgate conn up`; any number of times before `done`.
using LogLine = std::function<void(const std::string& group, std::uint32_t level, const std::string& text)>;
using Done = std::function<void(const Outcome&)>;

// What GETSA, the ledger and the BPF maps know of one child; 0 or empty where unknown.
struct DirectionCounters {
  std::uint64_t hw_packets = 0, hw_bytes = 0, sw_packets = 0, sw_bytes = 0;
  std::optional<std::uint64_t> idle_seconds;  // since the last packet
  bool exact = false;
};
struct ChildCounters {
  DirectionCounters in, out;
  std::uint32_t reqid = 0;
};

struct LastError {
  std::int64_t at = 0;  // epoch seconds
  ike::Failure failure;
};
// What a configured connection (child empty) or child is doing.
struct ConnStatus {
  std::string conn, child;
  std::string state;      // "down", "trapped", "connecting", "up"; of what passes or drops traffic: "pass", "drop"
  bool standing = false;  // a trap, or the policies of what passes or drops traffic, whatever the state
  Origin origin;
  std::optional<LastError> last_error;
  std::optional<std::int64_t> next_try_at;  // epoch seconds
  std::uint32_t attempts = 0;               // since it was last up
  std::optional<std::int64_t> changed_at;   // epoch seconds: came up, went down, was rekeyed; none: not since the start
  std::optional<std::int64_t>
      cert_expires_at;  // epoch seconds: the first of our certificates for it; none: no certificate
};

struct DaemonStats {
  std::int64_t started_at = 0;  // epoch seconds
  std::uint32_t workers = 0;    // IKE engines
  std::uint64_t queued = 0;     // datagrams waiting for an engine
  std::uint64_t ike_sas = 0, half_open = 0;
  std::map<ike::Reason, std::uint64_t> rejected;  // since the start: datagrams and requests that got nowhere
  struct Moves {
    std::uint64_t promoted = 0, demoted = 0;
  };
  // Messages and rekeys since the start, by strongSwan's names of its counters, in its order.
  std::vector<std::pair<std::string_view, std::uint64_t>> counters;
  std::map<std::string, Moves> moves;  // by device, since the start: children moved to hardware, and to software
  ike::Tally tally{};                  // since the start; as fresh as `rejected`
  // The last time the configuration was read: whether it was taken, and when (epoch seconds).
  bool config_taken = true;
  std::int64_t config_read_at = 0;
};

class Daemon {
 public:
  virtual ~Daemon() = default;

  [[nodiscard]] virtual std::string version() const = 0;
  [[nodiscard]] virtual base::Instant now() const = 0;       // the clock of IkeView's times
  [[nodiscard]] virtual std::int64_t epoch_now() const = 0;  // the same moment, in epoch seconds
  [[nodiscard]] virtual const Configuration& config() const = 0;
  [[nodiscard]] virtual std::vector<ConnStatus> conn_status() const = 0;
  // What the engine counts is as fresh as the last list().
  [[nodiscard]] virtual DaemonStats stats() const = 0;

  virtual void list(std::function<void(std::vector<ike::IkeView>)> done) = 0;
  // Calls `next` when what else waits has had its turn.
  virtual void later(std::function<void()> next) = 0;
  virtual void initiate(const InitiateRequest& request, LogLine log, Done done) = 0;
  virtual void terminate(const TerminateRequest& request, LogLine log, Done done) = 0;
  virtual void rekey(const RekeyRequest& request, Done done) = 0;
  // A trap beyond the configuration, or its end; why not, if it cannot be.
  virtual std::optional<std::string> trap(const std::string& conn, const std::string& child, bool on) {
    (void)conn, (void)child, (void)on;
    return "traps are not supported here";
  }
  // What is logged from now on, for `span` or for good: a sentence of what holds now, or what is wrong.
  virtual std::expected<std::string, std::string> log_level(const std::string& subsystem, const std::string& level,
                                                            const std::string& conn,
                                                            std::optional<std::chrono::seconds> span) {
    (void)subsystem, (void)level, (void)conn, (void)span;
    return std::unexpected("the level of the log cannot be changed here");
  }
  // Reads the configuration anew; it is taken whole or not at all. `dry_run`: only reports.
  virtual Report reload(bool dry_run) = 0;

  // What the file holds and what was loaded over vici beside it.
  [[nodiscard]] virtual Store& store() = 0;
  // It holds something else: `what` ("connection site-a") was loaded or unloaded, or, with errors in the report,
  // refused. config() follows at once.
  virtual void stored(const std::string& what, const Report& report) = 0;
  // Certificates, keys or secrets of it have changed. config() follows soon, and before a command that is none of
  // these.
  virtual void credentials_changed() = 0;

  // `request`, whose command is `command`, was taken, and stands in for an earlier one of that `name` (load_again.h);
  // to be kept for a process after this one. Said before the client is told.
  virtual void remember(std::string_view command, const std::string& name, const vici::Message& request) {
    (void)command, (void)name, (void)request;
  }
  // What was loaded by that command under that name was unloaded; nullopt: all that was loaded by it.
  virtual void forget(std::string_view command, const std::optional<std::string>& name) { (void)command, (void)name; }

  // What is known of the devices that connections leave by.
  [[nodiscard]] virtual std::vector<DeviceReport> devices() const { return {}; }
  // Drops what is known of a device, or of one suite on it; how many answers went, or a sentence why not.
  virtual std::expected<std::size_t, std::string> forgive(const std::string& device, const std::string& suite) {
    (void)suite;
    return std::unexpected("nothing is known of " + device);
  }

  // Packets and bytes of a child, if accounting runs.
  [[nodiscard]] virtual std::optional<ChildCounters> counters(base::ChildId) const { return std::nullopt; }
};

}  // namespace espgate::control
