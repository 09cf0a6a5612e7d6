// SPDX-License-Identifier: Apache-2.0
// Rules about what surrounds espgate: daemon, kernel, settings, clock, disks.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "control/doctor/diagnose.h"

namespace espgate::control::doctor {
namespace {

constexpr std::uint64_t kLittleSpace = 16U << 20U;  // octets: the cache, a log line and a core's beginning
constexpr std::uint64_t kFewInodes = 16;
constexpr std::int64_t kStaleTextfile = 180;     // seconds: three runs a minute apart
constexpr std::int64_t kBefore = 1'767'225'600;  // 2026-01-01: no clock that was ever set shows less

std::string sysctl(const Facts& facts, const std::string& name) {
  const auto found = facts.sysctls.find(name);
  return found == facts.sysctls.end() ? std::string() : found->second;
}

bool anybody_wants_offload(const Facts& facts) {
  if (!facts.config) return false;
  for (const auto& child : facts.config->children) {
    if (child.wants_offload) return true;
  }
  return false;
}

}  // namespace

void check_daemon(const Facts& facts, Sheet& sheet) {
  if (!facts.daemon_trouble.empty()) {
    sheet.error("", facts.daemon_trouble,
                "`systemctl status espgated` and `journalctl -u espgated` say why it is down");
    return;
  }
  const auto& daemon = facts.report.daemon;
  if (daemon && !daemon->version.empty() && daemon->version.find(facts.our_version) == std::string::npos) {
    sheet.warning("", fmt::format("espgated is {}, this espgate {}", daemon->version, facts.our_version),
                  "`systemctl restart espgated` runs the version that is installed");
  }
}

void check_kernel(const Facts& facts, Sheet& sheet) {
  if (!facts.kernel_trouble) {
    sheet.unmade("needs CAP_NET_ADMIN");
  } else if (!facts.kernel_trouble->empty()) {
    sheet.error("", *facts.kernel_trouble, "`uname -r` and `modprobe esp4` say more");
  }
}

void check_modules(const Facts& facts, Sheet& sheet) {
  for (const auto& [module, state] : facts.modules) {
    const bool for_offload = module.ends_with("_offload");
    if (state != Module::absent && !(for_offload && state == Module::loadable)) continue;
    if (for_offload && !anybody_wants_offload(facts)) continue;
    const auto what = for_offload ? "without it no SA is offloaded, and ESP is not merged by GRO"
                                  : "children that need it are refused by the kernel";
    if (state == Module::loadable) {
      sheet.warning(module, fmt::format("the module is not loaded: {}", what),
                    fmt::format("`modprobe {0}`, and {0} in /etc/modules-load.d/espgate.conf", module));
    } else {
      sheet.error(module, fmt::format("this kernel does not have the module: {}", what),
                  "install a kernel that has it (Debian: linux-image-amd64, not the -cloud- one)");
    }
  }
}

void check_accounting(const Facts& facts, Sheet& sheet) {
  if (!facts.maps_trouble.empty()) {
    sheet.warning("", "no accounting: " + facts.maps_trouble, "the lines of espgated's start name what it lacked");
  }
  if (facts.btf && !*facts.btf) {
    sheet.warning("/sys/kernel/btf/vmlinux", "the kernel has no BTF: the exact counting hooks cannot be attached",
                  "run a kernel with CONFIG_DEBUG_INFO_BTF (each of Debian's)");
  }
  if (facts.lockdown == "confidentiality") {
    sheet.error("lockdown", "the kernel is locked down (confidentiality): BPF may not read what counting needs",
                "boot with lockdown=integrity or without");
  }
}

void check_sysctls(const Facts& facts, Sheet& sheet) {
  if (sysctl(facts, "net.core.xfrm_larval_drop") == "1") {
    sheet.note("net.core.xfrm_larval_drop = 1", "the first packet at a trap is lost while its child comes up",
               "`sysctl net.core.xfrm_larval_drop=0` lets it wait");
  }
  for (const auto& device : facts.devices) {
    if (device.disable_xfrm == "1" && device.name != "lo") {
      sheet.error(
          device.name, "disable_xfrm = 1: packets leave by it in the clear, whatever policies say",
          fmt::format("`sysctl net.ipv4.conf.{}.disable_xfrm=0`, unless it is the tunnel's own device", device.name));
    }
    if (device.disable_policy == "1" && device.name != "lo") {
      sheet.warning(device.name, "disable_policy = 1: packets that come in by it are not held against policies",
                    fmt::format("`sysctl net.ipv4.conf.{}.disable_policy=0`", device.name));
    }
  }
}

void check_clock(const Facts& facts, Sheet& sheet) {
  if (facts.now < kBefore) {
    sheet.error("", "the clock stands in the past: certificates look as if they were not valid yet",
                "set it (`timedatectl set-ntp true`), then `espgate conn up`");
  } else if (facts.clock_synchronised && !*facts.clock_synchronised) {
    sheet.note("", "the clock is not synchronised: certificates are judged by it, and logs of two ends do not match",
               "`timedatectl set-ntp true`, or run chrony");
  }
}

void check_space(const Facts& facts, Sheet& sheet) {
  for (const auto& disk : facts.disks) {
    if (disk.free_octets < kLittleSpace || disk.free_inodes < kFewInodes) {
      sheet.error(disk.path,
                  fmt::format("nearly full: {} KiB and {} inodes are free; what devices take, and metrics, "
                              "are not kept",
                              disk.free_octets >> 10U, disk.free_inodes),
                  fmt::format("`df -h {0}; df -i {0}`, and make room", disk.path));
    }
  }
}

void check_other_daemons(const Facts& facts, Sheet& sheet) {
  if (facts.other_daemons.empty()) return;
  sheet.warning(fmt::format("{}", fmt::join(facts.other_daemons, ", ")),
                "another IKE daemon runs: two cannot share ports 500 and 4500, and each deletes or shadows the "
                "other's policies",
                "stop and disable it (`systemctl disable --now strongswan ipsec`)");
}

void check_textfile(const Facts& facts, Sheet& sheet) {
  if (facts.textfile_age && *facts.textfile_age > kStaleTextfile) {
    sheet.warning(facts.textfile, fmt::format("written {} s ago: Prometheus sees old numbers", *facts.textfile_age),
                  "look at the timer or cron job that runs `espgate export prometheus textfile PATH`");
  }
}

}  // namespace espgate::control::doctor
