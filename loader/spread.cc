// SPDX-License-Identifier: Apache-2.0
#include "loader/spread.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <ranges>
#include <set>

namespace espgate::loader {

namespace {

constexpr std::uint32_t queue_packets = 2048;  // as the kernel's own samples have it; beyond, packets are dropped

base::Result<void> write_list(const ObjectFds& fds, const std::set<std::uint32_t>& cpus) {
  const std::uint32_t zero = 0;
  espgate_spread list{};
  for (const std::uint32_t cpu : cpus) list.cpus[list.count++] = cpu;
  if (bpf_map_update_elem(fds.spread_cpus, &zero, &list, BPF_ANY) != 0)
    return std::unexpected(base::Error::last("write the map spread_cpus"));
  return {};
}

}  // namespace

base::Result<void> spread_over(const ObjectFds& fds, const std::vector<std::uint32_t>& cpus) {
  const std::set<std::uint32_t> wanted(cpus.begin(), cpus.end());
  const auto possible = static_cast<std::uint32_t>(libbpf_num_possible_cpus());
  if (wanted.size() > ESPGATE_MAX_SPREAD || (!wanted.empty() && *wanted.rbegin() >= possible))
    return std::unexpected(
        base::Error{"spread ESP over CPUs", EINVAL, fmt::format("there are {} CPUs, numbered from 0", possible)});
  for (const std::uint32_t cpu : wanted) {
    // An entry that is there stays: a new one would begin with an empty queue while the old one still has packets.
    bpf_cpumap_val value{};
    if (bpf_map_lookup_elem(fds.spread, &cpu, &value) == 0 && value.qsize != 0) continue;
    value.qsize = queue_packets;
    value.bpf_prog.fd = -1;
    if (bpf_map_update_elem(fds.spread, &cpu, &value, BPF_ANY) != 0)
      return std::unexpected(base::Error::last(fmt::format("spread ESP to CPU {}", cpu)));
  }
  auto written = write_list(fds, wanted);
  if (!written) return written;
  for (const std::uint32_t cpu : std::views::iota(0U, possible))
    if (!wanted.contains(cpu)) bpf_map_delete_elem(fds.spread, &cpu);
  return {};
}

}  // namespace espgate::loader
