// SPDX-License-Identifier: Apache-2.0
#include "loader/devices.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/if_link.h>
#include <net/if.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>

#include "base/fd.h"
#include "loader/dispatcher.h"
#include "loader/pinned_link.h"
#include "maps/pins.h"

namespace espgate::loader {

namespace {

// The XDP program on the device, as words; nullopt if there is none.
std::optional<std::string> foreign_xdp(std::uint32_t ifindex) {
  LIBBPF_OPTS(bpf_xdp_query_opts, query);
  if (bpf_xdp_query(static_cast<int>(ifindex), 0, &query) != 0) return std::nullopt;
  const std::uint32_t id = query.prog_id != 0       ? query.prog_id
                           : query.drv_prog_id != 0 ? query.drv_prog_id
                                                    : query.skb_prog_id;
  if (id == 0) return std::nullopt;
  const base::Fd program(bpf_prog_get_fd_by_id(id));
  bpf_prog_info info{};
  std::uint32_t octets = sizeof info;
  if (!program || bpf_prog_get_info_by_fd(program.get(), &info, &octets) != 0) return fmt::format("id {}", id);
  return fmt::format("\"{}\", id {}", info.name, id);
}

espgate_device to_abi(const Attachment& attachment, std::uint64_t netns, bool tc_classes) {
  espgate_device out{};
  std::strncpy(out.name, attachment.device.c_str(), sizeof out.name - 1);
  out.netns = netns;
  out.xdp_mode = static_cast<std::uint8_t>(attachment.xdp);
  out.tc_ingress = attachment.tc_ingress;
  out.tc_egress = attachment.tc_egress;
  out.tc_classes = tc_classes;
  return out;
}

XdpWish wish_of(espgate_xdp_mode mode) {
  switch (mode) {
    case ESPGATE_XDP_NATIVE:
      return XdpWish::native;
    case ESPGATE_XDP_GENERIC:
      return XdpWish::generic;
    case ESPGATE_XDP_DISPATCHER:
      return XdpWish::dispatcher;
    default:
      return XdpWish::off;
  }
}

}  // namespace

std::string Devices::pin(const char* hook, std::uint32_t ifindex) const {
  return fmt::format("{}/{}{}_{}", maps::pin_directory(bpffs_), maps::link_prefix, hook, ifindex);
}

// What generic XDP is told apart by; one for all devices, and it stays until remove_all().
bool Devices::attach_generic_hook(Attachment& attachment) {
  const std::string path = maps::map_pin(bpffs_, std::string(maps::link_prefix) + "generic_packet");
  const auto program = objects_.program("generic_packet");
  const auto done = program ? install({path, *program, BPF_TRACE_FENTRY, 0, 0, fds_.shield_note_id})
                            : base::Result<LinkState>(std::unexpected(program.error()));
  if (!done)
    attachment.missing.push_back(fmt::format(
        "{}: no hook before generic XDP ({}), so it could not tell decrypted packets from others: the shield "
        "is off there; tc counts the classes",
        attachment.device, done.error().text()));
  return done.has_value();
}

void Devices::attach_dispatched(Attachment& attachment) {
  for (const char* hook : {"shield", "shield_generic"}) uninstall(pin(hook, attachment.ifindex));
  const auto done = join_dispatcher(fds_, bpffs_, attachment.ifindex);
  if (done) {
    attachment.xdp = ESPGATE_XDP_DISPATCHER;
  } else if (const auto other = foreign_xdp(attachment.ifindex); other && done.error().code == EEXIST) {
    attachment.missing.push_back(
        fmt::format("{}: an XDP program of somebody else ({}) is in place, which is not in a dispatcher of libxdp's, "
                    "and stays; tc counts the classes",
                    attachment.device, *other));
  } else {
    attachment.missing.push_back(fmt::format("{}: no XDP through a dispatcher of libxdp's ({}); tc counts the classes",
                                             attachment.device, done.error().text()));
  }
}

void Devices::attach_xdp(Attachment& attachment, XdpWish wish) {
  if (wish == XdpWish::dispatcher) return attach_dispatched(attachment);
  leave_dispatcher(bpffs_, attachment.ifindex);
  const bool generic = wish == XdpWish::generic;
  const char* name = generic ? "shield_generic" : "shield";
  const std::string path = pin(name, attachment.ifindex);
  uninstall(pin(generic ? "shield" : "shield_generic", attachment.ifindex));
  const auto program = objects_.program(name);
  if (!program) {
    attachment.missing.push_back(
        fmt::format("{}: this kernel does not take the BPF program {} ({}); tc counts the classes", attachment.device,
                    name, program.error().detail));
    return;
  }
  if (!is_installed(path)) {
    if (const auto other = foreign_xdp(attachment.ifindex)) {
      attachment.missing.push_back(
          fmt::format("{}: an XDP program of somebody else ({}) is in place and stays{}; tc counts the classes",
                      attachment.device, *other,
                      has_dispatcher(attachment.ifindex)
                          ? "; ours could join it, for it is a dispatcher of libxdp's (gateway.shield.dispatcher = yes)"
                          : ""));
      return;
    }
  }
  if (generic && !attach_generic_hook(attachment)) {
    uninstall(path);
    return;
  }
  const auto done = install({path, *program, BPF_XDP, static_cast<int>(attachment.ifindex),
                             generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE, fds_.sa_slot_id});
  if (done) {
    attachment.xdp = generic ? ESPGATE_XDP_GENERIC : ESPGATE_XDP_NATIVE;
  } else {
    attachment.missing.push_back(fmt::format("{}: no {} XDP ({}); tc counts the classes", attachment.device,
                                             generic ? "generic" : "native", base::errno_name(done.error().code)));
  }
}

void Devices::detach_xdp(std::uint32_t ifindex) {
  for (const char* hook : {"shield", "shield_generic"}) uninstall(pin(hook, ifindex));
  leave_dispatcher(bpffs_, ifindex);
}

bool Devices::attach_tc(Attachment& attachment, const char* hook, const char* name) {
  const bool ingress = std::string_view(hook) == "tc_ingress";
  const auto program = objects_.program(name);
  if (!program) {
    attachment.missing.push_back(fmt::format("{}: this kernel does not take the BPF program {} ({})", attachment.device,
                                             name, program.error().detail));
    return false;
  }
  const auto done = install({pin(hook, attachment.ifindex), *program, ingress ? BPF_TCX_INGRESS : BPF_TCX_EGRESS,
                             static_cast<int>(attachment.ifindex), 0, fds_.sa_slot_id});
  if (!done)
    attachment.missing.push_back(
        fmt::format("{}: no tcx (Linux 6.6 has it first) for {}: {}", attachment.device, hook, done.error().text()));
  return done.has_value();
}

base::Result<Attachment> Devices::attach(const std::string& device, XdpWish wish) {
  Attachment out;
  out.ifindex = if_nametoindex(device.c_str());
  out.device = device;
  if (out.ifindex == 0) return std::unexpected(base::Error{"attach BPF programs to " + device, ENODEV, {}});
  if (wish == XdpWish::off)
    detach_xdp(out.ifindex);
  else
    attach_xdp(out, wish);
  const bool tc_classes = out.xdp != ESPGATE_XDP_NATIVE && out.xdp != ESPGATE_XDP_DISPATCHER;
  out.tc_ingress = attach_tc(out, "tc_ingress", tc_classes ? "tc_ingress_classes" : "tc_ingress");
  out.tc_egress = attach_tc(out, "tc_egress", "tc_egress");
  const espgate_device entry = to_abi(out, netns_, tc_classes && out.tc_ingress);
  if (bpf_map_update_elem(fds_.devices, &out.ifindex, &entry, BPF_ANY) != 0)
    return std::unexpected(base::Error::last("write the map devices for " + device));
  return out;
}

base::Result<void> Devices::detach(std::uint32_t ifindex) {
  espgate_device entry{};
  if (bpf_map_lookup_elem(fds_.devices, &ifindex, &entry) != 0)
    return std::unexpected(base::Error::last(fmt::format("detach from device {}", ifindex)));
  detach_xdp(ifindex);
  for (const char* hook : {"tc_ingress", "tc_egress"}) uninstall(pin(hook, ifindex));
  bpf_map_delete_elem(fds_.devices, &ifindex);
  return {};
}

std::vector<Attachment> Devices::list() const {
  std::vector<Attachment> out;
  std::uint32_t ifindex = 0;
  const std::uint32_t* before = nullptr;
  espgate_device entry{};
  while (out.size() < ESPGATE_MAX_DEVICES && bpf_map_get_next_key(fds_.devices, before, &ifindex) == 0) {
    before = &ifindex;
    if (bpf_map_lookup_elem(fds_.devices, &ifindex, &entry) != 0) continue;
    Attachment one;
    one.ifindex = ifindex;
    one.device.assign(entry.name, strnlen(entry.name, sizeof entry.name));
    one.xdp = static_cast<espgate_xdp_mode>(entry.xdp_mode);
    one.tc_ingress = entry.tc_ingress != 0;
    one.tc_egress = entry.tc_egress != 0;
    out.push_back(std::move(one));
  }
  return out;
}

void Devices::renew() {
  for (const Attachment& one : list()) {
    char name[IF_NAMESIZE] = {};
    const bool there = if_indextoname(one.ifindex, name) != nullptr && one.device == name;
    if (!there || !attach(one.device, wish_of(one.xdp))) (void)detach(one.ifindex);
  }
}

}  // namespace espgate::loader
