// SPDX-License-Identifier: Apache-2.0
// Puts an empty program and one that increments a counter of a hash beside ours, for tests/bench/hooks.py.
// espgate-bench-hooks DEVICE, in the device's network namespace; then a command a line, each answered by lines and
// "ok":
//   xdp none|empty|hash    which XDP program is on the device: ours has to be off it for another
//   show                   NAME RUNS NANOSECONDS of each program, since it was loaded
// and its own kernel.bpf_stats_enabled for as long as it runs.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/core.h>
#include <net/if.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "bench/hooks.skel.h"

namespace {

namespace base = espgate::base;

[[noreturn]] void fail(const std::string& what) {
  fmt::print(stderr, "espgate-bench-hooks: {}\n", what);
  std::exit(2);
}

// Those that can be side by side with ours.
std::vector<base::Fd> attach_beside(const hooks& bpf, int ifindex) {
  std::vector<base::Fd> out;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, bpf.obj) {
    const std::string_view name = bpf_program__name(program);
    if (name.ends_with("_shield")) continue;
    const bool device = name.find("_tc_") != std::string_view::npos;
    const auto type = bpf_program__expected_attach_type(program);
    base::Fd link(bpf_link_create(bpf_program__fd(program), device ? ifindex : 0, type, nullptr));
    if (!link) fail(fmt::format("cannot attach {}", name));
    out.push_back(std::move(link));
  }
  return out;
}

void show(const hooks& bpf) {
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, bpf.obj) {
    bpf_prog_info info{};
    std::uint32_t octets = sizeof info;
    if (bpf_prog_get_info_by_fd(bpf_program__fd(program), &info, &octets) != 0) fail("cannot read a program's times");
    fmt::print("{} {} {}\n", bpf_program__name(program), info.run_cnt, info.run_time_ns);
  }
}

base::Fd xdp(const hooks& bpf, int ifindex, const std::string& which) {
  if (which == "none") return {};
  const auto* program = which == "empty" ? bpf.progs.empty_shield : bpf.progs.hash_shield;
  base::Fd link(bpf_link_create(bpf_program__fd(program), ifindex, BPF_XDP, nullptr));
  if (!link) fail("cannot attach XDP");
  return link;
}

}  // namespace

int main(int argc, char** argv) {
  const int ifindex = argc == 2 ? static_cast<int>(if_nametoindex(argv[1])) : 0;
  if (ifindex == 0) fail("usage: espgate-bench-hooks DEVICE");
  const std::unique_ptr<hooks, decltype(&hooks::destroy)> bpf(hooks::open_and_load(), &hooks::destroy);
  if (!bpf) fail("cannot load the programs");
  const std::uint32_t key = 7;
  const std::uint64_t zero = 0;
  if (bpf_map_update_elem(bpf_map__fd(bpf->maps.counts), &key, &zero, BPF_ANY) != 0) fail("cannot fill the hash");
  const base::Fd statistics(bpf_enable_stats(BPF_STATS_RUN_TIME));
  if (!statistics) fail("cannot have run times");
  const auto beside = attach_beside(*bpf, ifindex);
  base::Fd on_device;
  fmt::print("ready\n");
  std::fflush(stdout);
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream text(line);
    std::string verb, which;
    text >> verb >> which;
    if (verb == "xdp") {
      if (on_device) (void)bpf_link_detach(on_device.get());
      on_device = xdp(*bpf, ifindex, which);
    }
    if (verb == "show") show(*bpf);
    fmt::print("ok\n");
    std::fflush(stdout);
  }
  return 0;
}
