// SPDX-License-Identifier: Apache-2.0
// What is loaded, attached and filled, for `espgate prog show` and `espgate map show`. Works without the daemon.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"

namespace espgate::loader {

struct ProgramInfo {
  std::uint32_t id = 0;
  std::string name;    // as in the source: "shield", "tc_egress", ...
  std::string type;    // "xdp", "tc", "tracing"
  std::string attach;  // "simnic0 native", "simnic0 dispatcher", "simnic0 egress", "xfrm_replay_recheck", ...
  std::string device;  // empty: of no device
  std::uint32_t instructions = 0;           // translated
  std::uint64_t run_count = 0, run_ns = 0;  // 0 while kernel.bpf_stats_enabled is 0
};

struct MapInfo {
  std::uint32_t id = 0;
  std::string name, type;
  std::uint32_t max_entries = 0;
  std::uint64_t entries = 0;  // in use; arrays: entries marked in use
  std::uint64_t octets = 0;   // memory, as the kernel estimates it
};

// ENOENT: nothing is pinned under `<bpffs>/espgate`.
base::Result<std::vector<ProgramInfo>> programs(const std::string& bpffs);
base::Result<std::vector<MapInfo>> map_infos(const std::string& bpffs);
// Whether the kernel measures run times now (sysctl kernel.bpf_stats_enabled).
bool run_stats_enabled();

}  // namespace espgate::loader
