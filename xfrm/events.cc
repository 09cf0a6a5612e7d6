// SPDX-License-Identifier: Apache-2.0
#include "xfrm/events.h"

#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "xfrm/message.h"

namespace espgate::xfrm {

std::expected<EventSocket, base::Error> EventSocket::make() {
  base::Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_XFRM));
  if (!fd) return std::unexpected(base::Error::last("open a netlink socket for XFRM events"));
  sockaddr_nl self{};
  self.nl_family = AF_NETLINK;
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&self), sizeof self) != 0) {
    return std::unexpected(base::Error::last("bind a netlink socket for XFRM events"));
  }
  for (const int group : {XFRMNLGRP_EXPIRE, XFRMNLGRP_AEVENTS, XFRMNLGRP_ACQUIRE, XFRMNLGRP_MAPPING}) {
    if (setsockopt(fd.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0) {
      return std::unexpected(base::Error::last("listen to XFRM events"));
    }
  }
  return EventSocket(std::move(fd));
}

std::expected<std::vector<Notification>, base::Error> EventSocket::receive() {
  std::vector<Notification> out;
  alignas(nlmsghdr) std::array<std::uint8_t, 16384> buffer{};
  for (;;) {
    const ssize_t got = recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (got < 0 && (errno == EINTR || errno == ENOBUFS)) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return out;
    if (got < 0) return std::unexpected(base::Error::last("receive XFRM events"));
    int left = static_cast<int>(got);
    const auto* message = reinterpret_cast<const nlmsghdr*>(buffer.data());
    for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
      if (auto one = decode_notification(*message)) out.push_back(*one);
    }
  }
}

}  // namespace espgate::xfrm
