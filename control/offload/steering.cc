// SPDX-License-Identifier: Apache-2.0
#include "control/offload/steering.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

namespace espgate::control {
namespace {

// Secrets are cloned, and copied by nobody by accident. A member that is added to ike::Config is missed here, and the
// compiler says so.
ike::Config copy_of(const ike::Config& config) {
  const auto& [conns, secrets, retransmission, half_open_timeout, keep_alive, install_timeout, fragment_size,
               cookie_threshold, half_open_per_source] = config;
  ike::Config out{conns,
                  {},
                  retransmission,
                  half_open_timeout,
                  keep_alive,
                  install_timeout,
                  fragment_size,
                  cookie_threshold,
                  half_open_per_source};
  for (const auto& secret : secrets) out.secrets.push_back({secret.name, secret.owners, secret.key.clone()});
  return out;
}

std::string change_text(const std::string& conn, const std::string& child, std::span<const sad::SuiteOffer> offers) {
  return fmt::format("{}/{}: esp_proposals = default means now, in this order: {}", conn, child, sad::text_of(offers));
}

}  // namespace

sad::OfferShape shape_of(const ike::ConnConfig& conn, const ike::ChildConfig& child) {
  sad::OfferShape out;
  out.wanted = child.offload;
  out.mode = child.mode;
  for (const auto* ends : {&conn.remote_addrs, &conn.local_addrs}) {
    if (ends->empty()) continue;
    out.family = ends->front().family();
    break;
  }
  out.encap = conn.encap;
  return out;
}

Steered steer_suites(const Configuration& config, const DevicesOf& devices) {
  std::set<std::pair<std::string, std::string>> free;  // children whose order is ours to choose
  for (const auto& child : config.plan.children) {
    if (child.default_proposals) free.emplace(child.conn, child.child);
  }
  Steered out{config.ike, {}};
  std::vector<std::shared_ptr<const ike::ConnConfig>> conns;
  for (const auto& conn : config.ike->conns) {
    std::shared_ptr<ike::ConnConfig> changed;
    for (std::size_t i = 0; i < conn->children.size(); ++i) {
      const auto& child = conn->children[i];
      if (!free.contains({conn->name, child.name})) continue;
      const auto leave_by = devices(*conn);
      const auto offers = sad::order_suites(leave_by, shape_of(*conn, child), config.gateway.esp_floor);
      auto proposals = sad::proposals_of(offers);
      if (proposals == child.esp_proposals) continue;
      if (!changed) changed = std::make_shared<ike::ConnConfig>(*conn);
      changed->children[i].esp_proposals = std::move(proposals);
      out.changes.push_back(change_text(conn->name, child.name, offers));
    }
    conns.push_back(changed ? std::move(changed) : conn);
  }
  if (out.changes.empty()) return out;
  ike::Config ike = copy_of(*config.ike);
  ike.conns = std::move(conns);
  out.ike = std::make_shared<const ike::Config>(std::move(ike));
  return out;
}

}  // namespace espgate::control
