// SPDX-License-Identifier: Apache-2.0
// The BPF programs on the devices they belong on.
#include "gateway/kernel_side.h"
#include "gateway/log.h"

namespace espgate::gateway {

namespace {
// What could not be had, a line each. XDP's comes first, and is what the shield needs; it may have said so itself.
void say(const loader::Attachment& attached, bool shield) {
  bool add = shield && attached.xdp == ESPGATE_XDP_NONE;
  for (const auto& missing : attached.missing) {
    add = add && missing.find("the shield") == std::string::npos;
    log_warn(missing + (add ? "; the shield does not act there" : ""));
    add = false;
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
