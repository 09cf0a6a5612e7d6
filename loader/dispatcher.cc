// SPDX-License-Identifier: Apache-2.0
#include "loader/dispatcher.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <unistd.h>
#include <xdp/libxdp.h>

#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "bpf/dispatched.skel.h"
#include "maps/pins.h"

namespace espgate::loader {

namespace {

constexpr char our_name[] = "espgate_shield";
constexpr std::string_view dispatcher_name = "xdp_dispatcher";

// The last thing that libxdp complained of.
std::string last_words;

int listen(libxdp_print_level level, const char* format, va_list arguments) {
  if (level != LIBXDP_WARN) return 0;
  char text[512];
  std::vsnprintf(text, sizeof text, format, arguments);
  last_words = text;
  while (!last_words.empty() && last_words.back() == '\n') last_words.pop_back();
  return 0;
}

using SkeletonPtr = std::unique_ptr<dispatched_bpf, decltype(&dispatched_bpf__destroy)>;
using ProgramPtr = std::unique_ptr<xdp_program, decltype(&xdp_program__close)>;
using MultiprogPtr = std::unique_ptr<xdp_multiprog, decltype(&xdp_multiprog__close)>;

std::string pin_of(const std::string& bpffs, std::uint32_t ifindex) {
  return fmt::format("{}/{}{}", maps::pin_directory(bpffs), maps::dispatched_prefix, ifindex);
}

// What is on the device; nullptr: nothing, or nothing that libxdp understands.
MultiprogPtr programs_on(std::uint32_t ifindex) {
  libxdp_set_print(listen);
  xdp_multiprog* found = xdp_multiprog__get_from_ifindex(static_cast<int>(ifindex));
  return {libxdp_get_error(found) == 0 ? found : nullptr, xdp_multiprog__close};
}

std::vector<std::uint32_t> ours_among(const xdp_multiprog* programs) {
  std::vector<std::uint32_t> out;
  if (programs == nullptr || xdp_multiprog__is_legacy(programs)) return out;
  for (xdp_program* one = nullptr; (one = xdp_multiprog__next_prog(one, programs)) != nullptr;)
    if (std::string_view(xdp_program__name(one)) == our_name) out.push_back(xdp_program__id(one));
  return out;
}

std::uint32_t main_program(std::uint32_t ifindex) {
  LIBBPF_OPTS(bpf_xdp_query_opts, query);
  if (bpf_xdp_query(static_cast<int>(ifindex), 0, &query) != 0) return 0;
  if (query.prog_id != 0) return query.prog_id;
  return query.drv_prog_id != 0 ? query.drv_prog_id : query.skb_prog_id;
}

// The map of that name that a program uses.
base::Fd map_of(std::uint32_t program, std::string_view name) {
  const base::Fd fd(bpf_prog_get_fd_by_id(program));
  std::array<std::uint32_t, 32> ids{};
  bpf_prog_info info{};
  std::uint32_t octets = sizeof info;
  info.nr_map_ids = ids.size();
  info.map_ids = reinterpret_cast<std::uintptr_t>(ids.data());
  if (!fd || bpf_prog_get_info_by_fd(fd.get(), &info, &octets) != 0) return {};
  for (std::size_t i = 0; i < std::min<std::size_t>(info.nr_map_ids, ids.size()); ++i) {
    base::Fd map(bpf_map_get_fd_by_id(ids[i]));
    bpf_map_info about{};
    octets = sizeof about;
    if (map && bpf_map_get_info_by_fd(map.get(), &about, &octets) == 0 && about.name == name) return map;
  }
  return {};
}

std::uint32_t id_of(const base::Fd& map) {
  bpf_map_info info{};
  std::uint32_t octets = sizeof info;
  return map && bpf_map_get_info_by_fd(map.get(), &info, &octets) == 0 ? info.id : 0;
}

std::uint64_t code_hash() {
  std::size_t octets = 0;
  const auto* object = static_cast<const char*>(dispatched_bpf__elf_bytes(&octets));
  return std::hash<std::string_view>{}({object, octets});
}

bool is_current(std::uint32_t program, const ObjectFds& fds) {
  const base::Fd copy = map_of(program, "shield_copy");
  const std::uint32_t zero = 0;
  espgate_dispatched about{};
  return copy && bpf_map_lookup_elem(copy.get(), &zero, &about) == 0 && about.on != 0 && about.code == code_hash() &&
         id_of(map_of(program, "sa_slot")) == fds.sa_slot_id;
}

bool set_on(int copy, bool on) {
  const std::uint32_t zero = 0;
  const espgate_dispatched value{code_hash(), on, 0};
  return bpf_map_update_elem(copy, &zero, &value, BPF_ANY) == 0;
}

void take_out(std::uint32_t ifindex, const std::vector<std::uint32_t>& ids) {
  for (const std::uint32_t id : ids) {
    xdp_program* one = xdp_program__from_id(id);
    if (libxdp_get_error(one) != 0) continue;
    const ProgramPtr program(one, xdp_program__close);
    (void)xdp_program__detach(one, static_cast<int>(ifindex), XDP_MODE_UNSPEC, 0);
  }
}

// Opened over the maps that are loaded already.
SkeletonPtr open_over(const ObjectFds& fds) {
  SkeletonPtr out(dispatched_bpf__open(), dispatched_bpf__destroy);
  if (!out) return out;
  out->rodata->netif_f_hw_esp = fds.constants.netif_f_hw_esp;
  out->rodata->skb_gso_tcp = fds.constants.skb_gso_tcp;
  out->rodata->skb_gso_udp_l4 = fds.constants.skb_gso_udp_l4;
  out->rodata->slots = fds.slots;
  if (!share_maps(out->obj, fds.object)) return {nullptr, dispatched_bpf__destroy};
  return out;
}

std::unexpected<base::Error> failure(int code) {
  return std::unexpected(base::Error{"join libxdp's dispatcher", code, last_words});
}

// libxdp's pins of our program of a device that is gone: they would hold it for ever.
void forget_pins(std::uint32_t ifindex, std::uint32_t id) {
  const char* named = ::secure_getenv(XDP_BPFFS_ENVVAR);
  const std::filesystem::path directory = std::filesystem::path(named != nullptr ? named : "/sys/fs/bpf") / "xdp";
  const std::string prefix = fmt::format("dispatch-{}-", ifindex);
  std::error_code error;
  std::vector<std::filesystem::path> pins;
  for (const auto& dispatcher : std::filesystem::directory_iterator(directory, error)) {
    if (!dispatcher.path().filename().string().starts_with(prefix)) continue;
    for (const auto& pin : std::filesystem::directory_iterator(dispatcher.path(), error))
      if (pin.path().filename().string().ends_with("-prog")) pins.push_back(pin.path());
  }
  for (const auto& pin : pins) {
    const base::Fd program(bpf_obj_get(pin.c_str()));
    bpf_prog_info info{};
    std::uint32_t octets = sizeof info;
    if (!program || bpf_prog_get_info_by_fd(program.get(), &info, &octets) != 0 || info.id != id) continue;
    std::string link = pin.string();
    link.replace(link.size() - 4, 4, "link");
    ::unlink(link.c_str());
    ::unlink(pin.c_str());
    ::rmdir(pin.parent_path().c_str());
  }
}

}  // namespace

bool has_dispatcher(std::uint32_t ifindex) {
  const base::Fd program(bpf_prog_get_fd_by_id(main_program(ifindex)));
  bpf_prog_info info{};
  std::uint32_t octets = sizeof info;
  if (!program || bpf_prog_get_info_by_fd(program.get(), &info, &octets) != 0) return false;
  return info.name == dispatcher_name;
}

base::Result<LinkState> join_dispatcher(const ObjectFds& fds, const std::string& bpffs, std::uint32_t ifindex) {
  last_words.clear();
  std::vector<std::uint32_t> before;
  if (main_program(ifindex) != 0) {
    const MultiprogPtr present = programs_on(ifindex);
    if (!present || xdp_multiprog__is_legacy(present.get())) return failure(EEXIST);
    before = ours_among(present.get());
  }
  if (before.size() == 1 && is_current(before[0], fds)) return LinkState::kept;

  const SkeletonPtr skeleton = open_over(fds);
  if (!skeleton) return failure(errno);
  libxdp_set_print(listen);
  DECLARE_LIBXDP_OPTS(xdp_program_opts, what, .obj = skeleton->obj, .prog_name = our_name);
  const ProgramPtr program(xdp_program__create(&what), xdp_program__close);
  if (!program) return failure(errno);
  (void)xdp_program__set_xdp_frags_support(program.get(), true);
  if (const int status = xdp_program__attach(program.get(), static_cast<int>(ifindex), XDP_MODE_NATIVE, 0); status != 0)
    return failure(-status);
  const std::uint32_t id = xdp_program__id(program.get());
  // Where the kernel has no extension programs libxdp attaches it by itself, and nobody else could join.
  if (const MultiprogPtr now = programs_on(ifindex); !now || xdp_multiprog__is_legacy(now.get())) {
    take_out(ifindex, {id});
    return failure(EOPNOTSUPP);
  }
  for (const std::uint32_t old : before)
    if (const base::Fd copy = map_of(old, "shield_copy")) (void)set_on(copy.get(), false);
  if (!set_on(bpf_map__fd(skeleton->maps.shield_copy), true)) return failure(errno);
  take_out(ifindex, before);
  const std::string pin = pin_of(bpffs, ifindex);
  ::unlink(pin.c_str());
  if (bpf_obj_pin(xdp_program__fd(program.get()), pin.c_str()) != 0)
    return std::unexpected(base::Error::last("pin a BPF program at " + pin));
  return before.empty() ? LinkState::attached : LinkState::replaced;
}

void leave_dispatcher(const std::string& bpffs, std::uint32_t ifindex) {
  const std::string path = pin_of(bpffs, ifindex);
  const base::Fd pin(bpf_obj_get(path.c_str()));
  if (!pin && !has_dispatcher(ifindex)) return;
  take_out(ifindex, ours_among(programs_on(ifindex).get()));
  bpf_prog_info info{};
  std::uint32_t octets = sizeof info;
  if (pin && bpf_prog_get_info_by_fd(pin.get(), &info, &octets) == 0) forget_pins(ifindex, info.id);
  ::unlink(path.c_str());
}

}  // namespace espgate::loader
