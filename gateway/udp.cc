// SPDX-License-Identifier: Apache-2.0
#include "gateway/udp.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

#include "xfrm/socket_policy.h"

namespace espgate::gateway {

namespace {
constexpr std::size_t kBatch = 32;
constexpr std::size_t kLargest = 65535;
constexpr std::array<std::uint8_t, 4> kMarker{};
constexpr int kReceiveBuffer = 4 << 20;

base::Result<void> set(int fd, int level, int option, int value, const char* name) {
  if (setsockopt(fd, level, option, &value, sizeof value) == 0) return {};
  return std::unexpected(base::Error::last(std::string("setsockopt ") + name));
}

base::Result<void> prepare(int fd, base::Family family) {
  (void)set(fd, SOL_SOCKET, SO_RCVBUF, kReceiveBuffer, "SO_RCVBUF");  // the kernel caps it
  (void)set(fd, SOL_SOCKET, SO_RXQ_OVFL, 1, "SO_RXQ_OVFL");
  if (family == base::Family::ipv4) return set(fd, IPPROTO_IP, IP_PKTINFO, 1, "IP_PKTINFO");
  if (auto only = set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1, "IPV6_V6ONLY"); !only) return only;
  return set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, "IPV6_RECVPKTINFO");
}

// Where a datagram was sent to, from its control messages.
std::optional<base::Address> destination(msghdr& header) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
      in_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(c), sizeof info);
      return base::Address::from_octets({reinterpret_cast<const std::uint8_t*>(&info.ipi_addr), 4});
    }
    if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(c), sizeof info);
      return base::Address::from_octets({reinterpret_cast<const std::uint8_t*>(&info.ipi6_addr), 16});
    }
  }
  return std::nullopt;
}

// How many datagrams the socket has lost so far for want of room; nullopt: none yet.
std::optional<std::uint32_t> dropped(msghdr& header) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_RXQ_OVFL) continue;
    std::uint32_t count = 0;
    std::memcpy(&count, CMSG_DATA(c), sizeof count);
    return count;
  }
  return std::nullopt;
}

// The control message that sets a datagram's source address; returns its length.
std::size_t write_source(msghdr& header, const base::Address& source) {
  cmsghdr* c = CMSG_FIRSTHDR(&header);
  if (source.is_v4()) {
    in_pktinfo info{};
    std::memcpy(&info.ipi_spec_dst, source.raw().data(), 4);
    c->cmsg_level = IPPROTO_IP;
    c->cmsg_type = IP_PKTINFO;
    c->cmsg_len = CMSG_LEN(sizeof info);
    std::memcpy(CMSG_DATA(c), &info, sizeof info);
    return CMSG_SPACE(sizeof info);
  }
  in6_pktinfo info{};
  std::memcpy(&info.ipi6_addr, source.raw().data(), 16);
  c->cmsg_level = IPPROTO_IPV6;
  c->cmsg_type = IPV6_PKTINFO;
  c->cmsg_len = CMSG_LEN(sizeof info);
  std::memcpy(CMSG_DATA(c), &info, sizeof info);
  return CMSG_SPACE(sizeof info);
}

// Strips the non-ESP marker; nullopt for keepalives, ESP and runts.
std::optional<base::ByteView> ike_part(base::ByteView data, bool natt) {
  if (!natt) return data;
  if (data.size() < kMarker.size() || !std::ranges::equal(data.first(kMarker.size()), kMarker)) return std::nullopt;
  return data.subspan(kMarker.size());
}

struct ReceiveSlots {
  std::array<std::array<std::uint8_t, kLargest>, kBatch> data;
  std::array<sockaddr_storage, kBatch> from;
  std::array<std::array<std::uint8_t, 128>, kBatch> control;
  std::array<iovec, kBatch> vectors;
  std::array<mmsghdr, kBatch> headers;

  void arm() {
    for (std::size_t i = 0; i < kBatch; ++i) {
      vectors[i] = {data[i].data(), data[i].size()};
      headers[i] = {};
      headers[i].msg_hdr.msg_name = &from[i];
      headers[i].msg_hdr.msg_namelen = sizeof from[i];
      headers[i].msg_hdr.msg_iov = &vectors[i];
      headers[i].msg_hdr.msg_iovlen = 1;
      headers[i].msg_hdr.msg_control = control[i].data();
      headers[i].msg_hdr.msg_controllen = control[i].size();
    }
  }
};
}  // namespace

