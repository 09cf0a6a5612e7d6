// SPDX-License-Identifier: Apache-2.0
// By which device packets to a peer leave, and what that device says of itself.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/address.h"
#include "base/error.h"
#include "base/fd.h"

namespace espgate::xfrm {

struct Route {
  std::string device;
  std::uint32_t ifindex = 0;
  std::optional<base::Address> source;  // that the kernel would choose
};

// Asks the routing tables of this network namespace (RTM_GETROUTE).
class RouteTable {
 public:
  static base::Result<RouteTable> make();
  // `from` narrows the answer by source rules. Errors: ENETUNREACH, EHOSTUNREACH, ... if there is no route.
  base::Result<Route> lookup(const base::Address& to, const std::optional<base::Address>& from = {});

 private:
  explicit RouteTable(base::Fd socket) : socket_(std::move(socket)) {}
  base::Fd socket_;
  std::uint32_t sequence_ = 1;
};

std::optional<std::uint32_t> ifindex_of(const std::string& device);
std::optional<std::string> device_of(std::uint32_t ifindex);

// The feature esp-hw-offload (NETIF_F_HW_ESP) as `ethtool -k` shows it. A hint: what counts is the SA read back.
// nullopt: the device or this kernel does not say.
std::optional<bool> esp_offload_enabled(const std::string& device);

}  // namespace espgate::xfrm
