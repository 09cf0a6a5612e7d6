// SPDX-License-Identifier: Apache-2.0
// What to do when SAs vanish from the kernel without our doing: a device that went down took them along, somebody
// deleted or flushed them, events were lost. Each child that lost one is rekeyed, as no outbound key may be installed
// twice; while there is no way to its peer, that waits until a link comes up.
#pragma once

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>
#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "gateway/kernel_side.h"
#include "xfrm/link_events.h"

namespace espgate::gateway {

class Healing {
 public:
  struct Hands {
    std::function<std::vector<LostChild>()> lost;  // compares all with the kernel
    std::function<void(const LostChild&, const std::string& why)> heal;
    std::function<bool(const std::string& device)> concerns;  // whether anything of ours goes by this device
    std::function<void()> links_changed;                      // some device came, came up, or is another than before
    std::function<void(std::uint32_t ifindex, const std::string& name)> renamed;
    std::function<void()> path_up;  // a link came up: what waits may go
  };
  Healing(asio::io_context& io, Hands hands) : io_(io), timer_(io), settle_timer_(io), hands_(std::move(hands)) {}
  ~Healing();

  void watch(xfrm::LinkSocket links);
  // Something may be gone; `why` is told of each child that it hit.
  void check(const std::string& why);
  void found(const LostChild& lost, const std::string& why);
  void stop();

 private:
  void wait();
  void take(const xfrm::LinkSocket::News& news);
  bool take(const xfrm::LinkChange& change);  // true: something of ours goes by it, and it came up
  void look_again(std::size_t step);
  void settle();

  asio::io_context& io_;
  asio::steady_timer timer_;
  asio::steady_timer settle_timer_;
  Hands hands_;
  std::optional<xfrm::LinkSocket> links_;
  std::optional<asio::posix::stream_descriptor> ready_;
  struct Link {
    std::string name;
    bool up = false;
  };
  std::map<std::uint32_t, Link> known_;  // by ifindex, as last heard
  bool listed_ = false;                  // all that were there at the start are known
  bool settling_ = false;
  bool waiting_ = false;  // some child has no way to its peer
  std::string why_;       // of the children that wait for a way to their peers
};

}  // namespace espgate::gateway