base::Result<UdpSocket> UdpSocket::open(base::Family family, std::uint16_t port, bool natt, bool kernel_esp) {
  const base::Endpoint wildcard{base::Address::any(family), port};
  const std::string what = "UDP " + wildcard.text();
  base::Fd fd(::socket(static_cast<int>(family), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return std::unexpected(base::Error::last("open a socket for " + what));
  if (auto prepared = prepare(fd.get(), family); !prepared) return std::unexpected(prepared.error());
  sockaddr_storage address{};
  const auto length = wildcard.to_sockaddr(address);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0) {
    return std::unexpected(base::Error::last("bind " + what));
  }
  if (kernel_esp) {
    if (auto bypass = xfrm::bypass(fd.get(), family); !bypass) return std::unexpected(bypass.error());
    if (natt) {
      if (auto encap = xfrm::take_esp_in_udp(fd.get()); !encap) return std::unexpected(encap.error());
    }
  }
  return UdpSocket(std::move(fd), family, port, natt);
}

base::Result<std::vector<ike::Datagram>> UdpSocket::receive() {
  // Large and reused; one per thread, since sockets of one engine are read by one thread.
  static thread_local auto slots = std::make_unique<ReceiveSlots>();
  slots->arm();
  const int count = recvmmsg(fd_.get(), slots->headers.data(), kBatch, MSG_DONTWAIT, nullptr);
  std::vector<ike::Datagram> out;
  if (count < 0) {
    // An ICMP error of an earlier send is reported here (ECONNREFUSED and its like): it says nothing of this socket.
    if (errno == EAGAIN || errno == EINTR || errno == ECONNREFUSED || errno == EHOSTUNREACH || errno == ENETUNREACH) {
      return out;
    }
    return std::unexpected(base::Error::last("receive on port " + std::to_string(port_)));
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    auto& header = slots->headers[i].msg_hdr;
    if (const auto all = dropped(header)) lost_ += *all - std::exchange(dropped_, *all);
    if ((header.msg_flags & MSG_TRUNC) != 0) continue;
    auto remote = base::Endpoint::from_sockaddr(slots->from[i]);
    auto local = destination(header);
    auto data = ike_part({slots->data[i].data(), slots->headers[i].msg_len}, natt_);
    if (!remote || !local || !data) continue;
    out.push_back({{*local, port_}, *remote, natt_, base::Bytes(data->begin(), data->end())});
  }
  return out;
}

base::Result<void> UdpSocket::transmit(const base::Endpoint& local, const base::Endpoint& remote,
                                       std::span<iovec> parts) {
  sockaddr_storage to{};
  alignas(cmsghdr) std::array<std::uint8_t, 64> control{};
  msghdr header{};
  header.msg_name = &to;
  header.msg_namelen = remote.to_sockaddr(to);
  header.msg_iov = parts.data();
  header.msg_iovlen = parts.size();
  if (!local.address.is_any()) {
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    header.msg_controllen = write_source(header, local.address);
  }
  if (::sendmsg(fd_.get(), &header, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return {};
  if (errno == EAGAIN)
    return std::unexpected(base::Error{"send to " + remote.text(), EAGAIN, "the send buffer is full"});
  return std::unexpected(base::Error::last("send to " + remote.text()));
}

base::Result<void> UdpSocket::send(const ike::Datagram& datagram) {
  std::array<iovec, 2> parts{};
  std::size_t count = 0;
  if (natt_) parts[count++] = {const_cast<std::uint8_t*>(kMarker.data()), kMarker.size()};
  parts[count++] = {const_cast<std::uint8_t*>(datagram.data.data()), datagram.data.size()};
  return transmit(datagram.local, datagram.remote, std::span(parts).first(count));
}

base::Result<void> UdpSocket::send_keepalive(const ike::Keepalive& keepalive) {
  std::uint8_t octet = 0xff;
  std::array<iovec, 1> parts{iovec{&octet, sizeof octet}};
  return transmit(keepalive.local, keepalive.remote, parts);
}

}  // namespace espgate::gateway
