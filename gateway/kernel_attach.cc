// SPDX-License-Identifier: Apache-2.0
// The BPF programs on the devices they belong on.
#include "gateway/kernel_side.h"
#include "gateway/log.h"

namespace espgate::gateway {

namespace {
// What could not be had, a line each. XDP's comes first, and is what the shield needs.
void say(const loader::Attachment& attached, bool shield) {
  const bool absent = shield && attached.xdp == ESPGATE_XDP_NONE;
  for (std::size_t i = 0; i < attached.missing.size(); ++i) {
    log_warn(attached.missing[i] + (absent && i == 0 ? "; the shield does not act there" : ""));
  }
}
}  // namespace

void KernelSide::attach(const std::set<std::string>& devices, loader::XdpWish xdp, bool shield) {
  for (const auto& attachment : loader_.attachments()) {
    if (devices.contains(attachment.device)) continue;
    if (auto detached = loader_.detach_device(attachment.ifindex); !detached) log_warn(detached.error().text());
  }
  for (const auto& device : devices) {
    if (auto attached = loader_.attach_device(device, xdp)) {
      say(*attached, shield);
    } else {
      log_warn("no accounting on " + device + ": " + attached.error().text());
    }
  }
}

}  // namespace espgate::gateway
