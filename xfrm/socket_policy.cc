// SPDX-License-Identifier: Apache-2.0
#include "xfrm/socket_policy.h"

#include <linux/udp.h>
#include <linux/xfrm.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace espgate::xfrm {
namespace {

#ifndef IPV6_XFRM_POLICY
constexpr int IPV6_XFRM_POLICY = 35;
#endif
#ifndef IP_XFRM_POLICY
constexpr int IP_XFRM_POLICY = 17;
#endif

base::Result<void> set_one(int fd, base::Family family, std::uint8_t direction) {
  xfrm_userpolicy_info policy{};
  policy.dir = direction;
  policy.action = XFRM_POLICY_ALLOW;
  policy.sel.family = static_cast<std::uint16_t>(family);
  const bool v4 = family == base::Family::ipv4;
  if (setsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_XFRM_POLICY : IPV6_XFRM_POLICY, &policy, sizeof policy) !=
      0) {
    return std::unexpected(
        base::Error::last(v4 ? "let IKE pass the SPD (IP_XFRM_POLICY)" : "let IKE pass the SPD (IPV6_XFRM_POLICY)"));
  }
  return {};
}

}  // namespace

base::Result<void> bypass(int fd, base::Family family) {
  if (auto in = set_one(fd, family, XFRM_POLICY_IN); !in) return in;
  return set_one(fd, family, XFRM_POLICY_OUT);
}

base::Result<void> take_esp_in_udp(int fd) {
  const int kind = UDP_ENCAP_ESPINUDP;
  if (setsockopt(fd, IPPROTO_UDP, UDP_ENCAP, &kind, sizeof kind) != 0) {
    return std::unexpected(base::Error::last("take ESP in UDP (UDP_ENCAP)"));
  }
  return {};
}

}  // namespace espgate::xfrm
