// SPDX-License-Identifier: Apache-2.0
// What each configured child is up to, why it is down, and when it is tried again: `conn show` and the retries of
// start_action, close_action and dpd_action = start. Pure: time and events come in.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "ike/api.h"
#include "ike/config.h"

namespace espgate::gateway {

struct LastError {
  base::Instant at;
  ike::Failure failure;
};

struct ChildStatus {
  enum class State : std::uint8_t { down, connecting, up };
  State state = State::down;
  bool start = false;                             // as configured
  ike::StartAction when_closed{}, when_silent{};  // as configured
  bool trap = false;                              // as configured: packets bring it up
  bool fell_back = false;                         // to a trap: by close_action, dpd_action, or the operator's word
  bool unwanted = false;                          // the operator took it down
  bool keep_up = false;                           // what fails is tried again
  std::uint32_t attempts = 0;                     // since it was last up
  std::optional<LastError> last_error;
  std::optional<base::Instant> changed_at;  // came up, went down, or was rekeyed
  std::optional<base::Instant> next_try_at;
  std::optional<base::Instant> not_before;      // a packet does not bring it up again sooner
  std::optional<ike::Initiate::Packet> packet;  // that asks for it
  std::set<base::ChildId> live;
  std::set<base::ChildId> healing;  // of those: rekeyed, since the kernel lost their SAs

  [[nodiscard]] bool trapped() const { return trap || fell_back; }
};

class Connections {
 public:
  using Key = std::pair<std::string, std::string>;  // conn, child

  // Takes the new configuration; what is known of children that stay is kept. Those with start_action = start and not
  // up are due at once, and what the operator took down is wanted again: all, or, if `fresh` names connections, those
  // of these and whoever is new.
  void load(base::Instant now, const ike::Config& config, const std::set<std::string>* fresh = nullptr);

  void on_event(base::Instant now, const ike::Event& event);
  // A former self had it up, and it is.
  void resumed(const Key& key, base::ChildId child);
  // The operator's word: `up` forgets a former `down`; `down` stops retries. An empty child means all of the conn.
  void operator_up(const std::string& conn, const std::string& child);
  void operator_down(const std::string& conn, const std::string& child);
  // A packet met the child's trap. It is due at once, or when a failure is old enough; one that is up, or on its way,
  // needs nothing. True: it was not due before.
  bool on_acquire(base::Instant now, const Key& key, ike::Initiate::Packet packet);
  // The kernel has lost SAs of this generation. True: it is to be rekeyed; false: it is being already, or not ours.
  bool heal(const Key& key, base::ChildId child);
  [[nodiscard]] bool healing() const;  // any child
  // The operator's trap, or its end. False: there is no such child, or its trap is configured.
  bool operator_trap(const Key& key, bool on);
  // Traps beyond the configuration that came or went since the last call.
  std::vector<std::pair<Key, bool>> take_trap_changes();
  // An initiation that could not even begin (no route, no address).
  void on_failure(base::Instant now, const Key& key, ike::Failure failure);

  // Children to initiate now; each counts as an attempt.
  std::vector<Key> take_due(base::Instant now);
  [[nodiscard]] std::optional<base::Instant> next_due() const;
  [[nodiscard]] const std::map<Key, ChildStatus>& children() const { return children_; }

 private:
  template <class F>
  void each(const std::string& conn, const std::string& child, F&& apply);
  void failed(base::Instant now, ChildStatus& status, const ike::Failure& failure);

  void fall_back(const Key& key, ChildStatus& status, bool on);

  std::map<Key, ChildStatus> children_;
  std::vector<std::pair<Key, bool>> trap_changes_;
};

std::string_view to_string(const ChildStatus& status);  // "down", "trapped", "connecting", "up"

// 5 s after the first failure, doubling, at most a minute.
base::Duration retry_delay(std::uint32_t attempts);

}  // namespace espgate::gateway
