// SPDX-License-Identifier: Apache-2.0
#include "loader/pinned_link.h"

#include <bpf/libbpf.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "base/fd.h"

namespace espgate::loader {

namespace {

std::optional<bpf_link_info> link_info(const base::Fd& link) {
  bpf_link_info info{};
  std::uint32_t octets = sizeof info;
  if (!link || bpf_link_get_info_by_fd(link.get(), &info, &octets) != 0) return std::nullopt;
  return info;
}

// A link outlives its device, attached to nothing.
bool is_attached(const bpf_link_info& info) {
  if (info.type == BPF_LINK_TYPE_XDP) return info.xdp.ifindex != 0;
  if (info.type == BPF_LINK_TYPE_TCX) return info.tcx.ifindex != 0;
  return true;
}

struct ProgramIdentity {
  std::array<std::uint8_t, BPF_TAG_SIZE> tag{};
  std::array<std::uint32_t, 16> maps{};
};

std::optional<ProgramIdentity> identify(int program) {
  ProgramIdentity out;
  bpf_prog_info info{};
  std::uint32_t octets = sizeof info;
  info.nr_map_ids = out.maps.size();
  info.map_ids = reinterpret_cast<std::uintptr_t>(out.maps.data());
  if (bpf_prog_get_info_by_fd(program, &info, &octets) != 0) return std::nullopt;
  std::memcpy(out.tag.data(), info.tag, out.tag.size());
  return out;
}

// Whether the link runs the hook's code over the same maps. If so the hook's descriptor becomes one of the running
// program: the fresh copy, which nothing would ever run, leaves the kernel.
bool runs_same(const bpf_link_info& info, const Hook& hook) {
  const base::Fd running(bpf_prog_get_fd_by_id(info.prog_id));
  if (!running) return false;
  const auto old = identify(running.get()), fresh = identify(hook.program);
  if (!old || !fresh || old->tag != fresh->tag || std::ranges::find(old->maps, hook.shared_map) == old->maps.end())
    return false;
  (void)::dup3(running.get(), hook.program, O_CLOEXEC);
  return true;
}

}  // namespace

base::Result<LinkState> install(const Hook& hook) {
  LinkState state = LinkState::attached;
  {
    const base::Fd old(bpf_obj_get(hook.pin.c_str()));
    const auto info = link_info(old);
    if (info && is_attached(*info)) {
      if (runs_same(*info, hook)) return LinkState::kept;
      if (bpf_link_update(old.get(), hook.program, nullptr) == 0) return LinkState::replaced;
      state = LinkState::replaced;
    }
    if (old) ::unlink(hook.pin.c_str());
  }
  LIBBPF_OPTS(bpf_link_create_opts, options, .flags = hook.flags);
  const base::Fd link(bpf_link_create(hook.program, hook.target, hook.type, &options));
  if (!link) return std::unexpected(base::Error::last("attach a BPF program"));
  if (bpf_obj_pin(link.get(), hook.pin.c_str()) != 0)
    return std::unexpected(base::Error::last("pin a BPF link at " + hook.pin));
  return state;
}

void uninstall(const std::string& pin) {
  // Detached first: the kernel lets go of a link only some time after its last reference.
  const base::Fd link(bpf_obj_get(pin.c_str()));
  if (link) (void)bpf_link_detach(link.get());
  ::unlink(pin.c_str());
}

bool is_installed(const std::string& pin) {
  const base::Fd link(bpf_obj_get(pin.c_str()));
  const auto info = link_info(link);
  return info && is_attached(*info);
}

}  // namespace espgate::loader
