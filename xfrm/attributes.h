// SPDX-License-Identifier: Apache-2.0
// Netlink messages of a datagram, and the attributes behind a message's fixed header; inside xfrm/ only. Nothing that
// is read is believed: a hostile or newer kernel may say any length.
#pragma once

#include <libmnl/libmnl.h>
#include <linux/netlink.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace espgate::xfrm {

// Calls each(message) for every message of a datagram, until one returns false (then so does this), or what follows is
// no whole message. `octets` begins where an nlmsghdr may. (mnl_nlmsg_ok compares as int: lengths beyond INT_MAX pass
// it.)
template <class Each>
bool for_each_message(base::ByteView octets, const Each& each) {
  while (octets.size() >= sizeof(nlmsghdr)) {
    const auto* message = reinterpret_cast<const nlmsghdr*>(octets.data());
    if (message->nlmsg_len < sizeof(nlmsghdr) || message->nlmsg_len > octets.size()) return true;
    if (!each(*message)) return false;
    octets = octets.subspan(std::min<std::size_t>(NLMSG_ALIGN(std::size_t{message->nlmsg_len}), octets.size()));
  }
  return true;
}

// Calls each(type, payload) for the attributes that start `after` octets into the message's payload.
template <class Each>
void for_each_attribute(const nlmsghdr& message, std::size_t after, const Each& each) {
  if (after > mnl_nlmsg_get_payload_len(&message)) return;
  const auto* attr = static_cast<const nlattr*>(mnl_nlmsg_get_payload_offset(&message, after));
  const auto* end = static_cast<const char*>(mnl_nlmsg_get_payload_tail(&message));
  while (mnl_attr_ok(attr, static_cast<int>(end - reinterpret_cast<const char*>(attr)))) {
    const auto* payload = static_cast<const std::uint8_t*>(mnl_attr_get_payload(attr));
    each(mnl_attr_get_type(attr), base::ByteView(payload, mnl_attr_get_payload_len(attr)));
    attr = mnl_attr_next(attr);
  }
}

}  // namespace espgate::xfrm
