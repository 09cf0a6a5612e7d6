// SPDX-License-Identifier: Apache-2.0
#include "control/doctor/gather.h"

#include <fmt/format.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "base/fd.h"
#include "xfrm/device_features.h"
#include "xfrm/netlink.h"

namespace espgate::control::doctor {
namespace {

namespace fs = std::filesystem;

constexpr std::array kModules{"esp4", "esp6", "esp4_offload", "esp6_offload", "xfrm_user"};
constexpr std::array kSysctls{"net.ipv4.ip_forward",         "net.ipv6.conf.all.forwarding",
                              "net.ipv4.conf.all.rp_filter", "net.core.xfrm_larval_drop",
                              "net.core.xfrm_acq_expires",   "net.ipv4.ip_no_pmtu_disc"};
constexpr std::array kIkeDaemons{"charon", "charon-systemd", "pluto", "racoon", "iked"};

std::string first_line(const fs::path& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return line;
}

std::string sysctl_path(std::string name) {
  std::ranges::replace(name, '.', '/');
  return "/proc/sys/" + name;
}

// The names of the modules in one of depmod's lists: "kernel/net/ipv4/esp4.ko.xz: ..." is esp4.
std::optional<std::set<std::string>> modules_in(const fs::path& list) {
  std::ifstream in(list);
  if (!in) return std::nullopt;
  std::set<std::string> out;
  for (std::string line; std::getline(in, line);) {
    const auto path = line.substr(0, line.find(':'));
    const auto name = path.substr(path.rfind('/') + 1);
    out.insert(name.substr(0, name.find('.')));
  }
  return out;
}

std::map<std::string, Module> read_modules() {
  utsname name{};
  uname(&name);
  const fs::path folder = fs::path("/lib/modules") / name.release;
  const auto builtin = modules_in(folder / "modules.builtin");
  const auto loadable = modules_in(folder / "modules.dep");
  std::map<std::string, Module> out;
  for (const auto* module : kModules) {
    std::error_code none;
    if (fs::exists(fs::path("/sys/module") / module, none))
      out[module] = Module::loaded;
    else if (builtin && builtin->contains(module))
      out[module] = Module::builtin;
    else if (loadable && loadable->contains(module))
      out[module] = Module::loadable;
    else if (builtin && loadable)
      out[module] = Module::absent;
  }
  return out;
}

// "[none] integrity confidentiality": the one in brackets.
std::string read_lockdown() {
  const auto line = first_line("/sys/kernel/security/lockdown");
  const auto begin = line.find('['), end = line.find(']');
  return begin == std::string::npos || end == std::string::npos ? std::string()
                                                                : line.substr(begin + 1, end - begin - 1);
}

std::map<std::string, std::uint64_t> read_xfrm_stat() {
  std::map<std::string, std::uint64_t> out;
  std::ifstream in("/proc/net/xfrm_stat");
  std::string name;
  for (std::uint64_t count = 0; in >> name >> count;) out[name] = count;
  return out;
}

// FragFails of /proc/net/snmp: a line of names, then one of numbers.
std::optional<std::uint64_t> read_too_big() {
  std::ifstream in("/proc/net/snmp");
  std::string names, numbers;
  if (!std::getline(in, names) || !std::getline(in, numbers)) return std::nullopt;
  std::istringstream name_words(names), number_words(numbers);
  std::string name, number;
  while (name_words >> name && number_words >> number) {
    if (name == "FragFails") return std::stoull(number);
  }
  return std::nullopt;
}

std::optional<std::uint32_t> mtu_of(const std::string& device) {
  const base::Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  if (device.size() >= sizeof request.ifr_name) return std::nullopt;
  std::memcpy(request.ifr_name, device.data(), device.size());
  if (ioctl(socket.get(), SIOCGIFMTU, &request) != 0) return std::nullopt;
  return static_cast<std::uint32_t>(request.ifr_mtu);
}

std::vector<DeviceFacts> read_devices() {
  std::vector<DeviceFacts> out;
  const auto devices = xfrm::device_features();
  if (!devices) return out;
  for (const auto& device : *devices) {
    // Not by sysctl's name: a device's may have a dot in it.
    const fs::path conf = fs::path("/proc/sys/net/ipv4/conf") / device.device;
    out.push_back({device.device, device.up, mtu_of(device.device), device.esp_hw_offload,
                   first_line(conf / "rp_filter"), first_line(conf / "disable_xfrm"),
                   first_line(conf / "disable_policy")});
  }
  return out;
}

// Those of this network namespace.
std::vector<std::string> read_other_daemons() {
  std::vector<std::string> out;
  std::error_code error;
  const auto home = fs::read_symlink("/proc/self/ns/net", error);
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    const auto pid = entry.path().filename().string();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    const auto comm = first_line(entry.path() / "comm");
    if (std::ranges::find(kIkeDaemons, comm) == kIkeDaemons.end()) continue;
    std::error_code unreadable;
    const auto there = fs::read_symlink(entry.path() / "ns/net", unreadable);
    if (!unreadable && there == home) out.push_back(fmt::format("{} ({})", comm, pid));
  }
  return out;
}

std::vector<DiskFacts> read_disks(const std::string& state) {
  std::vector<DiskFacts> out;
  for (const auto& path : {state, std::string("/run")}) {
    struct statvfs room{};
    if (statvfs(path.c_str(), &room) == 0) {
      // A file system without a table of inodes (btrfs) says 0 of 0.
      const std::uint64_t inodes = room.f_files == 0 ? UINT64_MAX : room.f_favail;
      out.push_back({path, static_cast<std::uint64_t>(room.f_bavail) * room.f_frsize, inodes});
    }
  }
  return out;
}

std::optional<std::string> ask_kernel() {
  const auto kernel = xfrm::NetlinkKernel::make();
  const auto support = kernel ? kernel->support() : xfrm::explain(kernel.error());
  if (support.verdict == xfrm::Support::Verdict::no_permission) return std::nullopt;
  return support.usable() ? std::string() : support.text;
}

void read_clock(Facts& facts) {
  facts.now =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  timex clock{};
  if (adjtimex(&clock) >= 0) facts.clock_synchronised = (clock.status & STA_UNSYNC) == 0;
}

}  // namespace

Facts gather(const Where& where) {
  Facts facts;
  read_clock(facts);
  facts.our_version = ESPGATE_VERSION;
  facts.kernel_trouble = ask_kernel();
  facts.modules = read_modules();
  std::error_code unreadable;
  facts.btf = fs::exists("/sys/kernel/btf/vmlinux", unreadable);
  facts.lockdown = read_lockdown();
  for (const auto* name : kSysctls) {
    if (auto value = first_line(sysctl_path(name)); !value.empty()) facts.sysctls[name] = std::move(value);
  }
  facts.xfrm_stat = read_xfrm_stat();
  facts.too_big = read_too_big();
  facts.devices = read_devices();
  facts.disks = read_disks(where.state);
  facts.other_daemons = read_other_daemons();
  facts.textfile = where.textfile;
  struct stat textfile{};
  if (stat(where.textfile.c_str(), &textfile) == 0) facts.textfile_age = facts.now - textfile.st_mtime;
  gather_config(where.config, facts);
  return facts;
}

}  // namespace espgate::control::doctor
