// SPDX-License-Identifier: Apache-2.0
#include "xfrm/links.h"

#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <set>

#include "base/fd.h"
#include "xfrm/attributes.h"
#include "xfrm/message.h"
#include "xfrm/rtnetlink.h"

namespace espgate::xfrm {
namespace {

constexpr const char* kOperation = "list network devices";
constexpr std::size_t kReceiveOctets = 64 * 1024;

std::string text_of(base::ByteView payload) {
  const auto text = base::as_text(payload);
  return std::string(text.substr(0, text.find('\0')));
}

std::uint32_t number_of(base::ByteView payload) {
  std::uint32_t out = 0;
  if (payload.size() >= sizeof out) std::memcpy(&out, payload.data(), sizeof out);
  return out;
}

std::string kind_of(base::ByteView nested) {
  std::string out;
  const auto* attr = reinterpret_cast<const nlattr*>(nested.data());
  auto left = static_cast<int>(nested.size());
  while (mnl_attr_ok(attr, left)) {
    const auto* payload = static_cast<const std::uint8_t*>(mnl_attr_get_payload(attr));
    if (mnl_attr_get_type(attr) == IFLA_INFO_KIND) out = text_of({payload, mnl_attr_get_payload_len(attr)});
    left -= MNL_ALIGN(attr->nla_len);
    attr = mnl_attr_next(attr);
  }
  return out;
}

// IFLA_LINK is something else for tunnels (the device they are bound to) and for veth (its other end).
bool stands_upon_link(const std::string& kind) {
  static constexpr std::array kKinds{"vlan", "macvlan", "macvtap", "ipvlan", "ipvtap", "macsec"};
  return std::ranges::find(kKinds, kind) != kKinds.end();
}

bool made_of_members(const std::string& kind) { return kind == "bond" || kind == "team" || kind == "bridge"; }

}  // namespace

std::optional<Link> decode_link(const nlmsghdr& message) {
  if (message.nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(&message) < sizeof(ifinfomsg)) {
    return std::nullopt;
  }
  Link out;
  ifinfomsg info;
  std::memcpy(&info, mnl_nlmsg_get_payload(&message), sizeof info);
  out.ifindex = static_cast<std::uint32_t>(info.ifi_index);
  bool elsewhere = false;
  for_each_attribute(message, sizeof info, [&](std::uint16_t type, base::ByteView payload) {
    if (type == IFLA_IFNAME) out.name = text_of(payload);
    if (type == IFLA_MASTER) out.master = number_of(payload);
    if (type == IFLA_LINK) out.lower = number_of(payload);
    if (type == IFLA_LINK_NETNSID) elsewhere = true;
    if (type == IFLA_LINKINFO) out.kind = kind_of(payload);
  });
  if (elsewhere || !stands_upon_link(out.kind)) out.lower = 0;
  return out;
}

namespace {

base::Result<base::Fd> ask_for_links() {
  base::Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!fd) return std::unexpected(base::Error::last(kOperation));
  const timeval patience{5, 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  alignas(nlmsghdr) std::array<std::uint8_t, 128> room{};
  nlmsghdr* message = mnl_nlmsg_put_header(room.data());
  message->nlmsg_type = RTM_GETLINK;
  message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  mnl_nlmsg_put_extra_header(message, sizeof(ifinfomsg));
  mnl_attr_put_u32(message, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  if (::send(fd.get(), room.data(), message->nlmsg_len, 0) < 0) {
    return std::unexpected(base::Error::last(kOperation));
  }
  return fd;
}

void add_beneath(std::span<const Link> links, const Link& link, std::set<std::uint32_t>& seen,
                 std::vector<Link>& into) {
  if (!seen.insert(link.ifindex).second) return;
  bool leaf = true;
  for (const auto& other : links) {
    const bool below = made_of_members(link.kind) ? other.master == link.ifindex : other.ifindex == link.lower;
    if (!below || other.ifindex == link.ifindex) continue;
    leaf = false;
    add_beneath(links, other, seen, into);
  }
  if (leaf) into.push_back(link);
}

}  // namespace

base::Result<std::vector<Link>> links() {
  auto fd = ask_for_links();
  if (!fd) return std::unexpected(fd.error());
  std::vector<Link> out;
  std::vector<std::uint64_t> buffer(kReceiveOctets / sizeof(std::uint64_t));
  for (;;) {
    const ssize_t got = recv(fd->get(), buffer.data(), kReceiveOctets, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::unexpected(base::Error::last(kOperation));
    const base::ByteView octets(reinterpret_cast<const std::uint8_t*>(buffer.data()), static_cast<std::size_t>(got));
    std::optional<Ack> refused;
    const bool more = for_each_message(octets, [&](const nlmsghdr& message) {
      refused = decode_ack(message);
      if (auto link = decode_link(message)) out.push_back(std::move(*link));
      return !refused && message.nlmsg_type != NLMSG_DONE;
    });
    if (refused) return std::unexpected(base::Error{kOperation, refused->code, refused->words});
    if (!more) return out;
  }
}

std::vector<Link> beneath(std::span<const Link> links, std::uint32_t ifindex) {
  std::vector<Link> out;
  std::set<std::uint32_t> seen;
  const auto found = std::ranges::find(links, ifindex, &Link::ifindex);
  if (found != links.end()) add_beneath(links, *found, seen, out);
  std::ranges::sort(out, {}, &Link::ifindex);
  return out;
}

}  // namespace espgate::xfrm
