// SPDX-License-Identifier: Apache-2.0
#include "tests/bpf/bpf_world.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/fd.h"

namespace espgate::test {

namespace {

std::string make_world(std::string& bpffs) {
  const base::Fd map(bpf_map_create(BPF_MAP_TYPE_ARRAY, "probe", 4, 4, 1, nullptr));
  if (!map) return base::Error::last("make a BPF map").text();
  if (::unshare(CLONE_NEWNS | CLONE_NEWNET) != 0) return base::Error::last("make namespaces").text();
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return base::Error::last("mount").text();
  static char directory[] = "/tmp/espgate-bpf.XXXXXX";
  if (::mkdtemp(directory) == nullptr) return base::Error::last("make a directory").text();
  bpffs = directory;
  if (::mount("bpf", directory, "bpf", 0, nullptr) != 0) return base::Error::last("mount a bpffs").text();
  std::atexit([] {
    ::umount2(directory, MNT_DETACH);
    ::rmdir(directory);
  });
  // A device that comes up with IPv6 on it says so (MLD, router solicitation), and the packet would be counted.
  run("echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6");
  return run("ip link set lo up") == 0 ? "" : "no ip(8)";
}

}  // namespace

int run(const std::string& command) { return std::system(command.c_str()); }

std::string enter_world(std::string& bpffs) {
  static std::string made;
  static const std::string why = make_world(made);
  bpffs = made;
  return why;
}

void BpfTest::SetUp() {
  const std::string why = enter_world(bpffs);
  if (!why.empty()) GTEST_SKIP() << why;
  run("ip link del espg0 2>/dev/null");
}

void BpfTest::TearDown() {
  if (!bpffs.empty()) run("rm -rf " + bpffs + "/espgate");
}

}  // namespace espgate::test
