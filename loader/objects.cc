// SPDX-License-Identifier: Apache-2.0
#include "loader/objects.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "base/fd.h"
#include "bpf/espgate.skel.h"
#include "loader/btf.h"
#include "loader/dispatcher.h"
#include "loader/migrate.h"
#include "maps/pins.h"

namespace espgate::loader {

namespace {

// The last thing that libbpf complained of: it speaks through one global function.
thread_local std::string last_words;

int listen(libbpf_print_level level, const char* format, va_list arguments) {
  if (level != LIBBPF_WARN) return 0;
  char text[512];
  std::vsnprintf(text, sizeof text, format, arguments);
  last_words = text;
  while (!last_words.empty() && last_words.back() == '\n') last_words.pop_back();
  return 0;
}

constexpr const char* tracing_programs[] = {
    "arrive",      "at_arrive",    "accept",          "at_accept",     "receive",          "at_receive",    "transmit",
    "at_transmit", "transmit_hit", "at_transmit_hit", "transmit_busy", "at_transmit_busy", "generic_packet"};

// Loaded when a device wants them (Objects::program).
constexpr const char* seldom_used[] = {"shield", "shield_generic", "generic_packet", "tc_ingress"};

struct Sizes {
  std::uint32_t slots = 0, policies = 0, cpus = 0, flows = 0;
};

// What an earlier run pinned; nullopt if nothing.
std::optional<espgate_meta> pinned_meta(const std::string& bpffs) {
  const base::Fd meta(bpf_obj_get(maps::map_pin(bpffs, "meta").c_str()));
  const std::uint32_t zero = 0;
  espgate_meta out{};
  if (!meta || bpf_map_lookup_elem(meta.get(), &zero, &out) != 0) return std::nullopt;
  return out;
}

std::optional<std::uint32_t> pinned_entries(const std::string& bpffs, const char* name) {
  const base::Fd map(bpf_obj_get(maps::map_pin(bpffs, name).c_str()));
  bpf_map_info info{};
  std::uint32_t octets = sizeof info;
  if (!map || bpf_map_get_info_by_fd(map.get(), &info, &octets) != 0) return std::nullopt;
  return info.max_entries;
}

void set_sizes(espgate_bpf& skeleton, const Sizes& sizes) {
  bpf_map__set_max_entries(skeleton.maps.sa_slot, sizes.slots);
  bpf_map__set_max_entries(skeleton.maps.sa_index, sizes.slots);
  bpf_map__set_max_entries(skeleton.maps.counters, sizes.slots * sizes.cpus);
  bpf_map__set_max_entries(skeleton.maps.sa_dir, sizes.slots);
  bpf_map__set_max_entries(skeleton.maps.child_total, sizes.slots);
  bpf_map__set_max_entries(skeleton.maps.policy_dir, sizes.policies);
  bpf_map__set_max_entries(skeleton.maps.flows, sizes.flows);
  bpf_map__set_max_entries(skeleton.maps.spread, sizes.cpus);
}

void set_constants(espgate_bpf& skeleton, const KernelConstants& constants, const Sizes& sizes) {
  skeleton.rodata->netif_f_hw_esp = constants.netif_f_hw_esp;
  skeleton.rodata->skb_gso_tcp = constants.skb_gso_tcp;
  skeleton.rodata->skb_gso_udp_l4 = constants.skb_gso_udp_l4;
  skeleton.rodata->slots = sizes.slots;
}

void load_only(espgate_bpf& skeleton, const std::set<std::string>& programs) {
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, skeleton.obj)
      bpf_program__set_autoload(program, programs.contains(bpf_program__name(program)));
}

std::set<std::string> all_programs(espgate_bpf& skeleton) {
  std::set<std::string> out;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, skeleton.obj) out.insert(bpf_program__name(program));
  return out;
}

using SkeletonPtr = std::unique_ptr<espgate_bpf, decltype(&espgate_bpf__destroy)>;

