// SPDX-License-Identifier: Apache-2.0
// The IKE sockets: UDP 500 and 4500, IPv4 and IPv6, each telling the local address a datagram came to.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <span>
#include <vector>

#include "base/address.h"
#include "base/error.h"
#include "base/fd.h"
#include "ike/api.h"

namespace espgate::gateway {

class UdpSocket {
 public:
  // Binds the wildcard address; `natt` sockets carry the non-ESP marker of RFC 3948 2.2 and, with `kernel_esp`, hand
  // ESP in UDP to the kernel. EADDRINUSE and EACCES come back as they are.
  static base::Result<UdpSocket> open(base::Family family, std::uint16_t port, bool natt, bool kernel_esp);

  // Takes what is there, at most one batch; keepalives, ESP and truncated datagrams are left out.
  // An empty result means that nothing waits.
  base::Result<std::vector<ike::Datagram>> receive();

  // Datagrams that the kernel threw away since the last call, as the receive buffer was full; known from the first
  // datagram on that is received after them.
  std::uint32_t take_lost() { return std::exchange(lost_, 0U); }

  // Sends from datagram.local's address. EAGAIN: the send buffer is full, and the datagram is lost.
  base::Result<void> send(const ike::Datagram& datagram);

  base::Result<void> send_keepalive(const ike::Keepalive& keepalive);

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] base::Family family() const { return family_; }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] bool natt() const { return natt_; }

 private:
  base::Result<void> transmit(const base::Endpoint& local, const base::Endpoint& remote, std::span<iovec> parts);
  UdpSocket(base::Fd fd, base::Family family, std::uint16_t port, bool natt)
      : fd_(std::move(fd)), family_(family), port_(port), natt_(natt) {}

  base::Fd fd_;
  base::Family family_;
  std::uint16_t port_;
  bool natt_;
  std::uint32_t dropped_ = 0;  // by the kernel, since the socket was opened
  std::uint32_t lost_ = 0;     // of these, not yet told
};

}  // namespace espgate::gateway
