// SPDX-License-Identifier: Apache-2.0
#include "xfrm/route.h"

#include <libmnl/libmnl.h>
#include <linux/ethtool.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "xfrm/attributes.h"
#include "xfrm/message.h"
#include "xfrm/rtnetlink.h"

namespace espgate::xfrm {
namespace {

using Room = std::array<std::uint8_t, 4096>;

std::size_t encode_query(Room& room, std::uint32_t sequence, const base::Address& to,
                         const std::optional<base::Address>& from) {
  nlmsghdr* message = mnl_nlmsg_put_header(room.data());
  message->nlmsg_type = RTM_GETROUTE;
  message->nlmsg_flags = NLM_F_REQUEST;
  message->nlmsg_seq = sequence;
  auto* route = static_cast<rtmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(rtmsg)));
  route->rtm_family = static_cast<std::uint8_t>(to.family());
  const auto bits = static_cast<std::uint8_t>(8 * base::octets(to.family()));
  route->rtm_dst_len = bits;
  mnl_attr_put(message, RTA_DST, to.octets().size(), to.octets().data());
  if (from && from->family() == to.family() && !from->is_any()) {
    route->rtm_src_len = bits;
    mnl_attr_put(message, RTA_SRC, from->octets().size(), from->octets().data());
  }
  return message->nlmsg_len;
}

int ethtool(int fd, const std::string& device, void* command) {
  ifreq request{};
  device.copy(request.ifr_name, IFNAMSIZ - 1);
  request.ifr_data = static_cast<char*>(command);
  return ioctl(fd, SIOCETHTOOL, &request);
}

// The position of a feature among the kernel's, which differs from kernel to kernel; its name does not.
std::optional<std::size_t> feature_position(int fd, const std::string& device, std::string_view feature,
                                            std::size_t& count) {
  // struct ethtool_sset_info with its one answer.
  struct {
    std::uint32_t cmd = ETHTOOL_GSSET_INFO, reserved = 0;
    std::uint64_t mask = 1ULL << ETH_SS_FEATURES;
    std::uint32_t length = 0, padding = 0;
  } query;
  if (ethtool(fd, device, &query) != 0 || query.mask == 0) return std::nullopt;
  count = query.length;
  std::vector<std::uint8_t> room(sizeof(ethtool_gstrings) + count * ETH_GSTRING_LEN);
  ethtool_gstrings strings{};
  strings.cmd = ETHTOOL_GSTRINGS;
  strings.string_set = ETH_SS_FEATURES;
  strings.len = query.length;
  std::memcpy(room.data(), &strings, sizeof strings);
  if (ethtool(fd, device, room.data()) != 0) return std::nullopt;
  for (std::size_t i = 0; i < count; ++i) {
    const auto* name = reinterpret_cast<const char*>(room.data() + sizeof strings + i * ETH_GSTRING_LEN);
    if (feature == std::string_view(name, strnlen(name, ETH_GSTRING_LEN))) return i;
  }
  return std::nullopt;
}

// By any socket that is at hand, where if_indextoname() opens one each time.
std::string name_of(int fd, std::uint32_t ifindex) {
  ifreq request{};
  request.ifr_ifindex = static_cast<int>(ifindex);
  if (ifindex == 0 || ioctl(fd, SIOCGIFNAME, &request) != 0) return {};
  return {request.ifr_name, strnlen(request.ifr_name, IFNAMSIZ)};
}

}  // namespace

std::optional<Route> decode_route(const nlmsghdr& message) {
  if (message.nlmsg_type != RTM_NEWROUTE) return std::nullopt;
  Route out;
  for_each_attribute(message, sizeof(rtmsg), [&out](std::uint16_t type, base::ByteView payload) {
    if (type == RTA_OIF && payload.size() >= 4) std::memcpy(&out.ifindex, payload.data(), 4);
    if (type == RTA_PREFSRC) out.source = base::Address::from_octets(payload);
  });
  return out;
}

base::Result<RouteTable> RouteTable::make() {
  base::Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!fd) return std::unexpected(base::Error::last("open a route netlink socket"));
  const timeval patience{5, 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  return RouteTable(std::move(fd));
}

base::Result<Route> RouteTable::lookup(const base::Address& to, const std::optional<base::Address>& from) {
  const std::string operation = "look up the route to " + to.text();
  alignas(nlmsghdr) Room room{};
  const std::uint32_t sequence = sequence_++;
  const std::size_t used = encode_query(room, sequence, to, from);
  if (::send(socket_.get(), room.data(), used, 0) < 0) return std::unexpected(base::Error::last(operation));
  for (;;) {
    const ssize_t got = recv(socket_.get(), room.data(), room.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::unexpected(base::Error::last(operation));
    std::optional<base::Result<Route>> answer;
    for_each_message({room.data(), static_cast<std::size_t>(got)}, [&](const nlmsghdr& message) {
      if (message.nlmsg_seq != sequence) return true;
      if (const auto refused = decode_ack(message)) {
        answer = std::unexpected(base::Error{operation, refused->code, {}});
      } else if (auto route = decode_route(message)) {
        route->device = name_of(socket_.get(), route->ifindex);
        if (route->device.empty()) {
          answer = std::unexpected(base::Error{operation, ENODEV, {}});
        } else {
          answer = std::move(*route);
        }
      }
      return !answer;
    });
    if (answer) return std::move(*answer);
  }
}

std::optional<std::uint32_t> ifindex_of(const std::string& device) {
  const unsigned index = if_nametoindex(device.c_str());
  if (index == 0) return std::nullopt;
  return index;
}

std::optional<std::string> device_of(std::uint32_t ifindex) {
  char name[IF_NAMESIZE];
  if (ifindex == 0 || if_indextoname(ifindex, name) == nullptr) return std::nullopt;
  return name;
}

std::optional<bool> esp_offload_enabled(const std::string& device) {
  const base::Fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) return std::nullopt;
  std::size_t count = 0;
  const auto position = feature_position(fd.get(), device, "esp-hw-offload", count);
  if (!position) return std::nullopt;
  const std::size_t blocks = (count + 31) / 32;
  std::vector<std::uint8_t> room(sizeof(ethtool_gfeatures) + blocks * sizeof(ethtool_get_features_block));
  ethtool_gfeatures features{};
  features.cmd = ETHTOOL_GFEATURES;
  features.size = static_cast<std::uint32_t>(blocks);
  std::memcpy(room.data(), &features, sizeof features);
  if (ethtool(fd.get(), device, room.data()) != 0) return std::nullopt;
  ethtool_get_features_block block{};
  std::memcpy(&block, room.data() + sizeof features + *position / 32 * sizeof block, sizeof block);
  return (block.active >> (*position % 32) & 1U) != 0;
}

}  // namespace espgate::xfrm
