// SPDX-License-Identifier: Apache-2.0
// Network devices that come, go, go up and go down (rtnetlink, RTNLGRP_LINK). The kernel drops the SAs of a device that
// goes down, and no XFRM event tells of it (net/xfrm/xfrm_device.c, xfrm_dev_down).
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/fd.h"

namespace espgate::xfrm {

struct LinkChange {
  std::uint32_t ifindex = 0;
  std::string name;
  bool up = false;    // administratively, and with a carrier
  bool gone = false;  // deleted, or moved to another namespace
};

// Non-blocking; of the network namespace it was made in.
class LinkSocket {
 public:
  static std::expected<LinkSocket, base::Error> make();
  [[nodiscard]] int fd() const { return socket_.get(); }
  // Everything that waits, at first each device that is there; most of it says again what is known.
  struct News {
    std::vector<LinkChange> changes;
    bool listed = false;   // those that were there at the start have all been told
    bool overrun = false;  // some was lost
  };
  std::expected<News, base::Error> receive();

 private:
  explicit LinkSocket(base::Fd socket) : socket_(std::move(socket)) {}
  base::Fd socket_;
};

}  // namespace espgate::xfrm
