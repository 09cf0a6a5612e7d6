// SPDX-License-Identifier: Apache-2.0
// Hooks on devices: tcx both ways and XDP, and the map `devices` that says where they are.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "loader/loader.h"
#include "loader/objects.h"

namespace espgate::loader {

class Devices {
 public:
  // The objects have to outlive it.
  Devices(Objects& objects, std::string bpffs, std::uint64_t netns)
      : objects_(objects), fds_(objects.fds()), bpffs_(std::move(bpffs)), netns_(netns) {}

  base::Result<Attachment> attach(const std::string& device, XdpWish wish);
  base::Result<void> detach(std::uint32_t ifindex);
  [[nodiscard]] std::vector<Attachment> list() const;
  // After a restart: programs of devices that are still there are renewed, the rest is forgotten.
  void renew();

 private:
  [[nodiscard]] std::string pin(const char* hook, std::uint32_t ifindex) const;
  void attach_xdp(Attachment& attachment, XdpWish wish);
  void attach_dispatched(Attachment& attachment);
  void detach_xdp(std::uint32_t ifindex);
  bool attach_generic_hook(Attachment& attachment);
  bool attach_tc(Attachment& attachment, const char* hook, const char* name);

  Objects& objects_;
  const ObjectFds& fds_;
  std::string bpffs_;
  std::uint64_t netns_;
};

}  // namespace espgate::loader
