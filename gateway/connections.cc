// SPDX-License-Identifier: Apache-2.0
#include "gateway/connections.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace espgate::gateway {

std::string_view to_string(const ChildStatus& status) {
  switch (status.state) {
    case ChildStatus::State::down:
      return status.trapped() ? "trapped" : "down";
    case ChildStatus::State::connecting:
      return "connecting";
    case ChildStatus::State::up:
      return "up";
  }
  return "?";
}

base::Duration retry_delay(std::uint32_t attempts) {
  constexpr std::uint32_t kMostDoublings = 4;
  const auto seconds = std::chrono::seconds(5) * (1U << std::min(attempts > 0 ? attempts - 1 : 0, kMostDoublings));
  return std::min<base::Duration>(seconds, std::chrono::minutes(1));
}

void Connections::load(base::Instant now, const ike::Config& config, const std::set<std::string>* fresh) {
  std::map<Key, ChildStatus> next;
  for (const auto& conn : config.conns) {
    for (const auto& child : conn->children) {
      const Key key{conn->name, child.name};
      auto known = children_.find(key);
      auto& status = next[key];
      const bool begins = known == children_.end() || fresh == nullptr || fresh->contains(conn->name);
      if (known != children_.end()) status = std::move(known->second);
      status.start = ike::starts(child.start_action);
      status.trap = ike::traps(child.start_action);
      status.when_closed = child.close_action;
      status.when_silent = child.dpd_action;
      if (status.trap) status.fell_back = false;  // the plan says so from now on
      if (!begins) continue;
      status.unwanted = false;
      status.keep_up = status.start;
      if (!status.keep_up) status.next_try_at.reset();
      if (status.keep_up && status.state == ChildStatus::State::down) status.next_try_at = now;
    }
  }
  children_ = std::move(next);
}

void Connections::fall_back(const Key& key, ChildStatus& status, bool on) {
  if (status.trap || status.fell_back == on) return;
  status.fell_back = on;
  trap_changes_.emplace_back(key, on);
}

std::vector<std::pair<Connections::Key, bool>> Connections::take_trap_changes() {
  return std::exchange(trap_changes_, {});
}

bool Connections::healing() const {
  return std::ranges::any_of(children_, [](const auto& entry) { return !entry.second.healing.empty(); });
}

bool Connections::operator_trap(const Key& key, bool on) {
  const auto found = children_.find(key);
  if (found == children_.end() || found->second.trap) return false;
  fall_back(key, found->second, on);
  return true;
}

bool Connections::on_acquire(base::Instant now, const Key& key, ike::Initiate::Packet packet) {
  const auto found = children_.find(key);
  if (found == children_.end() || found->second.state != ChildStatus::State::down) return false;
  auto& status = found->second;
  status.packet = packet;
  const auto at = std::max(now, status.not_before.value_or(now));
  if (status.next_try_at && *status.next_try_at <= at) return false;
  status.next_try_at = at;
  return true;
}

bool Connections::heal(const Key& key, base::ChildId child) {
  const auto found = children_.find(key);
  return found != children_.end() && found->second.live.contains(child) && found->second.healing.insert(child).second;
}

template <class F>
void Connections::each(const std::string& conn, const std::string& child, F&& apply) {
  for (auto it = children_.lower_bound({conn, child}); it != children_.end() && it->first.first == conn; ++it) {
    if (!child.empty() && it->first.second != child) break;
    apply(it->second);
  }
}

void Connections::failed(base::Instant now, ChildStatus& status, const ike::Failure& failure) {
  status.last_error = LastError{now, failure};
  if (!status.live.empty()) return;
  status.state = ChildStatus::State::down;
  status.packet.reset();
  status.not_before = now + retry_delay(status.attempts);
  if (status.keep_up) status.next_try_at = now + retry_delay(status.attempts);
}

void Connections::on_failure(base::Instant now, const Key& key, ike::Failure failure) {
  each(key.first, key.second, [&](ChildStatus& status) { failed(now, status, failure); });
}

