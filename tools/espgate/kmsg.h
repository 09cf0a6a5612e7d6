// SPDX-License-Identifier: Apache-2.0
// What a network device writes into the kernel's log, for drivers that say there what they keep from netlink.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"

namespace espgate::tools {

// How a device's lines are known: by its name, its place on the bus, or its driver's name at their beginning.
struct DeviceWords {
  std::string device, bus, driver;  // empty ones match nothing
};

// The text of a /dev/kmsg record ("6,339,5140900,-;TEXT\n SUBSYSTEM=net\n"), its escapes (\xNN) as they are; nullopt if
// it is no record. Documentation/ABI/testing/dev-kmsg.
std::optional<std::string_view> kmsg_text(std::string_view record);
bool is_from(std::string_view text, const DeviceWords& device);

class KernelLog {
 public:
  // From now on. nullopt: there is no /dev/kmsg, or no right to read it (CAP_SYSLOG).
  static std::optional<KernelLog> open();
  // What the device has written since the call before, oldest first.
  std::vector<std::string> lines(const DeviceWords& device);

 private:
  explicit KernelLog(base::Fd fd) : fd_(std::move(fd)) {}
  base::Fd fd_;
};

}  // namespace espgate::tools
