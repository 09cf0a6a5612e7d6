// SPDX-License-Identifier: Apache-2.0
#include "control/offload/steering.h"

#include <fmt/format.h>

#include <map>
#include <set>
#include <tuple>
#include <utility>

namespace espgate::control {
namespace {

// Thousands of children ask few questions: each is answered once.
class Orders {
 public:
  Orders(const DevicesOf& devices, const GatewayOptions& gateway, const Hurried& hurried)
      : devices_(devices), gateway_(gateway), hurried_(hurried) {}

  struct Order {
    std::vector<sad::SuiteOffer> offers;
    std::vector<ike::Proposal> proposals;
  };
  const Order& of(const ike::ConnConfig& conn, const ike::ChildConfig& child) {
    auto leave_by = devices_(conn);
    auto shape = shape_of(conn, child);
    shape.without_esn = !gateway_.offload_without_esn                ? sad::WithoutEsn::forbidden
                        : hurried_.contains({conn.name, child.name}) ? sad::WithoutEsn::too_fast
                                                                     : sad::WithoutEsn::allowed;
    const auto [at, is_new] = known_.try_emplace(
        std::tuple(leave_by, shape.wanted, shape.mode, shape.family, shape.encap, shape.without_esn));
    if (is_new) {
      at->second.offers = sad::order_suites(leave_by, shape, gateway_.esp_floor);
      at->second.proposals = sad::proposals_of(at->second.offers);
    }
    return at->second;
  }

 private:
  using Key = std::tuple<std::vector<const sad::DeviceRecord*>, base::OffloadWanted, base::SaMode, base::Family, bool,
                         sad::WithoutEsn>;
  const DevicesOf& devices_;
  const GatewayOptions& gateway_;
  const Hurried& hurried_;
  std::map<Key, Order> known_;
};

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

Steered steer_suites(const Configuration& config, const DevicesOf& devices, const Hurried& hurried) {
  std::set<std::pair<std::string, std::string>> free;  // children whose order is ours to choose
  for (const auto& child : config.plan.children) {
    if (child.default_proposals) free.emplace(child.conn, child.child);
  }
  Orders orders(devices, config.gateway, hurried);
  Steered out{config.ike, {}};
  std::vector<std::shared_ptr<const ike::ConnConfig>> conns;
  for (const auto& conn : config.ike->conns) {
    std::shared_ptr<ike::ConnConfig> changed;
    for (std::size_t i = 0; i < conn->children.size(); ++i) {
      const auto& child = conn->children[i];
      if (!free.contains({conn->name, child.name})) continue;
      const auto& [offers, proposals] = orders.of(*conn, child);
      if (proposals == child.esp_proposals) continue;
      if (!changed) changed = std::make_shared<ike::ConnConfig>(*conn);
      changed->children[i].esp_proposals = proposals;
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