SkeletonPtr open_skeleton() { return {espgate_bpf__open(), espgate_bpf__destroy}; }

// Tries it with maps of its own, as small as they come.
std::optional<std::string> try_alone(const std::string& program, const KernelConstants& constants) {
  const SkeletonPtr skeleton = open_skeleton();
  if (!skeleton) return last_words;
  const Sizes sizes{1, 1, static_cast<std::uint32_t>(libbpf_num_possible_cpus()), 16};
  set_sizes(*skeleton, sizes);
  set_constants(*skeleton, constants, sizes);
  load_only(*skeleton, {program});
  last_words.clear();
  const int status = espgate_bpf__load(skeleton.get());
  if (status == 0) return std::nullopt;
  return fmt::format("{} ({})", strerrordesc_np(-status), base::errno_name(-status));
}

// Why the kernel does not take this one program; nullopt if it does. The kernel does not change its mind while we run.
std::optional<std::string> refusal(const std::string& program, const KernelConstants& constants) {
  static std::map<std::string, std::optional<std::string>> known;
  const auto at = known.find(program);
  return at != known.end() ? at->second : known.emplace(program, try_alone(program, constants)).first->second;
}

// Empties the directory of pins. It stays itself, since the lock is on it.
void unpin_all(const std::string& bpffs) {
  constexpr std::string_view dispatched = maps::dispatched_prefix;
  std::error_code error;
  std::vector<std::filesystem::path> links, others;
  for (const auto& entry : std::filesystem::directory_iterator(maps::pin_directory(bpffs), error)) {
    const std::string name = entry.path().filename().string();
    (name.starts_with(maps::link_prefix) ? links : others).push_back(entry.path());
    if (name.starts_with(dispatched))
      leave_dispatcher(bpffs, static_cast<std::uint32_t>(std::strtoul(name.c_str() + dispatched.size(), nullptr, 10)));
  }
  // Links first: no program must run on maps that are about to be forgotten.
  for (const auto& pins : {links, others})
    for (const auto& pin : pins) std::filesystem::remove(pin, error);
}

std::uint32_t id_of(int map) {
  bpf_map_info info{};
  std::uint32_t octets = sizeof info;
  return bpf_map_get_info_by_fd(map, &info, &octets) == 0 ? info.id : 0;
}

bool is_among(const auto& names, const std::string& name) {
  return std::ranges::any_of(names, [&](const char* one) { return name == one; });
}

int fd_of(const bpf_program* program) { return bpf_program__autoload(program) ? bpf_program__fd(program) : -1; }

}  // namespace

namespace {

// One program over maps that are loaded already; nullptr, with last_words, if that fails.
SkeletonPtr load_over(const std::string& program, const ObjectFds& fds, const espgate_meta& meta) {
  SkeletonPtr out = open_skeleton();
  if (!out) return out;
  const Sizes sizes{fds.slots, meta.max_policies, meta.cpus, 1};
  set_sizes(*out, sizes);
  set_constants(*out, fds.constants, sizes);
  load_only(*out, {program});
  last_words.clear();
  if (!share_maps(out->obj, fds.object) || espgate_bpf__load(out.get()) != 0) out.reset();
  return out;
}

}  // namespace

struct Objects::Skeletons {
  SkeletonPtr main{nullptr, espgate_bpf__destroy};
  std::map<std::string, SkeletonPtr> on_demand;
  bool tracing = true;
};

