// SPDX-License-Identifier: Apache-2.0
#include "xfrm/link_events.h"

#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "xfrm/attributes.h"
#include "xfrm/rtnetlink.h"

namespace espgate::xfrm {

namespace {
constexpr std::size_t kReceiveOctets = 32768;
}  // namespace

std::optional<LinkChange> decode_link_change(const nlmsghdr& message) {
  const bool gone = message.nlmsg_type == RTM_DELLINK;
  if ((message.nlmsg_type != RTM_NEWLINK && !gone) || mnl_nlmsg_get_payload_len(&message) < sizeof(ifinfomsg)) {
    return std::nullopt;
  }
  ifinfomsg info;
  std::memcpy(&info, mnl_nlmsg_get_payload(&message), sizeof info);
  if (info.ifi_family != AF_UNSPEC) return std::nullopt;  // of a bridge: about its port
  LinkChange out;
  out.ifindex = static_cast<std::uint32_t>(info.ifi_index);
  out.gone = gone;
  out.up = !gone && (info.ifi_flags & IFF_UP) != 0 && (info.ifi_flags & IFF_RUNNING) != 0;
  for_each_attribute(message, sizeof info, [&](std::uint16_t type, base::ByteView payload) {
    if (type != IFLA_IFNAME) return;
    const auto text = base::as_text(payload);
    out.name = text.substr(0, text.find('\0'));
  });
  return out;
}

std::expected<LinkSocket, base::Error> LinkSocket::make() {
  base::Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  if (!fd) return std::unexpected(base::Error::last("open a netlink socket for link events"));
  sockaddr_nl self{};
  self.nl_family = AF_NETLINK;
  self.nl_groups = RTMGRP_LINK;
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&self), sizeof self) != 0) {
    return std::unexpected(base::Error::last("bind a netlink socket for link events"));
  }
  // What there is already; the answers come as events do.
  struct {
    nlmsghdr header{};
    ifinfomsg link{};
  } list;
  list.header.nlmsg_len = sizeof list;
  list.header.nlmsg_type = RTM_GETLINK;
  list.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  if (send(fd.get(), &list, sizeof list, 0) != static_cast<ssize_t>(sizeof list)) {
    return std::unexpected(base::Error::last("list the network devices"));
  }
  return LinkSocket(std::move(fd));
}

std::expected<LinkSocket::News, base::Error> LinkSocket::receive() {
  News out;
  std::vector<std::uint64_t> buffer(kReceiveOctets / sizeof(std::uint64_t));
  for (;;) {
    const ssize_t got = recv(socket_.get(), buffer.data(), kReceiveOctets, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return out;
    if (got < 0 && errno == ENOBUFS) {
      out.overrun = true;
      continue;
    }
    if (got < 0) return std::unexpected(base::Error::last("receive link events"));
    const base::ByteView octets(reinterpret_cast<const std::uint8_t*>(buffer.data()), static_cast<std::size_t>(got));
    for_each_message(octets, [&out](const nlmsghdr& message) {
      if (message.nlmsg_type == NLMSG_DONE) out.listed = true;
      if (auto one = decode_link_change(message)) out.changes.push_back(std::move(*one));
      return true;
    });
  }
}

}  // namespace espgate::xfrm
