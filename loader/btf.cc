// SPDX-License-Identifier: Apache-2.0
#include "loader/btf.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include <cerrno>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

namespace espgate::loader {

namespace {

// Values of the wanted enumerators; those that the kernel does not know stay away.
std::map<std::string, std::uint64_t> enumerators(const btf& types, const std::set<std::string>& wanted) {
  std::map<std::string, std::uint64_t> out;
  for (std::uint32_t id = 1; id < btf__type_cnt(&types) && out.size() < wanted.size(); ++id) {
    const btf_type* type = btf__type_by_id(&types, id);
    if (btf_is_enum(type)) {
      for (int i = 0; i < btf_vlen(type); ++i) {
        const struct btf_enum& one = btf_enum(type)[i];
        const std::string name = btf__name_by_offset(&types, one.name_off);
        if (wanted.contains(name)) out[name] = static_cast<std::uint32_t>(one.val);
      }
    }
  }
  return out;
}

bool has_member(const btf& types, const char* structure, const char* wanted) {
  const std::int32_t id = btf__find_by_name_kind(&types, structure, BTF_KIND_STRUCT);
  if (id < 0) return false;
  const btf_type* type = btf__type_by_id(&types, static_cast<std::uint32_t>(id));
  for (std::uint32_t i = 0; i < btf_vlen(type); ++i)
    if (std::string_view(btf__name_by_offset(&types, btf_members(type)[i].name_off)) == wanted) return true;
  return false;
}

// What can_ask_kernel() of bpf/known.h asks for.
bool can_ask_xfrm(const btf& types) {
  return btf__find_by_name_kind(&types, "bpf_xdp_get_xfrm_state", BTF_KIND_FUNC) >= 0 &&
         btf__find_by_name_kind(&types, "bpf_xdp_xfrm_state_release", BTF_KIND_FUNC) >= 0 &&
         has_member(types, "netns_xfrm", "xfrm_state_hash_generation") &&
         has_member(types, "netns_xfrm", "state_byspi") && has_member(types, "xfrm_state", "byspi");
}

}  // namespace

base::Result<KernelConstants> kernel_constants() {
  const std::unique_ptr<btf, decltype(&btf__free)> types(btf__load_vmlinux_btf(), btf__free);
  if (!types) return std::unexpected(base::Error{"read the kernel's BTF", ENOENT, "/sys/kernel/btf/vmlinux"});
  const auto found = enumerators(*types, {"NETIF_F_HW_ESP_BIT", "SKB_GSO_TCPV4", "SKB_GSO_TCPV6", "SKB_GSO_UDP_L4"});
  auto value = [&found](const char* name) {
    const auto at = found.find(name);
    return at == found.end() ? std::uint64_t{0} : at->second;
  };
  KernelConstants out;
  if (found.contains("NETIF_F_HW_ESP_BIT")) out.netif_f_hw_esp = std::uint64_t{1} << value("NETIF_F_HW_ESP_BIT");
  out.skb_gso_tcp = static_cast<std::uint32_t>(value("SKB_GSO_TCPV4") | value("SKB_GSO_TCPV6"));
  out.skb_gso_udp_l4 = static_cast<std::uint32_t>(value("SKB_GSO_UDP_L4"));
  out.asks_xfrm = can_ask_xfrm(*types);
  return out;
}

}  // namespace espgate::loader