Objects::Objects(std::unique_ptr<Skeletons> skeletons) : skeletons_(std::move(skeletons)) {
  const espgate_bpf& bpf = *skeletons_->main;
  auto map = [](const bpf_map* of) { return bpf_map__fd(of); };
  fds_.object = bpf.obj;
  fds_.meta = map(bpf.maps.meta);
  fds_.sa_slot = map(bpf.maps.sa_slot);
  fds_.sa_index = map(bpf.maps.sa_index);
  fds_.counters = map(bpf.maps.counters);
  fds_.sa_dir = map(bpf.maps.sa_dir);
  fds_.policy_dir = map(bpf.maps.policy_dir);
  fds_.child_total = map(bpf.maps.child_total);
  fds_.devices = map(bpf.maps.devices);
  fds_.shield_rules = map(bpf.maps.shield_rules);
  fds_.shield_secrets = map(bpf.maps.shield_secrets);
  fds_.shield_allow = map(bpf.maps.shield_allow);
  fds_.spread = map(bpf.maps.spread);
  fds_.spread_cpus = map(bpf.maps.spread_cpus);
  fds_.sa_slot_id = id_of(fds_.sa_slot);
  fds_.shield_note_id = id_of(map(bpf.maps.shield_note));
  for (ExactHook* hook :
       {&fds_.arrive, &fds_.accept, &fds_.receive, &fds_.transmit, &fds_.transmit_hit, &fds_.transmit_busy}) {
    const std::string name = hook->name;
    hook->program = fd_of(bpf_object__find_program_by_name(bpf.obj, name.c_str()));
    hook->entry = fd_of(bpf_object__find_program_by_name(bpf.obj, ("at_" + name).c_str()));
    hook->table = bpf_object__find_map_fd_by_name(bpf.obj, ("to_" + name).c_str());
    hook->table_id = id_of(hook->table);
  }
}
Objects::Objects(Objects&&) noexcept = default;
Objects& Objects::operator=(Objects&&) noexcept = default;
Objects::~Objects() = default;

base::Result<int> Objects::program(const std::string& name) {
  if (const int fd = fd_of(bpf_object__find_program_by_name(fds_.object, name.c_str())); fd >= 0) return fd;
  const std::string what = "load the BPF program " + name;
  if (!skeletons_->tracing && is_among(tracing_programs, name))
    return std::unexpected(base::Error{what, ENOTSUP, "tracing is switched off"});
  auto [at, is_new] = skeletons_->on_demand.try_emplace(name, SkeletonPtr{nullptr, espgate_bpf__destroy});
  if (is_new && is_among(seldom_used, name)) at->second = load_over(name, fds_, meta_);
  if (!at->second)
    return std::unexpected(base::Error{what, ENOTSUP, refusal(name, fds_.constants).value_or(last_words)});
  return fd_of(bpf_object__find_program_by_name(at->second->obj, name.c_str()));
}

bool share_maps(bpf_object* object, const bpf_object* loaded) {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    const bpf_map* there = bpf_object__find_map_by_name(loaded, bpf_map__name(map));
    if (there != nullptr && !bpf_map__is_internal(map) && bpf_map__reuse_fd(map, bpf_map__fd(there)) != 0) return false;
  }
  return true;
}

base::Result<void> Objects::write_meta(const espgate_meta& meta) {
  const std::uint32_t zero = 0;
  if (bpf_map_update_elem(fds_.meta, &zero, &meta, BPF_ANY) != 0)
    return std::unexpected(base::Error::last("write the map meta"));
  meta_ = meta;
  return {};
}

namespace {

// Whether what is pinned can go on; a sentence if not.
bool take_over(const std::string& bpffs, const espgate_meta& pinned, std::uint32_t cpus, const espgate_bpf& skeleton,
               Capabilities& capabilities) {
  const std::uint32_t version = pinned.abi_version;
  std::string why = fmt::format("have another layout (version {})", version);
  if (version >= ESPGATE_ABI_OLDEST && version <= ESPGATE_ABI_VERSION) {
    const auto fits = version == ESPGATE_ABI_VERSION ? base::Result<void>{} : adapt_pinned(bpffs, skeleton.obj);
    if (fits && pinned.cpus == cpus) {
      if (version != ESPGATE_ABI_VERSION) capabilities.migrated_from = version;
      return true;
    }
    why = fits ? fmt::format("are for {} CPUs, and there may be {}", pinned.cpus, cpus)
               : why + ": " + fits.error().text();
  }
  capabilities.missing.push_back(
      fmt::format("the maps pinned in {} {}: removed, counters begin anew", maps::pin_directory(bpffs), why));
  return false;
}

}  // namespace

