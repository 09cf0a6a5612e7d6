/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* IKE_SA_INIT requests (RFC 7296 1.2, 3.1): which they are, and what a cookie needs of them. */
#ifndef ESPGATE_BPF_IKE_H
#define ESPGATE_BPF_IKE_H

#include "bpf/classify.h"
#include "bpf/shield_maps.h"

#define IKE_SA_INIT 34
#define IKE_FLAG_INITIATOR 0x08
#define IKE_FLAG_RESPONSE 0x20
#define IKE_VERSION_2 0x20
#define IKE_PAYLOAD_NONCE 40
#define IKE_PAYLOAD_NOTIFY 41
#define IKE_NOTIFY_COOKIE 16390
#define IKE_NOTIFY_HEADER_OCTETS 8 /* with a protocol and an SPI size, without an SPI */
#define IKE_MAX_PAYLOADS 16        /* looked through for the nonce */
#define IKE_PEEK_OCTETS 0x3fff

struct ike_header {
  __u64 initiator_spi; /* as it stands in memory */
  __u64 responder_spi;
  __u8 next_payload;
  __u8 version;
  __u8 exchange;
  __u8 flags;
  __be32 message_id;
  __be32 length;
} __attribute__((packed));

/* An IKE message in a packet. Offsets are from the packet's start. */
struct message {
  __u32 at;
  __u32 end;
  __u32 nonce_at;
  __u32 nonce_octets;
  __u8 first_payload;
};

/* `view`: classified as IKE, and its UDP header is at view->at. */
static __always_inline struct ike_header* ike_header_of(const struct view* view, struct message* message) {
  __be16* udp = peek(view, view->at, 8);

  if (!udp) return NULL;
  message->at = view->at + 8 + (udp[1] == bpf_htons(PORT_NATT) ? 4 : 0);
  message->end = view->at + bpf_ntohs(udp[2]);
  return peek(view, message->at, IKE_HEADER_OCTETS);
}

static __always_inline bool is_init_request(const struct ike_header* ike) {
  return ike->exchange == IKE_SA_INIT &&
         (ike->flags & (IKE_FLAG_INITIATOR | IKE_FLAG_RESPONSE)) == IKE_FLAG_INITIATOR &&
         (ike->version & 0xf0) == IKE_VERSION_2 && ike->initiator_spi && !ike->responder_spi && !ike->message_id;
}

/* As peek(), for payloads, which may begin farther behind. */
static __always_inline __u8* peek_payload(const struct view* view, __u32 at, __u32 octets) {
  __u8* start;

  if (at > IKE_PEEK_OCTETS) return NULL;
  start = view->data + at;
  return start + octets <= (__u8*)view->data_end ? start : NULL;
}

/* The value of a COOKIE notify that stands first (RFC 7296 2.6), if it is as long as ours; else NULL. */
static __always_inline __u8* cookie_of(const struct view* view, const struct message* message) {
  __u32 at = message->at + IKE_HEADER_OCTETS;
  __u8* notify;

  if (message->first_payload != IKE_PAYLOAD_NOTIFY) return NULL;
  notify = peek(view, at, IKE_NOTIFY_HEADER_OCTETS + ESPGATE_COOKIE_OCTETS);
  if (!notify || at + IKE_NOTIFY_HEADER_OCTETS + ESPGATE_COOKIE_OCTETS > message->end) return NULL;
  if (*(__be16*)(notify + 2) != bpf_htons(IKE_NOTIFY_HEADER_OCTETS + ESPGATE_COOKIE_OCTETS) || notify[5] ||
      *(__be16*)(notify + 6) != bpf_htons(IKE_NOTIFY_COOKIE))
    return NULL;
  return notify + IKE_NOTIFY_HEADER_OCTETS;
}

/* Whether a COOKIE notify stands first, of whatever length. */
static __always_inline bool has_cookie(const struct view* view, const struct message* message) {
  __u8* notify = peek(view, message->at + IKE_HEADER_OCTETS, IKE_NOTIFY_HEADER_OCTETS);

  return message->first_payload == IKE_PAYLOAD_NOTIFY && notify &&
         *(__be16*)(notify + 6) == bpf_htons(IKE_NOTIFY_COOKIE);
}

/* Finds the nonce, wherever it stands among the payloads up to there. False if a length is wrong on the way, or it has
 * none of 16 to 256 octets. */
static __always_inline bool find_nonce(const struct view* view, const struct ike_header* ike, struct message* message) {
  __u32 at = message->at + IKE_HEADER_OCTETS;
  __u8 next = ike->next_payload;
  __u32 octets, length;
  __u8* payload;
  int i;

  length = bpf_ntohl(ike->length);
  if (length < IKE_HEADER_OCTETS || length > message->end - message->at) return false;
  message->end = message->at + length;
  for (i = 0; i < IKE_MAX_PAYLOADS && next; i++) {
    payload = peek_payload(view, at, 4);
    if (!payload) return false;
    octets = bpf_ntohs(*(__be16*)(payload + 2));
    if (octets < 4 || at + octets > message->end) return false;
    if (next == IKE_PAYLOAD_NONCE) {
      message->nonce_at = at + 4;
      message->nonce_octets = octets - 4;
      return octets - 4 >= NONCE_LEAST_OCTETS && octets - 4 <= NONCE_MOST_OCTETS;
    }
    next = payload[0];
    at += octets;
  }
  return false;
}

#endif
