// SPDX-License-Identifier: Apache-2.0
// From which address to which a connection is initiated.
#pragma once

#include <expected>

#include "base/address.h"
#include "ike/api.h"
#include "ike/config.h"
#include "xfrm/route.h"

namespace espgate::gateway {

struct Endpoints {
  base::Endpoint local, remote;
};

// The first remote address that is a host, and a local one of its family: as configured, else the route's source.
// The failure says which of the two is missing.
std::expected<Endpoints, ike::Failure> choose_endpoints(const ike::ConnConfig& conn, xfrm::RouteTable& routes);

}  // namespace espgate::gateway
