/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Cookies (RFC 7296 2.6): made, compared, and sent back in the packet that asked. */
#ifndef ESPGATE_BPF_CHALLENGE_H
#define ESPGATE_BPF_CHALLENGE_H

#include "bpf/ike.h"
#include "bpf/siphash.h"

#define FRESH_TTL 64
#define IPV4_DONT_FRAGMENT 0x4000

/* The answer behind its UDP header and marker: IKE header and one COOKIE notify. */
struct challenge {
  struct ike_header ike;
  __u8 next_payload;
  __u8 reserved;
  __be16 payload_length;
  __u8 protocol;
  __u8 spi_size;
  __be16 type;
  __u8 number; /* of the secret: the cookie begins here */
  __u8 hash[8];
} __attribute__((packed));
#define CHALLENGE_OCTETS sizeof(struct challenge)
_Static_assert(sizeof(struct challenge) == IKE_HEADER_OCTETS + IKE_NOTIFY_HEADER_OCTETS + ESPGATE_COOKIE_OCTETS,
               "challenge");

/* Gathers what the request's cookie is made of; the octets of it, 0 if it cannot be read. */
static __always_inline __u32 gather(const struct view* view, const struct ike_header* ike,
                                    const struct message* message, struct cookie_input* input) {
  __u32 octets = message->nonce_octets;

  if (octets < NONCE_LEAST_OCTETS || octets > NONCE_MOST_OCTETS) return 0;
  input->words[0] = ike->initiator_spi;
  __builtin_memcpy(&input->words[1], view->source, 16);
  input->words[3 + octets / 8] = 0; /* the nonce need not fill its last word */
  if (bpf_xdp_load_bytes(view->context, message->nonce_at, &input->words[3], octets)) return 0;
  return 24 + octets;
}

/* Ones' complement sums may be taken in words of any size, in the order of memory. */
static __always_inline __u16 fold(__u64 sum) {
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + ((sum >> 16) & 0xffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  return (__u16)((sum & 0xffff) + (sum >> 16));
}

static __always_inline __u64 sum_words(const void* start, int words) {
  const __u32* at = start;
  __u64 sum = 0;
  int i;

#pragma unroll
  for (i = 0; i < words; i++) sum += at[i];
  return sum;
}

static __always_inline void swap_macs(__u16* ether) {
  int i;

#pragma unroll
  for (i = 0; i < 3; i++) {
    __u16 word = ether[i];

    ether[i] = ether[3 + i];
    ether[3 + i] = word;
  }
}

/* A header of 20 octets, from the asked address to the asking one. RFC 6864: what is never fragmented needs no ID. */
static __always_inline void write_ipv4(const struct view* view, __u8* header, __u32 octets) {
  __u32 words[5];

  words[0] = bpf_htonl(0x45000000 | octets);
  words[1] = bpf_htonl(IPV4_DONT_FRAGMENT);
  words[2] = bpf_htonl(FRESH_TTL << 24 | IPPROTO_UDP << 16);
  __builtin_memcpy(&words[3], view->destination, 4);
  __builtin_memcpy(&words[4], view->source, 4);
  ((__u16*)words)[5] = (__u16)~fold(sum_words(words, 5));
  __builtin_memcpy(header, words, 20);
}

static __always_inline void write_ipv6(const struct view* view, __u8* header, __u32 payload) {
  __u32 words[2];

  words[0] = bpf_htonl(0x60000000);
  words[1] = bpf_htonl(payload << 16 | IPPROTO_UDP << 8 | FRESH_TTL);
  __builtin_memcpy(header, words, 8);
  __builtin_memcpy(header + 8, view->destination, 16);
  __builtin_memcpy(header + 24, view->source, 16);
}

/* `unsummed`: the device below sums up what is behind the UDP header and wants the pseudo header's sum there. */
static __always_inline void write_udp(const struct view* view, __be16* udp, __u32 octets, __u64 payload_sum,
                                      bool unsummed) {
  __u64 pseudo = sum_words(view->source, 4) + sum_words(view->destination, 4) + bpf_htons(IPPROTO_UDP);
  __u16 port = udp[0], sum;

  pseudo += bpf_htons((__u16)octets);
  udp[0] = udp[1];
  udp[1] = port;
  udp[2] = bpf_htons((__u16)octets);
  if (unsummed) {
    udp[3] = fold(pseudo);
    return;
  }
  sum = (__u16)~fold(pseudo + udp[0] + udp[1] + udp[2] + payload_sum);
  udp[3] = sum ? sum : 0xffff;
}

/* The octets of a challenge, which is a whole number of words and one octet. */
static __always_inline __u64 sum_challenge(const struct challenge* challenge) {
  _Static_assert(CHALLENGE_OCTETS % 4 == 1, "the last octet is summed apart");
  return sum_words(challenge, CHALLENGE_OCTETS / 4) + bpf_htons((__u16)(challenge->hash[7] << 8));
}

/* The request's header stands where the answer's is to be, so that the SPI stays. */
static __always_inline void write_ike(struct challenge* out, __u8 number, __u64 hash) {
  out->ike.responder_spi = 0;
  out->ike.next_payload = IKE_PAYLOAD_NOTIFY;
  out->ike.version = IKE_VERSION_2;
  out->ike.exchange = IKE_SA_INIT;
  out->ike.flags = IKE_FLAG_RESPONSE;
  out->ike.message_id = 0;
  out->ike.length = bpf_htonl(CHALLENGE_OCTETS);
  out->next_payload = 0;
  out->reserved = 0;
  out->payload_length = bpf_htons(IKE_NOTIFY_HEADER_OCTETS + ESPGATE_COOKIE_OCTETS);
  out->protocol = 0;
  out->spi_size = 0;
  out->type = bpf_htons(IKE_NOTIFY_COOKIE);
  out->number = number;
  __builtin_memcpy(out->hash, &hash, 8);
}

/* The frame ends with the answer; false if it cannot. A program in libxdp's dispatcher must not change the length
 * ("Extension program changes packet data, while original does not", since Linux 6.13): there the frame stays as long
 * as the question's, and what is behind the IP packet is padding to whoever receives it. */
static __always_inline bool cut(struct xdp_md* context, const struct view* view, __u32 end) {
#ifdef ESPGATE_DISPATCHED
  return end <= view->length;
#else
  return !bpf_xdp_adjust_tail(context, (int)(end - view->length));
#endif
}

/* Turns the request into the challenge. False if that cannot be, or would be longer than the request; the packet is
 * then not to be sent anywhere. */
static __always_inline bool write_challenge(struct xdp_md* context, struct view* view, const struct message* message,
                                            __u8 number, __u64 hash, bool unsummed) {
  __u32 end = message->at + CHALLENGE_OCTETS;
  void *ether, *ip, *udp, *ike;

  if (end > view->end || !cut(context, view, end)) return false;
  view->data = (void*)(long)context->data;
  view->data_end = (void*)(long)context->data_end;
  ether = peek(view, 0, 14);
  ip = peek(view, view->ip, view->family == AF_INET ? 20 : 40);
  udp = peek(view, view->at, 8);
  ike = peek(view, message->at, CHALLENGE_OCTETS);
  if (!ether || !ip || !udp || !ike) return false;
  swap_macs(ether);
  if (view->family == AF_INET)
    write_ipv4(view, ip, end - view->ip);
  else
    write_ipv6(view, ip, end - view->at);
  write_ike(ike, number, hash);
  write_udp(view, udp, end - view->at, sum_challenge(ike), unsummed);
  return true;
}

#endif
