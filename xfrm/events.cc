// SPDX-License-Identifier: Apache-2.0
#include "xfrm/events.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "xfrm/attributes.h"
#include "xfrm/message.h"

namespace espgate::xfrm {

namespace {

// About 1,800 events: our own burst when the table of SAs is made larger (1,024 deletions) has to fit.
constexpr int kReceiveBuffer = 2 << 20;

// Messages of these types do not reach us. A filter's loads take octets as big endian, nlmsg_type is in host order.
bool filter_out_news(int fd) {
  constexpr std::array<std::uint16_t, 4> unwanted{XFRM_MSG_NEWSA, XFRM_MSG_UPDSA, XFRM_MSG_NEWPOLICY,
                                                  XFRM_MSG_UPDPOLICY};
  std::array<sock_filter, unwanted.size() + 3> program{};
  auto* at = program.data();
  *at++ = BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(nlmsghdr, nlmsg_type));
  for (std::uint8_t i = 0; i < unwanted.size(); ++i) {
    const auto to_drop = static_cast<std::uint8_t>(unwanted.size() - i);
    *at++ = BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(unwanted[i]), to_drop, 0);
  }
  *at++ = BPF_STMT(BPF_RET | BPF_K, ~0U);
  *at++ = BPF_STMT(BPF_RET | BPF_K, 0);
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) == 0;
}

}  // namespace

std::expected<EventSocket, base::Error> EventSocket::make() {
  base::Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_XFRM));
  if (!fd) return std::unexpected(base::Error::last("open a netlink socket for XFRM events"));
  // Without the right to it the usual 208 KiB are what there is: more of a burst is lost then, which receive() says.
  (void)setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof kReceiveBuffer);
  sockaddr_nl self{};
  self.nl_family = AF_NETLINK;
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&self), sizeof self) != 0) {
    return std::unexpected(base::Error::last("bind a netlink socket for XFRM events"));
  }
  if (!filter_out_news(fd.get())) return std::unexpected(base::Error::last("filter XFRM events"));
  for (const int group :
       {XFRMNLGRP_EXPIRE, XFRMNLGRP_AEVENTS, XFRMNLGRP_ACQUIRE, XFRMNLGRP_MAPPING, XFRMNLGRP_SA, XFRMNLGRP_POLICY}) {
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
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == ENOBUFS) {
      out.emplace_back().kind = Notification::Kind::overrun;
      continue;
    }
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return out;
    if (got < 0) return std::unexpected(base::Error::last("receive XFRM events"));
    for_each_message({buffer.data(), static_cast<std::size_t>(got)}, [&out](const nlmsghdr& message) {
      if (auto one = decode_notification(message)) out.push_back(*one);
      return true;
    });
    explicit_bzero(buffer.data(), static_cast<std::size_t>(got));  // a deleted SA is told with its keys
  }
}

}  // namespace espgate::xfrm
