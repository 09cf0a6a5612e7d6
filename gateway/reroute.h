// SPDX-License-Identifier: Apache-2.0
// Routes that change under children in hardware: an SA is one device's, and what leaves by another is dropped in packet
// mode, and software's in crypto mode. Such children are rekeyed, to where their packets leave now.
#pragma once

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>
#include <functional>
#include <optional>

#include "xfrm/route_events.h"

namespace espgate::gateway {

class Reroute {
 public:
  // `look`: asked for once a second at most, however many routes change.
  Reroute(asio::io_context& io, std::function<void()> look) : io_(io), timer_(io), look_(std::move(look)) {}
  ~Reroute();

  void watch(xfrm::RouteEvents events);
  void stop();

 private:
  void wait();
  void settle();

  asio::io_context& io_;
  asio::steady_timer timer_;
  std::function<void()> look_;
  std::optional<xfrm::RouteEvents> events_;
  std::optional<asio::posix::stream_descriptor> ready_;
  bool settling_ = false;
};

}  // namespace espgate::gateway
