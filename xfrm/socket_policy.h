// SPDX-License-Identifier: Apache-2.0
// What an IKE socket needs of XFRM.
#pragma once

#include "base/address.h"
#include "base/error.h"

namespace espgate::xfrm {

// Per-socket policies, in and out: what this socket sends and receives passes in the clear, whatever the SPD says.
// `family` is the socket's; a dual-stack IPv6 socket needs both. Errors: EPERM without CAP_NET_ADMIN, ENOPROTOOPT or
// EOPNOTSUPP without XFRM.
base::Result<void> bypass(int fd, base::Family family);

// Makes the kernel take ESP in UDP (RFC 3948) off this socket before we see it. Errors: ENOPROTOOPT without ESP.
base::Result<void> take_esp_in_udp(int fd);

}  // namespace espgate::xfrm
