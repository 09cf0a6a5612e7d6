// SPDX-License-Identifier: Apache-2.0
// Going on where a former espgated stopped or died: its records to the engine, its children to sad/.
#include <algorithm>
#include <string_view>
#include <utility>

#include "control/vici/load_again.h"
#include "gateway/daemon.h"

namespace espgate::gateway {

namespace {

constexpr std::size_t kLine = 1024;

// "unix:///run/espgate/espgated.vici" -> "/run/espgate/espgated.state"
std::string beside(std::string_view vici) {
  constexpr std::string_view kScheme = "unix://";
  constexpr std::string_view kSocket = ".vici";
  if (vici.starts_with(kScheme)) vici.remove_prefix(kScheme.size());
  if (vici.ends_with(kSocket)) vici.remove_suffix(kSocket.size());
  return std::string(vici) + ".state";
}

}  // namespace

std::vector<ike::KeptChild> Daemon::open_state() {
  auto opened = StateStore::open(options_.state.empty() ? beside(options_.vici) : options_.state);
  if (!opened) {
    log_warn(opened.error());
    return {};
  }
  state_ = std::move(opened->store);
  const auto refuse = [this](const std::string& why) {
    log_warn("the state that a former espgated left is not used, its SAs are negotiated anew: " + why);
    state_->clear();
  };
  if (!opened->refused.empty()) {
    refuse(opened->refused);
    return {};
  }
  former_state_ = state_->records();
  const auto loaded = load_again();
  auto children = ike::children_of(former_state_, *config_.ike);
  if (children) return std::move(*children);
  refuse(children.error());
  commit(loaded);
  former_state_.clear();
  return {};
}

// What a former espgated was given over vici is there before its IKE SAs are looked at, and before the floor is made.
ike::Record Daemon::load_again() {
  ike::Record kept;
  std::ranges::sort(former_state_, {}, &ike::Record::Entry::key);
  const auto first = std::ranges::find_if(former_state_, [](const auto& entry) { return entry.key != 0; });
  auto end = first;
  for (; end != former_state_.end() && Remembered::is_one(end->key); ++end) {
    const auto done = control::vici::load_again(store_, end->octets.view());
    if (done) {
      remembered_.take(end->key, *done);
      kept.entries.push_back(std::move(*end));
    } else {
      log_warn(printable("what a former espgated was given over vici is not loaded again: " + done.error(), kLine));
      ike::Record gone;
      gone.entries.push_back({end->key, {}});
      commit(gone);
    }
  }
  former_state_.erase(first, end);
  if (kept.entries.empty()) return kept;
  (void)store_.take_fresh();
  applied_ = store_.version();
  config_ = store_.compose(nullptr);
  log_info("loaded again what a former espgated was given over vici: " + std::to_string(store_.conns().size()) +
           " connections");
  return kept;
}

void Daemon::commit(const ike::Record& record) {
  if (!state_ || record.entries.empty()) return;
  if (auto kept = state_->commit(record); !kept) log_error_limited("record", kept.error().text());
}

void Daemon::remember(std::string_view command, const std::string& name, const control::vici::Message& request) {
  auto octets = control::vici::kept_octets(command, request);
  if (octets.empty()) return log_warn(std::string(command) + ": too large to outlive this process");
  commit(remembered_.set({std::string(command), name}, std::move(octets)));
}

void Daemon::forget(std::string_view command, const std::optional<std::string>& name) {
  commit(remembered_.forget(command, name));
}

// After the first Load, before the engine hears anybody.
void Daemon::go_on(const std::vector<ike::KeptChild>& children) {
  if (former_state_.empty()) return;
  const auto& kept = kernel_.kept();
  const auto lost =
      std::ranges::count_if(kept, [](const auto& entry) { return entry.second.state == ike::Kept::State::lost; });
  for (const auto& child : children) {
    if (child.announced) connections_.resumed({child.spec.conn, child.spec.child}, child.spec.id);
  }
  const auto ikes = std::ranges::count_if(former_state_, [](const auto& entry) { return entry.key != 0; });
  if (ikes > 0) {
    log_info("going on with what a former espgated left: " + std::to_string(ikes) + " IKE SAs, " +
             std::to_string(kept.size()) + " pairs of SAs" +
             (lost > 0 ? ", of which the kernel does not have " + std::to_string(lost) : std::string()));
  }
  post(ike::Resume{std::move(former_state_), kept});
  former_state_.clear();
  for (const auto child : kernel_.spent()) post(ike::Expired{child, false});
  arm_timer();
}

}  // namespace espgate::gateway
