// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/udp.h>
#include <linux/xfrm.h>
#include <netinet/in.h>

#include <cstring>

#include "xfrm/kernel_types.h"
#include "xfrm/message.h"

namespace espgate::xfrm {
namespace {

nlmsghdr* start(std::span<std::uint8_t> to, int type, int flags, std::uint32_t sequence) {
  std::memset(to.data(), 0, kMessageRoom);
  nlmsghdr* message = mnl_nlmsg_put_header(to.data());
  message->nlmsg_type = static_cast<std::uint16_t>(type);
  message->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
  message->nlmsg_seq = sequence;
  return message;
}

template <class T>
T* header(nlmsghdr* message) {
  return static_cast<T*>(mnl_nlmsg_put_extra_header(message, sizeof(T)));
}

// Reserves an attribute of `octets` (zeroed) and returns its payload.
void* attribute(nlmsghdr* message, int type, std::size_t octets) {
  auto* out = reinterpret_cast<nlattr*>(mnl_nlmsg_get_payload_tail(message));
  out->nla_type = static_cast<std::uint16_t>(type);
  out->nla_len = static_cast<std::uint16_t>(MNL_ATTR_HDRLEN + octets);
  message->nlmsg_len += static_cast<std::uint32_t>(MNL_ALIGN(out->nla_len));
  return mnl_attr_get_payload(out);
}

void put_limits(const Limits& limits, xfrm_lifetime_cfg& to) {
  auto or_none = [](std::uint64_t value) { return value != 0 ? value : XFRM_INF; };
  to.soft_packet_limit = or_none(limits.soft_packets);
  to.hard_packet_limit = or_none(limits.hard_packets);
  to.soft_byte_limit = or_none(limits.soft_bytes);
  to.hard_byte_limit = or_none(limits.hard_bytes);
  to.soft_add_expires_seconds = static_cast<std::uint64_t>(limits.soft_age.count());
  to.hard_add_expires_seconds = static_cast<std::uint64_t>(limits.hard_age.count());
}

struct AuthName {
  const char* name;
  unsigned icv_bits;
};
AuthName auth_name(base::EspAuth auth) {
  switch (auth) {
    case base::EspAuth::hmac_sha2_384_192:
      return {"hmac(sha384)", 192};
    case base::EspAuth::hmac_sha2_512_256:
      return {"hmac(sha512)", 256};
    case base::EspAuth::hmac_sha2_256_128:
    case base::EspAuth::none:
      break;
  }
  return {"hmac(sha256)", 128};
}

// xfrm_algo, xfrm_algo_auth and xfrm_algo_aead end in the key.
template <class T>
T* algorithm(nlmsghdr* message, int type, const char* name, base::ByteView key) {
  auto* out = static_cast<T*>(attribute(message, type, sizeof(T) + key.size()));
  std::strncpy(out->alg_name, name, sizeof out->alg_name - 1);
  out->alg_key_len = static_cast<unsigned>(8 * key.size());
  if (!key.empty()) std::memcpy(out->alg_key, key.data(), key.size());
  return out;
}

void put_algorithms(nlmsghdr* message, const SaSpec& spec) {
  if (spec.suite.aead()) {
    const bool chacha = spec.suite.cipher == base::EspCipher::chacha20_poly1305;
    const char* name = chacha ? "rfc7539esp(chacha20,poly1305)" : "rfc4106(gcm(aes))";
    auto* aead = algorithm<xfrm_algo_aead>(message, XFRMA_ALG_AEAD, name, spec.cipher_key.view());
    aead->alg_icv_len = static_cast<unsigned>(8 * spec.suite.icv_octets());
    return;
  }
  if (!spec.suite.ah()) algorithm<xfrm_algo>(message, XFRMA_ALG_CRYPT, "cbc(aes)", spec.cipher_key.view());
  const AuthName auth = auth_name(spec.suite.auth);
  algorithm<xfrm_algo_auth>(message, XFRMA_ALG_AUTH_TRUNC, auth.name, spec.auth_key.view())->alg_trunc_len =
      auth.icv_bits;
}

// The replay window, always in the form that takes more than 32 packets. Without XFRMA_SA_DIR the kernel wants a window
// for an outbound ESN SA, too, and leaves it unused.
void put_replay(nlmsghdr* message, const SaSpec& spec, const Features& features) {
  const bool inbound = spec.direction == base::Direction::in;
  std::uint32_t window = inbound ? spec.replay_window : 0;
  if (spec.suite.esn && window == 0 && (inbound || !features.sa_direction)) window = 32;
  if (window == 0 && !spec.suite.esn) return;
  const std::size_t words = (window + 31) / 32;
  auto* replay = static_cast<xfrm_replay_state_esn*>(
      attribute(message, XFRMA_REPLAY_ESN_VAL, sizeof(xfrm_replay_state_esn) + 4 * words));
  replay->bmp_len = static_cast<std::uint32_t>(words);
  replay->replay_window = window;
}

// Said in any case: with somebody listening the kernel's own default is an event every two packets.
void put_notices(nlmsghdr* message, const SaSpec& spec) {
  std::memcpy(attribute(message, XFRMA_REPLAY_THRESH, 4), &spec.sequence_notice, 4);
  attribute(message, XFRMA_ETIMER_THRESH, 4);  // zero: none by time
}

void put_offload(nlmsghdr* message, const SaSpec& spec) {
  if (!spec.offload) return;
  auto* offload = static_cast<xfrm_user_offload*>(attribute(message, XFRMA_OFFLOAD_DEV, sizeof(xfrm_user_offload)));
  offload->ifindex = static_cast<int>(spec.offload->ifindex);
  if (spec.direction == base::Direction::in) offload->flags |= XFRM_OFFLOAD_INBOUND;
  if (spec.offload->kind == OffloadKind::packet) offload->flags |= kOffloadPacket;
}

void put_number(nlmsghdr* message, int type, std::uint32_t number) {
  std::memcpy(attribute(message, type, sizeof number), &number, sizeof number);
}

void put_encap(nlmsghdr* message, const SaSpec& spec) {
  if (!spec.encap) return;
  auto* encap = static_cast<xfrm_encap_tmpl*>(attribute(message, XFRMA_ENCAP, sizeof(xfrm_encap_tmpl)));
  encap->encap_type = UDP_ENCAP_ESPINUDP;
  encap->encap_sport = htons(spec.encap->source_port);
  encap->encap_dport = htons(spec.encap->destination_port);
  // A peer that moved is told of once a second, not with every packet.
  if (spec.direction == base::Direction::in) put_number(message, XFRMA_MTIMER_THRESH, 1);
}

// Of the SA or policy itself: what packets have to bring to meet it.
void put_scope(nlmsghdr* message, const base::Mark& mark, std::uint32_t if_id) {
  if (mark.mask != 0) {
    auto* out = static_cast<xfrm_mark*>(attribute(message, XFRMA_MARK, sizeof(xfrm_mark)));
    out->v = mark.value;
    out->m = mark.mask;
  }
  if (if_id != 0) put_number(message, XFRMA_IF_ID, if_id);
}

// What the SA does to packets.
void put_treatment(nlmsghdr* message, const SaSpec& spec) {
  if (spec.set_mark.mask != 0) {
    put_number(message, XFRMA_SET_MARK, spec.set_mark.value);
    put_number(message, XFRMA_SET_MARK_MASK, spec.set_mark.mask);
  }
  if (!spec.copied.dscp_out) put_number(message, XFRMA_SA_EXTRA_FLAGS, XFRM_SA_XFLAG_DONT_ENCAP_DSCP);
}

void put_sa_info(nlmsghdr* message, const SaSpec& spec) {
  auto* info = header<xfrm_usersa_info>(message);
  info->id = kernel_id(spec.destination, spec.spi, spec.suite.ah());
  info->saddr = kernel_address(spec.source);
  info->family = static_cast<std::uint16_t>(spec.destination.family());
  info->mode = spec.mode == base::SaMode::tunnel ? XFRM_MODE_TUNNEL : XFRM_MODE_TRANSPORT;
  info->reqid = spec.reqid;
  info->seq = spec.acquire != 0 ? spec.acquire : spec.number;
  if (spec.suite.esn) info->flags |= XFRM_STATE_ESN;
  if (!spec.copied.df) info->flags |= XFRM_STATE_NOPMTUDISC;
  if (!spec.copied.ecn) info->flags |= XFRM_STATE_NOECN;
  if (spec.copied.dscp_in) info->flags |= XFRM_STATE_DECAP_DSCP;
  // A tunnel carries either family; without the flag the kernel takes the outer one.
  if (spec.mode == base::SaMode::tunnel) info->flags |= XFRM_STATE_AF_UNSPEC;
  // RFC 4302 3.3.3.2.1: over IPv4 the header is a multiple of 4 octets; the kernel pads to 8 unless told.
  if (spec.suite.ah() && spec.destination.is_v4()) info->flags |= XFRM_STATE_ALIGN4;
  if (spec.selector) info->sel = kernel_selector(*spec.selector, Layer::foreign);
  put_limits(spec.limits, info->lft);
}

nlmsghdr* put(const AddSa& add, std::uint32_t sequence, const Features& features, std::span<std::uint8_t> to) {
  nlmsghdr* message = start(to, XFRM_MSG_NEWSA, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, sequence);
  put_sa_info(message, add.spec);
  put_algorithms(message, add.spec);
  put_replay(message, add.spec, features);
  put_notices(message, add.spec);
  put_scope(message, add.spec.mark, add.spec.if_id);
  put_treatment(message, add.spec);
  put_encap(message, add.spec);
  put_offload(message, add.spec);
  if (features.sa_direction) {
    *static_cast<std::uint8_t*>(attribute(message, kAttributeSaDirection, 1)) =
        add.spec.direction == base::Direction::in ? kSaDirectionIn : kSaDirectionOut;
  }
  return message;
}

nlmsghdr* put_sa_id(int type, int flags, const SaId& id, std::uint32_t sequence, std::span<std::uint8_t> to) {
  nlmsghdr* message = start(to, type, flags, sequence);
  auto* out = header<xfrm_usersa_id>(message);
  out->daddr = kernel_address(id.destination);
  out->spi = htonl(id.spi.value);
  out->family = static_cast<std::uint16_t>(id.destination.family());
  out->proto = kernel_protocol(id.ah);
  put_scope(message, id.mark, 0);
  return message;
}

nlmsghdr* put(const GetSa& get, std::uint32_t sequence, const Features&, std::span<std::uint8_t> to) {
  return put_sa_id(XFRM_MSG_GETSA, 0, get.id, sequence, to);
}

nlmsghdr* put(const DelSa& del, std::uint32_t sequence, const Features&, std::span<std::uint8_t> to) {
  return put_sa_id(XFRM_MSG_DELSA, NLM_F_ACK, del.id, sequence, to);
}

// UPDPOLICY adds what is not there and replaces what is, under one lock.
nlmsghdr* put(const PutPolicy& request, std::uint32_t sequence, const Features&, std::span<std::uint8_t> to) {
  const PolicySpec& policy = request.policy;
  nlmsghdr* message = start(to, XFRM_MSG_UPDPOLICY, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, sequence);
  auto* info = header<xfrm_userpolicy_info>(message);
  info->sel = kernel_selector(policy.id.selector, policy.id.layer);
  put_limits({}, info->lft);
  info->priority = policy.priority;
  info->dir = kernel_direction(policy.id.direction);
  info->action = policy.action == PolicyAction::allow ? XFRM_POLICY_ALLOW : XFRM_POLICY_BLOCK;
  info->share = XFRM_SHARE_ANY;
  put_scope(message, policy.id.mark, policy.id.if_id);
  if (policy.device != 0) {
    auto* offload = static_cast<xfrm_user_offload*>(attribute(message, XFRMA_OFFLOAD_DEV, sizeof(xfrm_user_offload)));
    offload->ifindex = static_cast<int>(policy.device);
    offload->flags = kOffloadPacket;  // and nothing else (net/xfrm/xfrm_device.c: xfrm_dev_policy_add)
  }
  if (policy.esp) {
    auto* esp = static_cast<xfrm_user_tmpl*>(attribute(message, XFRMA_TMPL, sizeof(xfrm_user_tmpl)));
    const bool tunnel = policy.esp->mode == base::SaMode::tunnel;
    esp->id.proto = kernel_protocol(policy.esp->ah);
    esp->family = static_cast<std::uint16_t>(policy.esp->destination.family());
    if (tunnel) {
      esp->id.daddr = kernel_address(policy.esp->destination);
      esp->saddr = kernel_address(policy.esp->source);
    }
    esp->reqid = policy.esp->reqid;
    esp->mode = tunnel ? XFRM_MODE_TUNNEL : XFRM_MODE_TRANSPORT;
    esp->aalgos = esp->ealgos = esp->calgos = ~0U;
  }
  return message;
}

nlmsghdr* put(const DelPolicy& del, std::uint32_t sequence, const Features&, std::span<std::uint8_t> to) {
  nlmsghdr* message = start(to, XFRM_MSG_DELPOLICY, NLM_F_ACK, sequence);
  auto* id = header<xfrm_userpolicy_id>(message);
  id->sel = kernel_selector(del.id.selector, del.id.layer);
  id->dir = kernel_direction(del.id.direction);
  put_scope(message, del.id.mark, del.id.if_id);
  return message;
}

}  // namespace

std::size_t encode(const Request& request, std::uint32_t sequence, const Features& features,
                   std::span<std::uint8_t> to) {
  // Messages follow each other in steps of four octets, the structs in them are made for steps of eight: each is
  // written where that holds, then moved to its place.
  const std::size_t off = (8 - reinterpret_cast<std::uintptr_t>(to.data()) % 8) % 8;
  const std::size_t length =
      std::visit([&](const auto& what) { return put(what, sequence, features, to.subspan(off))->nlmsg_len; }, request);
  if (off != 0) {
    std::memmove(to.data(), to.data() + off, length);
    std::memset(to.data() + length, 0, off);
  }
  return length;
}

std::size_t encode_sad_info(std::uint32_t sequence, std::span<std::uint8_t> to) {
  nlmsghdr* message = start(to, XFRM_MSG_GETSADINFO, 0, sequence);
  *header<std::uint32_t>(message) = 0;  // flags, of which there are none
  return message->nlmsg_len;
}

std::size_t encode_dump(Table table, std::uint32_t sequence, std::span<std::uint8_t> to) {
  const bool sas = table == Table::sas;
  return start(to, sas ? XFRM_MSG_GETSA : XFRM_MSG_GETPOLICY, NLM_F_DUMP, sequence)->nlmsg_len;
}

}  // namespace espgate::xfrm
