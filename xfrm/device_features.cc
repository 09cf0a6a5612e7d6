// SPDX-License-Identifier: Apache-2.0
#include "xfrm/device_features.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstring>
#include <memory>

#include "base/fd.h"

namespace espgate::xfrm {
namespace {

constexpr const char* kFeature = "esp-hw-offload";

// One SIOCETHTOOL question; `data` begins with its command number.
bool ask(const base::Fd& socket, const std::string& device, void* data) {
  ifreq request{};
  std::strncpy(request.ifr_name, device.c_str(), IFNAMSIZ - 1);
  request.ifr_data = static_cast<char*>(data);
  return ioctl(socket.get(), SIOCETHTOOL, &request) == 0;
}

// A kernel structure with an array of unknown length at its end, in zeroed memory of its own alignment.
template <class Head>
class Tailed {
 public:
  explicit Tailed(std::size_t tail) : memory_((sizeof(Head) + tail + 7) / 8) {}
  Head* get() { return reinterpret_cast<Head*>(memory_.data()); }
  Head* operator->() { return get(); }

 private:
  std::vector<std::uint64_t> memory_;
};

std::uint32_t feature_count(const base::Fd& socket, const std::string& device) {
  Tailed<ethtool_sset_info> info(sizeof(std::uint32_t));
  info->cmd = ETHTOOL_GSSET_INFO;
  info->sset_mask = std::uint64_t{1} << ETH_SS_FEATURES;
  if (!ask(socket, device, info.get()) || info->sset_mask == 0) return 0;
  return info->data[0];
}

// Position of the feature among this kernel's; `count` if it does not know it.
std::uint32_t feature_index(const base::Fd& socket, const std::string& device, std::uint32_t count) {
  Tailed<ethtool_gstrings> names(std::size_t{count} * ETH_GSTRING_LEN);
  names->cmd = ETHTOOL_GSTRINGS;
  names->string_set = ETH_SS_FEATURES;
  names->len = count;
  if (!ask(socket, device, names.get())) return count;
  for (std::uint32_t i = 0; i < count; ++i) {
    const char* name = reinterpret_cast<const char*>(names->data) + std::size_t{i} * ETH_GSTRING_LEN;
    if (std::strncmp(name, kFeature, ETH_GSTRING_LEN) == 0) return i;
  }
  return count;
}

void read_feature(const base::Fd& socket, DeviceFeatures& into) {
  const std::uint32_t count = feature_count(socket, into.device);
  const std::uint32_t index = feature_index(socket, into.device, count);
  if (index == count) return;
  const std::uint32_t blocks = (count + 31) / 32;
  Tailed<ethtool_gfeatures> features(blocks * sizeof(ethtool_get_features_block));
  features->cmd = ETHTOOL_GFEATURES;
  features->size = blocks;
  if (!ask(socket, into.device, features.get())) return;
  const auto& block = features->features[index / 32];
  const std::uint32_t bit = 1U << (index % 32);
  const bool active = (block.active & bit) != 0;
  const bool available = (block.available & bit) != 0;
  if (!active && !available) return;
  into.esp_hw_offload = active;
  into.fixed = !available || (block.never_changed & bit) != 0;
}

void read_driver(const base::Fd& socket, DeviceFeatures& into) {
  ethtool_drvinfo info{};
  info.cmd = ETHTOOL_GDRVINFO;
  if (!ask(socket, into.device, &info)) return;
  into.driver.assign(info.driver, strnlen(info.driver, sizeof info.driver));
  into.driver_version.assign(info.version, strnlen(info.version, sizeof info.version));
  into.firmware.assign(info.fw_version, strnlen(info.fw_version, sizeof info.fw_version));
  into.bus.assign(info.bus_info, strnlen(info.bus_info, sizeof info.bus_info));
}

base::Result<base::Fd> open_socket() {
  base::Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return std::unexpected(base::Error::last("open a socket to ask for devices"));
  return socket;
}

// false: no such device any more, or loopback.
bool read_flags(const base::Fd& socket, DeviceFeatures& into) {
  ifreq request{};
  std::strncpy(request.ifr_name, into.device.c_str(), IFNAMSIZ - 1);
  if (ioctl(socket.get(), SIOCGIFFLAGS, &request) != 0) return false;
  into.up = (request.ifr_flags & IFF_UP) != 0 && (request.ifr_flags & IFF_RUNNING) != 0;
  return (request.ifr_flags & IFF_LOOPBACK) == 0;
}

}  // namespace

base::Result<std::vector<DeviceFeatures>> device_features() {
  const auto socket = open_socket();
  if (!socket) return std::unexpected(socket.error());
  const std::unique_ptr<struct if_nameindex, decltype(&if_freenameindex)> names(if_nameindex(), &if_freenameindex);
  if (!names) return std::unexpected(base::Error::last("list network devices"));
  std::vector<DeviceFeatures> devices;
  for (const auto* each = names.get(); each->if_name != nullptr; ++each) {
    DeviceFeatures device;
    device.device = each->if_name;
    if (!read_flags(*socket, device)) continue;
    read_driver(*socket, device);
    read_feature(*socket, device);
    devices.push_back(std::move(device));
  }
  return devices;
}

base::Result<DeviceFeatures> device_features(const std::string& device) {
  const auto socket = open_socket();
  if (!socket) return std::unexpected(socket.error());
  DeviceFeatures out;
  out.device = device;
  if (!read_flags(*socket, out)) return out;
  read_driver(*socket, out);
  read_feature(*socket, out);
  return out;
}

}  // namespace espgate::xfrm
