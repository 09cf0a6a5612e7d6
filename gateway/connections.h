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
  bool start = false, call_when_closed = false, call_when_silent = false;  // as configured
  bool unwanted = false;                                                   // the operator took it down
  bool keep_up = false;                                                    // what fails is tried again
  std::uint32_t attempts = 0;                                              // since it was last up
  std::optional<LastError> last_error;
  std::optional<base::Instant> next_try_at;
  std::set<base::ChildId> live;
};

class Connections {
 public:
  using Key = std::pair<std::string, std::string>;  // conn, child

  // Takes the new configuration; what is known of children that stay is kept. Those with start_action = start and not
  // up are due at once.
  void load(base::Instant now, const ike::Config& config);

  void on_event(base::Instant now, const ike::Event& event);
  // The operator's word: `up` forgets a former `down`; `down` stops retries. An empty child means all of the conn.
  void operator_up(const std::string& conn, const std::string& child);
  void operator_down(const std::string& conn, const std::string& child);
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

  std::map<Key, ChildStatus> children_;
};

std::string_view to_string(ChildStatus::State state);  // "down", "connecting", "up"

// 5 s after the first failure, doubling, at most a minute.
base::Duration retry_delay(std::uint32_t attempts);

}  // namespace espgate::gateway
