// SPDX-License-Identifier: Apache-2.0
// Commands that wait for the engine's answer, each with whoever asked. A timeout stops the waiting, not the command.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "control/vici/daemon.h"
#include "ike/api.h"

namespace espgate::gateway {

class PendingCommands {
 public:
  ike::RequestId next_id() { return {++last_}; }

  void add(ike::RequestId id, std::string conn, control::LogLine log, control::Done done,
           std::optional<base::Instant> give_up_at);
  void add_list(ike::RequestId id, std::function<void(std::vector<ike::IkeView>)> done);

  void on_done(const ike::CommandDone& done);
  void on_list(ike::ListResult result);
  // A log line about a connection, to everybody who waits for it.
  void progress(const std::string& conn, const std::string& text);
  // Calls `done` of those whose time is up.
  void expire(base::Instant now);
  [[nodiscard]] std::optional<base::Instant> next_expiry() const;

 private:
  struct Waiting {
    std::string conn;
    control::LogLine log;
    control::Done done;
    std::optional<base::Instant> give_up_at;
  };
  std::uint64_t last_ = 0;
  std::map<ike::RequestId, Waiting> waiting_;
  std::map<ike::RequestId, std::function<void(std::vector<ike::IkeView>)>> lists_;
};

}  // namespace espgate::gateway
