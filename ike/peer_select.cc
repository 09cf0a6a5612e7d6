// SPDX-License-Identifier: Apache-2.0
#include "ike/peer_select.h"

#include <algorithm>
#include <span>
#include <utility>

namespace espgate::ike {

namespace {

// 0: does not fit; 1: anything goes; above: the longer the prefix the better.
int address_score(std::span<const base::Prefix> configured, const base::Address& address) {
  if (configured.empty()) return 1;
  int best = 0;
  for (const auto& prefix : configured) {
    if (prefix.contains(address)) best = std::max(best, 2 + prefix.length());
  }
  return best;
}

// 0: does not fit; 1: %any; 2: a wildcard; 3: equal.
int identity_score(const Identity& pattern, const Identity& shown) {
  if (pattern.type == IdType::any) return 1;
  if (pattern == shown) return 3;
  return pattern.admits(shown) ? 2 : 0;
}

using Scored = std::vector<std::pair<Fit, std::shared_ptr<const ConnConfig>>>;

ConnList best_first(Scored scored) {
  std::ranges::stable_sort(scored, [](const auto& a, const auto& b) { return a.first > b.first; });
  ConnList out;
  for (auto& [fit, conn] : scored) out.push_back(std::move(conn));
  return out;
}

std::optional<Fit> fit_addresses(const ConnConfig& conn, const base::Address& local, const base::Address& remote) {
  Fit fit;
  fit.local_address = address_score(conn.local_addrs, local);
  fit.remote_address = address_score(conn.remote_addrs, remote);
  if (fit.local_address == 0 || fit.remote_address == 0) return std::nullopt;
  return fit;
}

}  // namespace

ConnList fitting(const Config& config, const base::Address& local, const base::Address& remote) {
  Scored scored;
  for (const auto& conn : config.conns) {
    if (auto fit = fit_addresses(*conn, local, remote)) scored.emplace_back(*fit, conn);
  }
  return best_first(std::move(scored));
}

ConnList fitting(const Config& config, const base::Address& local, const base::Address& remote,
                 const Identity& shown_remote, const std::optional<Identity>& shown_local) {
  Scored scored;
  for (const auto& conn : config.conns) {
    auto fit = fit_addresses(*conn, local, remote);
    if (!fit) continue;
    fit->remote_id = identity_score(conn->remote.id, shown_remote);
    fit->local_id = shown_local ? identity_score(conn->local.id, *shown_local) : 1;
    if (fit->remote_id != 0 && fit->local_id != 0) scored.emplace_back(*fit, conn);
  }
  return best_first(std::move(scored));
}

Identity own_identity(const ConnConfig& conn, const base::Address& local, const std::optional<Identity>& asked_for) {
  if (conn.local.id.type != IdType::any) return conn.local.id;
  if (asked_for && asked_for->type != IdType::any) return *asked_for;
  return Identity::of(local);
}

const SharedSecret* choose_secret(const Config& config, const Identity& local, const Identity& remote) {
  const SharedSecret* best = nullptr;
  std::pair<int, int> best_score{0, 0};
  for (const auto& secret : config.secrets) {
    std::pair<int, int> score{0, 0};  // the peer's, ours
    if (secret.owners.empty()) score = {1, 1};
    for (const auto& owner : secret.owners) {
      score.first = std::max(score.first, identity_score(owner, remote));
      score.second = std::max(score.second, identity_score(owner, local));
    }
    if (score.first == 0 && (score.second == 0 || secret.owners.size() > 1)) continue;
    if (best == nullptr || score > best_score) {
      best = &secret;
      best_score = score;
    }
  }
  return best;
}

}  // namespace espgate::ike
