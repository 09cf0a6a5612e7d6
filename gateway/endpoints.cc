// SPDX-License-Identifier: Apache-2.0
#include "gateway/endpoints.h"

#include <optional>

namespace espgate::gateway {

namespace {
bool is_host(const base::Prefix& prefix) { return prefix == base::Prefix::host(prefix.address()); }

std::optional<base::Address> first_host(const std::vector<base::Prefix>& addresses,
                                        std::optional<base::Family> family = {}) {
  for (const auto& prefix : addresses) {
    if (is_host(prefix) && !prefix.address().is_any() && (!family || prefix.family() == *family)) {
      return prefix.address();
    }
  }
  return std::nullopt;
}

std::unexpected<ike::Failure> failure(std::string text) {
  return std::unexpected(ike::Failure{ike::Reason::no_config, "start", std::move(text), ""});
}
}  // namespace

std::expected<Endpoints, ike::Failure> choose_endpoints(const ike::ConnConfig& conn, xfrm::RouteTable& routes) {
  const auto remote = first_host(conn.remote_addrs);
  if (!remote) return failure(conn.name + ": remote_addrs names no host to connect to; it can only wait for the peer");
  const Endpoints out{{base::Address::any(remote->family()), conn.local_port}, {*remote, conn.remote_port}};
  if (auto local = first_host(conn.local_addrs, remote->family())) {
    return Endpoints{{*local, conn.local_port}, out.remote};
  }
  auto route = routes.lookup(*remote);
  if (!route) return failure(conn.name + ": no route to " + remote->text() + ": " + route.error().text());
  if (!route->source) return failure(conn.name + ": the route to " + remote->text() + " has no source address");
  return Endpoints{{*route->source, conn.local_port}, out.remote};
}

}  // namespace espgate::gateway
