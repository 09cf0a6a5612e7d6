// SPDX-License-Identifier: Apache-2.0
// Between our words and the structures of include/uapi/linux/xfrm.h; inside xfrm/ only.
#pragma once

#include <arpa/inet.h>
#include <linux/xfrm.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "xfrm/api.h"

namespace espgate::xfrm {

// Newer than some headers this is built with; numbers of the UAPI, which never change.
inline constexpr int kAttributeSaDirection = 33;  // XFRMA_SA_DIR, Linux 6.10
inline constexpr std::uint8_t kSaDirectionIn = 1, kSaDirectionOut = 2;
inline constexpr std::uint8_t kOffloadPacket = 4;  // XFRM_OFFLOAD_PACKET, Linux 6.2

// xfrm_selector::user of our policies: "EG", then the layer.
inline constexpr std::uint32_t kUserMark = 0x45470000;

inline xfrm_address_t kernel_address(const base::Address& address) {
  xfrm_address_t out{};
  std::memcpy(&out, address.raw().data(), sizeof out);
  return out;
}

inline base::Address address_of(const xfrm_address_t& from, std::uint16_t family) {
  const auto* octets = reinterpret_cast<const std::uint8_t*>(&from);
  return *base::Address::from_octets({octets, family == AF_INET ? 4U : 16U});
}

inline std::uint8_t kernel_protocol(bool ah) { return ah ? IPPROTO_AH : IPPROTO_ESP; }
inline bool is_ipsec(std::uint8_t protocol) { return protocol == IPPROTO_ESP || protocol == IPPROTO_AH; }

inline xfrm_id kernel_id(const base::Address& destination, base::Spi spi, bool ah) {
  xfrm_id out{};
  out.daddr = kernel_address(destination);
  out.spi = htonl(spi.value);
  out.proto = kernel_protocol(ah);
  return out;
}

inline xfrm_selector kernel_selector(const Selector& from, Layer layer) {
  xfrm_selector out{};
  out.saddr = kernel_address(from.source.address());
  out.daddr = kernel_address(from.destination.address());
  out.prefixlen_s = from.source.length();
  out.prefixlen_d = from.destination.length();
  out.family = static_cast<std::uint16_t>(from.source.family());
  out.proto = from.protocol;
  out.sport = htons(from.source_port.value);
  out.sport_mask = htons(from.source_port.mask);
  out.dport = htons(from.destination_port.value);
  out.dport_mask = htons(from.destination_port.mask);
  if (layer != Layer::foreign) out.user = kUserMark | static_cast<std::uint32_t>(layer);
  return out;
}

inline Selector selector_of(const xfrm_selector& from) {
  Selector out;
  const std::uint16_t family = from.family == AF_INET6 ? AF_INET6 : AF_INET;
  const std::uint8_t most = family == AF_INET6 ? 128 : 32;
  out.source = {address_of(from.saddr, family), std::min(from.prefixlen_s, most)};
  out.destination = {address_of(from.daddr, family), std::min(from.prefixlen_d, most)};
  out.protocol = from.proto;
  out.source_port = {ntohs(from.sport), ntohs(from.sport_mask)};
  out.destination_port = {ntohs(from.dport), ntohs(from.dport_mask)};
  return out;
}

inline Layer layer_of(const xfrm_selector& from) {
  const std::uint32_t layer = from.user ^ kUserMark;
  return layer >= 1 && layer <= static_cast<std::uint32_t>(Layer::guard) ? static_cast<Layer>(layer) : Layer::foreign;
}

inline std::uint8_t kernel_direction(PolicyDirection direction) {
  switch (direction) {
    case PolicyDirection::in:
      return XFRM_POLICY_IN;
    case PolicyDirection::out:
      return XFRM_POLICY_OUT;
    case PolicyDirection::forward:
      break;
  }
  return XFRM_POLICY_FWD;
}

}  // namespace espgate::xfrm
