// SPDX-License-Identifier: Apache-2.0
#include "gateway/pending.h"

namespace espgate::gateway {

void PendingCommands::add(ike::RequestId id, std::string conn, control::LogLine log, control::Done done,
                          std::optional<base::Instant> give_up_at) {
  waiting_[id] = {std::move(conn), std::move(log), std::move(done), give_up_at};
}

void PendingCommands::add_list(ike::RequestId id, std::function<void(std::vector<ike::IkeView>)> done) {
  lists_[id] = std::move(done);
}

void PendingCommands::on_done(const ike::CommandDone& done) {
  auto node = waiting_.extract(done.id);
  if (node.empty() || !node.mapped().done) return;
  control::Outcome outcome;
  outcome.failure = done.failure;
  outcome.matched = done.matched;
  node.mapped().done(outcome);
}

void PendingCommands::on_list(ike::ListResult result) {
  auto node = lists_.extract(result.id);
  if (!node.empty()) node.mapped()(std::move(result.ikes));
}

void PendingCommands::progress(const std::string& conn, const std::string& text) {
  for (auto& [id, waiting] : waiting_) {
    if (waiting.log && (waiting.conn.empty() || waiting.conn == conn)) waiting.log("IKE", 1, text);
  }
}

void PendingCommands::expire(base::Instant now) {
  std::vector<control::Done> over;
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    if (at->second.give_up_at && *at->second.give_up_at <= now) {
      over.push_back(std::move(at->second.done));
      at = waiting_.erase(at);
    } else {
      ++at;
    }
  }
  control::Outcome outcome;
  outcome.timed_out = true;
  for (auto& done : over) {
    if (done) done(outcome);
  }
}

std::optional<base::Instant> PendingCommands::next_expiry() const {
  std::optional<base::Instant> out;
  for (const auto& [id, waiting] : waiting_) {
    if (waiting.give_up_at && (!out || *waiting.give_up_at < *out)) out = waiting.give_up_at;
  }
  return out;
}

}  // namespace espgate::gateway
