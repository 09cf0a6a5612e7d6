// SPDX-License-Identifier: Apache-2.0
#include <libmnl/libmnl.h>
#include <linux/xfrm.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>

#include "xfrm/attributes.h"
#include "xfrm/kernel_types.h"
#include "xfrm/message.h"

namespace espgate::xfrm {
namespace {

// The attributes behind a fixed header, by type; later ones of a type win.
class Attributes {
 public:
  Attributes(const nlmsghdr& message, std::size_t after) {
    for_each_attribute(message, after, [this](std::uint16_t type, base::ByteView payload) {
      if (type < found_.size()) found_[type] = payload;
    });
  }
  [[nodiscard]] bool has(std::size_t type) const { return found_[type].data() != nullptr; }
  // The payload as T, which may be followed by more; nullopt if absent or short.
  template <class T>
  [[nodiscard]] std::optional<T> get(std::size_t type) const {
    if (found_[type].size() < sizeof(T)) return std::nullopt;
    T out;
    std::memcpy(&out, found_[type].data(), sizeof out);
    return out;
  }

 private:
  std::array<base::ByteView, 64> found_{};
};

// The fixed part of struct xfrm_replay_state_esn; its bitmap follows.
struct ReplayEsn {
  std::uint32_t bmp_len, oseq, seq, oseq_hi, seq_hi, replay_window;
};
static_assert(sizeof(ReplayEsn) == sizeof(xfrm_replay_state_esn));

// A copy: messages follow each other in steps of four octets, which is not enough for what is in them.
template <class T>
std::optional<T> header(const nlmsghdr& message) {
  if (mnl_nlmsg_get_payload_len(&message) < sizeof(T)) return std::nullopt;
  T out;
  std::memcpy(&out, mnl_nlmsg_get_payload(&message), sizeof out);
  return out;
}

std::uint64_t wide(std::uint32_t high, std::uint32_t low) { return std::uint64_t{high} << 32 | low; }

void read_sequences(const Attributes& attributes, SaState& to) {
  if (auto esn = attributes.get<ReplayEsn>(XFRMA_REPLAY_ESN_VAL)) {
    to.sequence_in = wide(esn->seq_hi, esn->seq);
    to.sequence_out = wide(esn->oseq_hi, esn->oseq);
    to.replay_window = esn->replay_window;
  } else if (auto plain = attributes.get<xfrm_replay_state>(XFRMA_REPLAY_VAL)) {
    to.sequence_in = plain->seq;
    to.sequence_out = plain->oseq;
  }
}

base::Mark mark_of(const Attributes& attributes) {
  const auto mark = attributes.get<xfrm_mark>(XFRMA_MARK);
  return mark ? base::Mark{mark->v, mark->m} : base::Mark{};
}

PolicyDirection direction_of(std::uint8_t from) {
  static constexpr std::array kDirections{PolicyDirection::in, PolicyDirection::out, PolicyDirection::forward};
  return kDirections[from];
}

}  // namespace

std::optional<SaState> decode_sa(const nlmsghdr& message) {
  const auto info = header<xfrm_usersa_info>(message);
  if (!info || !is_ipsec(info->id.proto)) return std::nullopt;
  const Attributes attributes(message, sizeof *info);
  SaState out;
  out.id = {address_of(info->id.daddr, info->family),
            {ntohl(info->id.spi)},
            mark_of(attributes),
            info->id.proto == IPPROTO_AH};
  out.source = address_of(info->saddr, info->family);
  out.reqid = info->reqid;
  out.mode = info->mode == XFRM_MODE_TRANSPORT ? base::SaMode::transport : base::SaMode::tunnel;
  out.packets = info->curlft.packets;
  out.bytes = info->curlft.bytes;
  out.replay_errors = info->stats.replay;
  out.window_errors = info->stats.replay_window;
  out.integrity_errors = info->stats.integrity_failed;
  out.replay_window = info->replay_window;
  read_sequences(attributes, out);
  if (auto offload = attributes.get<xfrm_user_offload>(XFRMA_OFFLOAD_DEV)) {
    const bool packet = (offload->flags & kOffloadPacket) != 0;
    out.offload =
        Offload{packet ? OffloadKind::packet : OffloadKind::crypto, static_cast<std::uint32_t>(offload->ifindex)};
  }
  return out;
}

bool has_direction(const nlmsghdr& message) {
  const auto info = header<xfrm_usersa_info>(message);
  return info.has_value() && Attributes(message, sizeof *info).has(kAttributeSaDirection);
}

std::optional<PolicySpec> decode_policy(const nlmsghdr& message) {
  const auto info = header<xfrm_userpolicy_info>(message);
  if (!info || info->dir >= XFRM_POLICY_MAX) return std::nullopt;
  const Attributes attributes(message, sizeof *info);
  const auto type = attributes.get<xfrm_userpolicy_type>(XFRMA_POLICY_TYPE);
  if (type && type->type != XFRM_POLICY_TYPE_MAIN) return std::nullopt;
  PolicySpec out;
  out.id = {direction_of(info->dir), selector_of(info->sel), layer_of(info->sel), mark_of(attributes),
            attributes.get<std::uint32_t>(XFRMA_IF_ID).value_or(0)};
  out.priority = info->priority;
  out.action = info->action == XFRM_POLICY_BLOCK ? PolicyAction::block : PolicyAction::allow;
  if (auto offload = attributes.get<xfrm_user_offload>(XFRMA_OFFLOAD_DEV)) {
    out.device = static_cast<std::uint32_t>(offload->ifindex);
  }
  if (auto esp = attributes.get<xfrm_user_tmpl>(XFRMA_TMPL)) {
    const bool transport = esp->mode == XFRM_MODE_TRANSPORT;
    out.esp = Template{address_of(esp->saddr, esp->family), address_of(esp->id.daddr, esp->family), esp->reqid,
                       transport ? base::SaMode::transport : base::SaMode::tunnel, esp->id.proto == IPPROTO_AH};
  }
  return out;
}

namespace {

std::optional<Notification> decode_acquire(const nlmsghdr& message) {
  const auto acquire = header<xfrm_user_acquire>(message);
  if (!acquire || !is_ipsec(acquire->id.proto) || acquire->policy.dir >= XFRM_POLICY_MAX) {
    return std::nullopt;
  }
  const Attributes attributes(message, sizeof *acquire);
  // The tunnel's family may be another one than the packet's; only the template knows it.
  const auto esp = attributes.get<xfrm_user_tmpl>(XFRMA_TMPL);
  Notification out;
  out.kind = Notification::Kind::acquire;
  out.sa = {address_of(acquire->id.daddr, esp ? esp->family : acquire->sel.family),
            {},
            mark_of(attributes),
            acquire->id.proto == IPPROTO_AH};
  out.policy = {direction_of(acquire->policy.dir), selector_of(acquire->policy.sel), layer_of(acquire->policy.sel),
                mark_of(attributes), attributes.get<std::uint32_t>(XFRMA_IF_ID).value_or(0)};
  out.packet = selector_of(acquire->sel);
  out.larval = acquire->seq;
  return out;
}

// net/xfrm/xfrm_user.c, build_mapping: the ports are in network order, the mark of the SA is not told.
std::optional<Notification> decode_mapping(const nlmsghdr& message) {
  const auto mapping = header<xfrm_user_mapping>(message);
  if (!mapping || mapping->id.proto != IPPROTO_ESP) return std::nullopt;
  Notification out;
  out.kind = Notification::Kind::mapping;
  out.sa = {address_of(mapping->id.daddr, mapping->id.family), {ntohl(mapping->id.spi)}, {}};
  out.remote = {address_of(mapping->new_saddr, mapping->id.family), ntohs(mapping->new_sport)};
  return out;
}

// net/xfrm/xfrm_user.c, xfrm_notify_sa and xfrm_notify_policy: the id, then what was deleted as an attribute, then its
// other attributes as in a dump.
std::optional<Notification> decode_deleted_sa(const nlmsghdr& message) {
  const auto id = header<xfrm_usersa_id>(message);
  if (!id || !is_ipsec(id->proto)) return std::nullopt;
  Notification out;
  out.kind = Notification::Kind::sa_deleted;
  out.sa = {address_of(id->daddr, id->family),
            {ntohl(id->spi)},
            mark_of(Attributes(message, sizeof *id)),
            id->proto == IPPROTO_AH};
  return out;
}

std::optional<Notification> decode_deleted_policy(const nlmsghdr& message) {
  const auto id = header<xfrm_userpolicy_id>(message);
  if (!id || id->dir >= XFRM_POLICY_MAX) return std::nullopt;
  const Attributes attributes(message, sizeof *id);
  const auto info = attributes.get<xfrm_userpolicy_info>(XFRMA_POLICY);
  if (!info) return std::nullopt;
  Notification out;
  out.kind = Notification::Kind::policy_deleted;
  out.policy = {direction_of(id->dir), selector_of(info->sel), layer_of(info->sel), mark_of(attributes),
                attributes.get<std::uint32_t>(XFRMA_IF_ID).value_or(0)};
  return out;
}

Notification flushed(Notification::Kind kind) {
  Notification out;
  out.kind = kind;
  return out;
}

}  // namespace

std::optional<Notification> decode_notification(const nlmsghdr& message) {
  switch (message.nlmsg_type) {
    case XFRM_MSG_ACQUIRE:
      return decode_acquire(message);
    case XFRM_MSG_MAPPING:
      return decode_mapping(message);
    case XFRM_MSG_DELSA:
      return decode_deleted_sa(message);
    case XFRM_MSG_DELPOLICY:
      return decode_deleted_policy(message);
    case XFRM_MSG_FLUSHSA:
      return flushed(Notification::Kind::sas_flushed);
    case XFRM_MSG_FLUSHPOLICY:
      return flushed(Notification::Kind::policies_flushed);
    default:
      break;
  }
  Notification out;
  if (message.nlmsg_type == XFRM_MSG_EXPIRE) {
    const auto expire = header<xfrm_user_expire>(message);
    if (!expire || !is_ipsec(expire->state.id.proto)) return std::nullopt;
    out.sa = {address_of(expire->state.id.daddr, expire->state.family),
              {ntohl(expire->state.id.spi)},
              mark_of(Attributes(message, sizeof *expire)),
              expire->state.id.proto == IPPROTO_AH};
    out.kind = expire->hard != 0 ? Notification::Kind::hard_limit : Notification::Kind::soft_limit;
    return out;
  }
  if (message.nlmsg_type != XFRM_MSG_NEWAE) return std::nullopt;
  const auto event = header<xfrm_aevent_id>(message);
  if (!event || !is_ipsec(event->sa_id.proto)) return std::nullopt;
  out.kind = Notification::Kind::sequence;
  const Attributes attributes(message, sizeof *event);
  out.sa = {address_of(event->sa_id.daddr, event->sa_id.family),
            {ntohl(event->sa_id.spi)},
            mark_of(attributes),
            event->sa_id.proto == IPPROTO_AH};
  SaState state;
  read_sequences(attributes, state);
  out.sequence_out = state.sequence_out;
  return out;
}

std::optional<std::uint32_t> decode_sad_info(const nlmsghdr& message) {
  if (message.nlmsg_type != XFRM_MSG_NEWSADINFO || !header<std::uint32_t>(message)) return std::nullopt;
  const Attributes attributes(message, sizeof(std::uint32_t));
  const auto info = attributes.get<xfrmu_sadhinfo>(XFRMA_SAD_HINFO);
  return info ? std::optional(info->sadhcnt) : std::nullopt;
}

std::optional<Ack> decode_ack(const nlmsghdr& message) {
  if (message.nlmsg_type != NLMSG_ERROR) return std::nullopt;
  const auto error = header<nlmsgerr>(message);
  if (!error) return std::nullopt;
  // Errnos are negative there; INT_MIN, which is none, has no opposite.
  Ack out{error->error == std::numeric_limits<int>::min() ? EPROTO : -error->error, {}};
  if ((message.nlmsg_flags & NLM_F_ACK_TLVS) == 0) return out;
  // Behind the header come the request's own octets unless the kernel capped them, then the attributes.
  std::size_t after = sizeof *error;
  if ((message.nlmsg_flags & NLM_F_CAPPED) == 0) {
    if (error->msg.nlmsg_len < sizeof(nlmsghdr)) return out;
    after += error->msg.nlmsg_len - sizeof(nlmsghdr);
  }
  for_each_attribute(message, after, [&out](std::uint16_t type, base::ByteView payload) {
    if (type != NLMSGERR_ATTR_MSG) return;
    const auto words = base::as_text(payload);
    out.words = words.substr(0, words.find('\0'));
  });
  return out;
}

}  // namespace espgate::xfrm
