// SPDX-License-Identifier: Apache-2.0
// What the kernel says of itself about SAs: limits reached (XFRM_MSG_EXPIRE), sequence numbers used (XFRM_MSG_NEWAE),
// one that a packet wants and that is not there (XFRM_MSG_ACQUIRE), a peer's NAT mapping (XFRM_MSG_MAPPING); and what
// anybody deleted, ourselves included (XFRM_MSG_DELSA, FLUSHSA, DELPOLICY, FLUSHPOLICY).
#pragma once

#include <cstdint>
#include <expected>
#include <vector>

#include "base/fd.h"
#include "xfrm/api.h"

namespace espgate::xfrm {

struct Notification {
  enum class Kind : std::uint8_t {
    soft_limit,
    hard_limit,
    sequence,
    acquire,
    mapping,
    sa_deleted,
    sas_flushed,
    policy_deleted,
    policies_flushed,
    overrun,  // the socket had no room: some of the others are lost
  };
  Kind kind{};
  SaId sa;                         // anybody's: the groups tell of all SAs of the namespace; acquire: no SPI
  std::uint64_t sequence_out = 0;  // sequence: the last one used
  // policy_deleted: which. acquire: the policy that was met, the packet that met it (single addresses), and the number
  // of the larval SA that stands until net.core.xfrm_acq_expires has passed; while it stands no packet raises another
  // one.
  PolicyId policy{};
  Selector packet{};
  std::uint32_t larval = 0;
  base::Endpoint remote;  // mapping: where good ESP of `sa` came from now
};

// A netlink socket in XFRM's groups, non-blocking. What is added or changed there (its keys with it) is filtered out in
// the kernel.
class EventSocket {
 public:
  static std::expected<EventSocket, base::Error> make();
  [[nodiscard]] int fd() const { return socket_.get(); }
  // Everything that waits.
  std::expected<std::vector<Notification>, base::Error> receive();

 private:
  explicit EventSocket(base::Fd socket) : socket_(std::move(socket)) {}
  base::Fd socket_;
};

}  // namespace espgate::xfrm
