// SPDX-License-Identifier: Apache-2.0
// XFRM's netlink messages (include/uapi/linux/xfrm.h), from Request to octets and back. No socket here.
#pragma once

#include <linux/netlink.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/bytes.h"
#include "xfrm/api.h"
#include "xfrm/events.h"

namespace espgate::xfrm {

// What this kernel understands, found out once by trying (xfrm/netlink.h).
struct Features {
  bool sa_direction = true;  // XFRMA_SA_DIR, Linux 6.10: an outbound SA then has no replay window at all
};

// Room that any one message fits in, with keys, templates and alignment.
inline constexpr std::size_t kMessageRoom = 1024;

// Writes one message; returns its length. Precondition: to.size() >= kMessageRoom, zeroed or not. A GetSa asks for no
// ack (its answer is one), all others do. The octets may hold keys: the caller wipes them.
std::size_t encode(const Request& request, std::uint32_t sequence, const Features& features,
                   std::span<std::uint8_t> to);
enum class Table : std::uint8_t { sas, policies };
std::size_t encode_dump(Table table, std::uint32_t sequence, std::span<std::uint8_t> to);

std::size_t encode_sad_info(std::uint32_t sequence, std::span<std::uint8_t> to);
// Places of the table of SAs, of XFRM_MSG_NEWSADINFO.
std::optional<std::uint32_t> decode_sad_info(const nlmsghdr& message);

// Payload of XFRM_MSG_NEWSA. nullopt: shorter than its header, or neither ESP nor AH.
std::optional<SaState> decode_sa(const nlmsghdr& message);
// Whether an SA read back names its direction: the kernel knows XFRMA_SA_DIR.
bool has_direction(const nlmsghdr& message);
// Payload of XFRM_MSG_NEWPOLICY. nullopt: a socket's policy, or one of another type.
std::optional<PolicySpec> decode_policy(const nlmsghdr& message);

// What xfrm/events.h tells of. nullopt: another message, or not about ESP or AH.
std::optional<Notification> decode_notification(const nlmsghdr& message);

// NLMSG_ERROR: errno (0 for an ack) and NLMSGERR_ATTR_MSG, verbatim.
struct Ack {
  int code = 0;
  std::string words;
};
std::optional<Ack> decode_ack(const nlmsghdr& message);

}  // namespace espgate::xfrm
