// SPDX-License-Identifier: Apache-2.0
// Constants of the running kernel that CO-RE cannot relocate, because their enumerations have no name.
#pragma once

#include <cstdint>

#include "base/error.h"

namespace espgate::loader {

struct KernelConstants {
  std::uint64_t netif_f_hw_esp = 0;  // a bit of net_device.features
  std::uint32_t skb_gso_tcp = 0;     // bits of skb_shared_info.gso_type, IPv4 and IPv6
  std::uint32_t skb_gso_udp_l4 = 0;
  bool asks_xfrm = false;  // has what bpf/known.h asks it by (Linux 6.8)
};

// From the kernel's BTF; ENOENT where it has none (CONFIG_DEBUG_INFO_BTF).
base::Result<KernelConstants> kernel_constants();

}  // namespace espgate::loader