base::Result<Objects> Objects::load(const Options& options, Capabilities& capabilities) {
  libbpf_set_print(listen);
  Sizes sizes{options.max_slots, 2 * options.max_slots, static_cast<std::uint32_t>(libbpf_num_possible_cpus()),
              options.max_flows};
  SkeletonPtr skeleton = open_skeleton();
  if (!skeleton) return std::unexpected(base::Error{"open the BPF programs", errno, last_words});
  const auto pinned = pinned_meta(options.bpffs);
  if (pinned) capabilities.reused = take_over(options.bpffs, *pinned, sizes.cpus, *skeleton, capabilities);
  if (!capabilities.reused) unpin_all(options.bpffs);  // also what a crash left half made
  if (capabilities.reused) {
    if (pinned->max_slots != sizes.slots)
      capabilities.missing.push_back(fmt::format("the maps pinned have {} slots; {} takes effect after a clean stop",
                                                 pinned->max_slots, sizes.slots));
    sizes.slots = pinned->max_slots;
    sizes.policies = pinned->max_policies;
    sizes.flows = pinned_entries(options.bpffs, "flows").value_or(sizes.flows);
  }

  KernelConstants constants;
  auto known = kernel_constants();
  if (known) constants = *known;
  std::set<std::string> programs = all_programs(*skeleton);
  for (const char* name : seldom_used) programs.erase(name);
  if (!known) {
    programs.clear();
    capabilities.missing.emplace_back(
        "this kernel has no BTF (CONFIG_DEBUG_INFO_BTF): no BPF program can be loaded, nothing is counted");
  }
  if (!options.tracing)
    for (const char* name : tracing_programs) programs.erase(name);

  auto attempt = [&] {
    set_sizes(*skeleton, sizes);
    set_constants(*skeleton, constants, sizes);
    load_only(*skeleton, programs);
    for (const char* name : maps::map_names)
      bpf_map__set_pin_path(bpf_object__find_map_by_name(skeleton->obj, name),
                            maps::map_pin(options.bpffs, name).c_str());
    return espgate_bpf__load(skeleton.get());
  };
  int status = attempt();
  if (status != 0) {
    for (const std::string& name : std::set<std::string>(programs))
      if (const auto why = refusal(name, constants)) {
        programs.erase(name);
        capabilities.missing.push_back(fmt::format("this kernel does not take the BPF program {}: {}", name, *why));
      }
    skeleton = open_skeleton();
    if (!skeleton) return std::unexpected(base::Error{"open the BPF programs", errno, last_words});
    last_words.clear();
    status = attempt();
  }
  if (status != 0) return std::unexpected(base::Error{"load the BPF maps and programs", -status, last_words});

  auto holder = std::make_unique<Skeletons>();
  holder->main = std::move(skeleton);
  holder->tracing = options.tracing;
  Objects out(std::move(holder));
  out.fds_.asks_kernel = constants.asks_xfrm;
  out.fds_.constants = constants;
  out.fds_.slots = sizes.slots;
  espgate_meta meta = capabilities.reused ? *pinned : espgate_meta{};
  meta.abi_version = ESPGATE_ABI_VERSION;
  meta.max_slots = sizes.slots;
  meta.max_policies = sizes.policies;
  meta.cpus = sizes.cpus;
  if (auto written = out.write_meta(meta); !written) return std::unexpected(written.error());
  return out;
}

base::Result<void> remove_pins(const std::string& bpffs) {
  const std::string directory = maps::pin_directory(bpffs);
  std::error_code error;
  unpin_all(bpffs);
  std::filesystem::remove(directory, error);
  if (error && error != std::errc::no_such_file_or_directory)
    return std::unexpected(base::Error{"remove the pins in " + directory, error.value(), {}});
  return {};
}

}  // namespace espgate::loader
