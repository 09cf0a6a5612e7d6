// SPDX-License-Identifier: Apache-2.0
// That routes changed (rtnetlink, RTNLGRP_IPV4_ROUTE and RTNLGRP_IPV6_ROUTE); which ones is to be looked up.
#pragma once

#include <expected>

#include "base/error.h"
#include "base/fd.h"

namespace espgate::xfrm {

// Non-blocking; of the network namespace it was made in. A socket of its own, since a router's churn must not push out
// link events.
class RouteEvents {
 public:
  static std::expected<RouteEvents, base::Error> make();
  [[nodiscard]] int fd() const { return socket_.get(); }
  // Whether any was told of since the last call; what was lost for want of room counts as one.
  bool changed();

 private:
  explicit RouteEvents(base::Fd socket) : socket_(std::move(socket)) {}
  base::Fd socket_;
};

}  // namespace espgate::xfrm
