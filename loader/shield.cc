// SPDX-License-Identifier: Apache-2.0
#include <bpf/bpf.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <set>

#include "loader/shield_maps.h"

namespace espgate::loader {

namespace {

struct Before {
  bool operator()(const espgate_allow_key& a, const espgate_allow_key& b) const {
    return std::memcmp(&a, &b, sizeof a) < 0;
  }
};
using Keys = std::set<espgate_allow_key, Before>;

// What is on the list of a namespace.
Keys keys_in(int map, std::uint64_t netns) {
  Keys out;
  espgate_allow_key key{};
  const espgate_allow_key* before = nullptr;
  for (std::size_t i = 0; i < ESPGATE_MAX_ALLOWED && bpf_map_get_next_key(map, before, &key) == 0; ++i) {
    if (std::memcmp(key.netns, &netns, sizeof key.netns) == 0) out.insert(key);
    before = &key;
  }
  return out;
}

espgate_allow_key key_of(const base::Prefix& source, std::uint64_t netns) {
  espgate_allow_key out{};
  constexpr std::size_t before = offsetof(espgate_allow_key, address) - sizeof out.prefix;
  out.prefix = static_cast<std::uint32_t>(8 * before) + source.length();
  std::memcpy(out.netns, &netns, sizeof out.netns);
  out.family = static_cast<std::uint8_t>(source.family());
  std::memcpy(out.address, source.address().raw().data(), sizeof out.address);
  return out;
}

base::Result<void> put(const CookieSecret& from, espgate_cookie_secret& to) {
  if (from.key.size() != sizeof to.key)
    return std::unexpected(base::Error{"set the shield's cookie secret", EINVAL, "its key is not of 16 octets"});
  std::memcpy(to.key, from.key.view().data(), sizeof to.key);
  to.number = from.number;
  to.valid = 1;
  return {};
}

}  // namespace

base::Result<void> ShieldMaps::set_rules(const ShieldRules& rules) {
  const std::uint32_t zero = 0;
  const bool drops = rules.drop_unknown && fds_.asks_kernel;
  const espgate_shield out{
      rules.active, drops, {}, rules.cookie_rate, rules.fragment_rate, rules.source_rate,
  };
  if (bpf_map_update_elem(fds_.shield_rules, &zero, &out, BPF_ANY) != 0)
    return std::unexpected(base::Error::last("write the map shield_rules"));
  if (rules.drop_unknown != drops)
    return std::unexpected(base::Error{"drop ESP of unknown SPIs in XDP", ENOTSUP,
                                       "this kernel cannot be asked which SPIs it has SAs for (Linux 6.8 is the first "
                                       "with bpf_xdp_get_xfrm_state), so none is dropped"});
  return {};
}

base::Result<void> ShieldMaps::set_secrets(const CookieSecret& present, const std::optional<CookieSecret>& before) {
  const std::uint32_t zero = 0;
  espgate_cookie_secrets out{};
  base::Result<void> done = put(present, out.present);
  if (done && before) done = put(*before, out.before);
  if (done && bpf_map_update_elem(fds_.shield_secrets, &zero, &out, BPF_ANY) != 0)
    done = std::unexpected(base::Error::last("write the map shield_secrets"));
  base::wipe(&out, sizeof out);
  return done;
}

base::Result<void> ShieldMaps::set_allowed(const std::vector<base::Prefix>& sources) {
  const Keys old = keys_in(fds_.shield_allow, netns_);
  Keys wanted;
  const std::uint32_t yes = 1;
  for (const base::Prefix& source : sources) wanted.insert(key_of(source, netns_));
  for (const espgate_allow_key& key : wanted)
    if (!old.contains(key) && bpf_map_update_elem(fds_.shield_allow, &key, &yes, BPF_ANY) != 0)
      return std::unexpected(base::Error::last("write the map shield_allow"));
  for (const espgate_allow_key& key : old)
    if (!wanted.contains(key)) bpf_map_delete_elem(fds_.shield_allow, &key);
  return {};
}

}  // namespace espgate::loader
