// SPDX-License-Identifier: Apache-2.0
// Netlink attributes behind a message's fixed header; inside xfrm/ only.
#pragma once

#include <libmnl/libmnl.h>

#include <cstdint>

#include "base/bytes.h"

namespace espgate::xfrm {

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