void Connections::on_event(base::Instant now, const ike::Event& event) {
  using Kind = ike::Event::Kind;
  switch (event.kind) {
    case Kind::child_up:
      each(event.conn, event.child, [&](ChildStatus& status) {
        status.state = ChildStatus::State::up;
        status.attempts = 0;
        status.next_try_at.reset();
        status.not_before.reset();
        status.packet.reset();
        status.live.insert(event.child_id);
        status.changed_at = now;
      });
      break;
    case Kind::child_down:
      each(event.conn, event.child, [&](ChildStatus& status) {
        status.changed_at = now;
        status.live.erase(event.child_id);
        status.healing.erase(event.child_id);
        if (!status.live.empty()) return;
        status.state = ChildStatus::State::down;
        if (!event.failure) return;
        // Closed by request of either side is no error; a peer that vanished, or could not be rekeyed with, is one, and
        // is tried again.
        const bool silent = event.failure->code == ike::Reason::timeout || event.failure->code == ike::Reason::expired;
        const bool closed = event.failure->code == ike::Reason::peer_deleted;
        if (silent && status.keep_up) return failed(now, status, *event.failure);
        status.last_error = LastError{now, *event.failure};
        // At once the first time; what then fails is retried as any other.
        if (status.unwanted) return;
        const auto then = silent ? status.when_silent : closed ? status.when_closed : ike::StartAction::none;
        if (ike::traps(then)) fall_back({event.conn, event.child}, status, true);
        if (ike::starts(then)) {
          status.keep_up = true;
          status.next_try_at = now;
        }
      });
      break;
    case Kind::child_rekeyed:
      each(event.conn, event.child, [&](ChildStatus& status) {
        status.live.erase(event.former_child);
        status.healing.erase(event.former_child);
        status.live.insert(event.child_id);
        status.last_error.reset();
        status.changed_at = now;
      });
      break;
    case Kind::rekey_failed:
      each(event.conn, event.child, [&](ChildStatus& status) {
        status.healing.erase(event.child_id);
        if (event.failure) status.last_error = LastError{now, *event.failure};
      });
      break;
    case Kind::child_failed:
      each(event.conn, event.child, [&](ChildStatus& status) {
        if (event.failure) failed(now, status, *event.failure);
      });
      break;
    case Kind::ike_failed:
      each(event.conn, event.child, [&](ChildStatus& status) {
        if (!event.failure || status.state == ChildStatus::State::up) return;
        // A child that is down did not ask: the peer did. Its operator wants to know why, its next try stays as it is.
        if (status.state == ChildStatus::State::connecting) return failed(now, status, *event.failure);
        status.last_error = LastError{now, *event.failure};
      });
      break;
    case Kind::peer_moved:
    case Kind::peer_refused:
      each(event.conn, event.child, [&](ChildStatus& status) {
        if (event.failure) status.last_error = LastError{now, *event.failure};
      });
      break;
    case Kind::ike_connecting:
    case Kind::ike_up:
    case Kind::ike_down:
    case Kind::ike_resumed:
    case Kind::ike_rekeyed:
    case Kind::dropped:
      break;
  }
}

void Connections::resumed(const Key& key, base::ChildId child) {
  const auto found = children_.find(key);
  if (found == children_.end()) return;
  found->second.state = ChildStatus::State::up;
  found->second.next_try_at.reset();
  found->second.live.insert(child);
}

void Connections::operator_up(const std::string& conn, const std::string& child) {
  each(conn, child, [&](ChildStatus& status) {
    status.unwanted = false;
    status.keep_up = status.keep_up || status.start;
    if (status.state != ChildStatus::State::down) return;
    status.state = ChildStatus::State::connecting;
    ++status.attempts;
    status.next_try_at.reset();
  });
}

void Connections::operator_down(const std::string& conn, const std::string& child) {
  each(conn, child, [](ChildStatus& status) {
    status.unwanted = true;
    status.keep_up = false;
    status.next_try_at.reset();
  });
}

std::vector<Connections::Key> Connections::take_due(base::Instant now) {
  std::vector<Key> out;
  for (auto& [key, status] : children_) {
    if (!status.next_try_at || *status.next_try_at > now) continue;
    status.next_try_at.reset();
    status.state = ChildStatus::State::connecting;
    ++status.attempts;
    out.push_back(key);
  }
  return out;
}

std::optional<base::Instant> Connections::next_due() const {
  std::optional<base::Instant> out;
  for (const auto& [key, status] : children_) {
    if (status.next_try_at && (!out || *status.next_try_at < *out)) out = status.next_try_at;
  }
  return out;
}

}  // namespace espgate::gateway
