// SPDX-License-Identifier: Apache-2.0
#include "loader/migrate.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <optional>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "maps/pins.h"

namespace espgate::loader {

namespace {

enum class Fit { same, copy, other };

// User space alone writes these.
bool may_be_copied(std::string_view name) { return name == "sa_dir" || name == "policy_dir"; }

Fit compare(const bpf_map_info& pinned, const bpf_map* wanted) {
  if (pinned.key_size != bpf_map__key_size(wanted) || pinned.value_size != bpf_map__value_size(wanted))
    return Fit::other;
  if (pinned.type != bpf_map__type(wanted)) return Fit::other;
  return pinned.map_flags == bpf_map__map_flags(wanted) ? Fit::same : Fit::copy;
}

base::Result<void> copy_entries(int from, const bpf_map_info& info, int to) {
  std::vector<std::uint8_t> value(info.value_size);
  for (std::uint32_t index = 0; index < info.max_entries; ++index)
    if (bpf_map_lookup_elem(from, &index, value.data()) != 0 ||
        bpf_map_update_elem(to, &index, value.data(), BPF_ANY) != 0)
      return std::unexpected(base::Error::last("copy the pinned map " + std::string(info.name)));
  return {};
}

// The old map keeps its pin until the new one is whole.
base::Result<void> copy(const std::string& pin, int from, const bpf_map_info& info, const bpf_map* wanted) {
  LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = bpf_map__map_flags(wanted));
  const base::Fd to(
      bpf_map_create(bpf_map__type(wanted), info.name, info.key_size, info.value_size, info.max_entries, &options));
  if (!to) return std::unexpected(base::Error::last("make the map " + std::string(info.name)));
  if (auto copied = copy_entries(from, info, to.get()); !copied) return copied;
  const std::string beside = pin + "_new";
  ::unlink(beside.c_str());  // a killed predecessor's
  if (bpf_obj_pin(to.get(), beside.c_str()) != 0 || std::rename(beside.c_str(), pin.c_str()) != 0)
    return std::unexpected(base::Error::last("pin the map " + pin));
  return {};
}

}  // namespace

base::Result<void> adapt_pinned(const std::string& bpffs, bpf_object* object) {
  struct Task {
    std::string pin;
    base::Fd map;
    bpf_map_info info{};
    const bpf_map* wanted = nullptr;
  };
  std::vector<Task> tasks;
  for (const char* name : maps::map_names) {
    Task task{maps::map_pin(bpffs, name), base::Fd(bpf_obj_get(maps::map_pin(bpffs, name).c_str())), {}, nullptr};
    if (!task.map) continue;  // new in this version
    std::uint32_t octets = sizeof task.info;
    if (bpf_map_get_info_by_fd(task.map.get(), &task.info, &octets) != 0)
      return std::unexpected(base::Error::last("look at the pinned map " + task.pin));
    task.wanted = bpf_object__find_map_by_name(object, name);
    const Fit fit = compare(task.info, task.wanted);
    if (fit == Fit::same) continue;
    if (fit == Fit::other || !may_be_copied(name))
      return std::unexpected(base::Error{"take over the pinned map " + task.pin, EPROTO, "it has another shape"});
    tasks.push_back(std::move(task));
  }
  for (const Task& task : tasks)
    if (auto done = copy(task.pin, task.map.get(), task.info, task.wanted); !done) return done;
  return {};
}

}  // namespace espgate::loader
