// SPDX-License-Identifier: Apache-2.0
#include "xfrm/route_events.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace espgate::xfrm {

std::expected<RouteEvents, base::Error> RouteEvents::make() {
  base::Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  if (!fd) return std::unexpected(base::Error::last("open a netlink socket for route events"));
  sockaddr_nl self{};
  self.nl_family = AF_NETLINK;
  self.nl_groups = RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&self), sizeof self) != 0)
    return std::unexpected(base::Error::last("bind a netlink socket for route events"));
  return RouteEvents(std::move(fd));
}

bool RouteEvents::changed() {
  bool any = false;
  std::array<char, 64> beginning{};  // the rest of a message is cut off unread
  for (;;) {
    const ssize_t got = recv(socket_.get(), beginning.data(), beginning.size(), 0);
    if (got >= 0 || errno == ENOBUFS) {
      any = true;
    } else if (errno != EINTR) {
      return any;
    }
  }
}

}  // namespace espgate::xfrm
