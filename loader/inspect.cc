// SPDX-License-Identifier: Apache-2.0
#include "loader/inspect.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <net/if.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "maps/pins.h"
#include "maps/reader.h"

namespace espgate::loader {

namespace {

// What is attached to an exact hook hands over to the program of that name, and its times are of both.
constexpr std::string_view entry_prefix = "at_";

std::string device_name(std::uint32_t ifindex) {
  char name[IF_NAMESIZE] = {};
  return ifindex != 0 && if_indextoname(ifindex, name) != nullptr ? name : "";
}

// Where a link is attached: {device, words}.
std::pair<std::string, std::string> place_of(const bpf_link_info& link, const std::string& program) {
  if (link.type == BPF_LINK_TYPE_XDP) {
    const std::string device = device_name(link.xdp.ifindex);
    return {device, device + (program == "shield_generic" ? " generic" : " native")};
  }
  if (link.type == BPF_LINK_TYPE_TCX) {
    const std::string device = device_name(link.tcx.ifindex);
    return {device, device + (link.tcx.attach_type == BPF_TCX_INGRESS ? " ingress" : " egress")};
  }
  if (program == "arrive") return {"", "xfrm_replay_check"};
  if (program == "accept") return {"", "xfrm_replay_advance"};
  if (program == "receive") return {"", "xfrm_replay_recheck"};
  if (program == "transmit") return {"", "xfrm_replay_overflow"};
  if (program == "generic_packet") return {"", "bpf_prog_run_generic_xdp"};
  return {"", program == "transmit_busy" ? "net_dev_xmit" : "net_dev_start_xmit"};
}

std::string type_of(const bpf_prog_info& program) {
  if (program.type == BPF_PROG_TYPE_SCHED_CLS) return "tc";
  if (program.type == BPF_PROG_TYPE_EXT) return "xdp";  // of a dispatcher, which is one
  const char* name = libbpf_bpf_prog_type_str(static_cast<bpf_prog_type>(program.type));
  return name != nullptr ? name : "unknown";
}

// Without the place.
std::optional<ProgramInfo> describe(const base::Fd& fd) {
  bpf_prog_info program{};
  std::uint32_t octets = sizeof program;
  if (!fd || bpf_prog_get_info_by_fd(fd.get(), &program, &octets) != 0) return std::nullopt;
  ProgramInfo out;
  out.id = program.id;
  out.name = program.name;
  if (out.name.starts_with(entry_prefix)) out.name.erase(0, entry_prefix.size());
  out.type = type_of(program);
  out.instructions = program.xlated_prog_len / 8;
  out.run_count = program.run_cnt;
  out.run_ns = program.run_time_ns;
  return out;
}

std::optional<ProgramInfo> program_of(const base::Fd& link) {
  bpf_link_info about{};
  std::uint32_t octets = sizeof about;
  if (!link || bpf_link_get_info_by_fd(link.get(), &about, &octets) != 0) return std::nullopt;
  auto out = describe(base::Fd(bpf_prog_get_fd_by_id(about.prog_id)));
  if (out) std::tie(out->device, out->attach) = place_of(about, out->name);
  return out;
}

// One in a dispatcher, by its pin; the number of its device is in the pin's name.
std::optional<ProgramInfo> dispatched(const base::Fd& program, const char* ifindex) {
  auto out = describe(program);
  if (!out) return out;
  out->device = device_name(static_cast<std::uint32_t>(std::strtoul(ifindex, nullptr, 10)));
  out->attach = out->device + " dispatcher";
  return out;
}

std::uint64_t keys_in(int map, const bpf_map_info& info) {
  std::vector<std::uint8_t> key(info.key_size), before(info.key_size);
  std::uint64_t found = 0;
  // A key deleted meanwhile starts the walk over: bound it.
  while (found < info.max_entries && bpf_map_get_next_key(map, found == 0 ? nullptr : before.data(), key.data()) == 0) {
    ++found;
    before = key;
  }
  return found;
}

// /proc/self/fdinfo says what a map takes.
std::uint64_t octets_of(int map) {
  std::ifstream text("/proc/self/fdinfo/" + std::to_string(map));
  std::string word;
  std::uint64_t value = 0;
  while (text >> word)
    if (word == "memlock:") text >> value;
  return value;
}

std::uint64_t used(const std::string& name, int map, const bpf_map_info& info, const maps::Reader& reader) {
  if (name == "sa_dir" || name == "sa_index" || name == "counters") return reader.sas_in_use();
  if (name == "policy_dir") return reader.policies().size();
  return info.type == BPF_MAP_TYPE_ARRAY ? info.max_entries : keys_in(map, info);
}

}  // namespace

base::Result<std::vector<ProgramInfo>> programs(const std::string& bpffs) {
  const std::string directory = maps::pin_directory(bpffs);
  std::error_code error;
  std::vector<ProgramInfo> out;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename().string();
    const bool link = name.starts_with(maps::link_prefix);
    if (!link && !name.starts_with(maps::dispatched_prefix)) continue;
    const base::Fd pin(bpf_obj_get(entry.path().c_str()));
    auto program =
        link ? program_of(pin) : dispatched(pin, name.c_str() + std::string_view(maps::dispatched_prefix).size());
    if (program) out.push_back(std::move(*program));
  }
  if (error) return std::unexpected(base::Error{"read " + directory, error.value(), {}});
  std::ranges::sort(out, {}, [](const ProgramInfo& one) { return std::pair(one.device, one.name); });
  return out;
}

base::Result<std::vector<MapInfo>> map_infos(const std::string& bpffs) {
  const auto reader = maps::Reader::open(bpffs);
  if (!reader) return std::unexpected(reader.error());
  std::vector<MapInfo> out;
  for (const char* name : maps::map_names) {
    LIBBPF_OPTS(bpf_obj_get_opts, options, .file_flags = BPF_F_RDONLY);
    const base::Fd map(bpf_obj_get_opts(maps::map_pin(bpffs, name).c_str(), &options));
    bpf_map_info info{};
    std::uint32_t octets = sizeof info;
    if (!map || bpf_map_get_info_by_fd(map.get(), &info, &octets) != 0)
      return std::unexpected(base::Error::last(std::string("read the pinned map ") + name));
    const char* type = libbpf_bpf_map_type_str(static_cast<bpf_map_type>(info.type));
    out.push_back({info.id, name, type != nullptr ? type : "unknown", info.max_entries,
                   used(name, map.get(), info, *reader), octets_of(map.get())});
  }
  return out;
}

bool run_stats_enabled() {
  std::ifstream text("/proc/sys/kernel/bpf_stats_enabled");
  int value = 0;
  text >> value;
  return value != 0;
}

}  // namespace espgate::loader
