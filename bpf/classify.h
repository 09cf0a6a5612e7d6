/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What a received packet is, from its outermost headers; the same for XDP and tc. */
#ifndef ESPGATE_BPF_CLASSIFY_H
#define ESPGATE_BPF_CLASSIFY_H

#include "bpf/kernel.h"
#include "bpf/maps.h"

#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86DD
#define ETH_P_8021Q 0x8100
#define ETH_P_8021AD 0x88A8
#define IPPROTO_HOPOPTS 0
#define IPPROTO_UDP 17
#define IPPROTO_ROUTING 43
#define IPPROTO_FRAGMENT 44
#define IPPROTO_ESP 50
#define IPPROTO_AH 51
#define IPPROTO_DSTOPTS 60
#define MAX_VLANS 2
#define MAX_EXTENSIONS 6 /* IPv6 extension headers looked through; with more, a packet is taken for plain */

#define PORT_IKE 500
#define PORT_NATT 4500
#define IKE_HEADER_OCTETS 28 /* RFC 7296 3.1 */
#define ESP_LEAST_OCTETS 12  /* RFC 4303 2: SPI, sequence number, and a payload padded to a multiple of 4 */
#define AH_LEAST_OCTETS 12   /* RFC 4302 2 */
#define PEEK_OCTETS 0x1ff    /* headers that begin behind so many octets are not looked at */

/* A packet under the parser. All offsets are octets from `data`; `length` is the whole packet's, of which no more than
 * data_end - data is to be looked at. */
struct view {
  void* context; /* of the program, for helpers */
  void* data;
  void* data_end;
  __u32 length;
  __u32 ip;  /* of the IP header */
  __u32 at;  /* of the header to be parsed next; in the end, of the transport header */
  __u32 end; /* of the IP packet; what follows is Ethernet padding */
  __u64 netns;
  __u32 ifindex;
  __u8 family;
  __u8 next;     /* protocol of the header at `at` */
  bool fragment; /* any of a fragmented packet */
  bool headless; /* a fragment without the transport header */
  bool optioned; /* IP options or extension headers stand before the transport header */
  bool spread;   /* of an SA of ours that any CPU may take */
  bool hidden;   /* more extension headers than are looked through: what the packet is was not seen */
  __be32 id;     /* a fragment's identification */
  __be32 spi;    /* of ESP or AH */
  __u8 source[16];
  __u8 destination[16];
};

/* `count` octets at offset `at`, or NULL if the packet does not show as many. The bound keeps the verifier's books
 * small. */
static __always_inline void* peek(const struct view* view, __u32 at, __u32 octets) {
  void* start;

  if (at > PEEK_OCTETS) return NULL;
  start = view->data + at;
  return start + octets <= view->data_end ? start : NULL;
}

/* Our SA that the packet's SPI, address and `proto` name, or NULL. */
static __always_inline struct espgate_sa_value* our_sa(const struct view* view, __u8 proto) {
  struct espgate_sa_key key = {};

  key.netns = view->netns;
  key.spi = view->spi;
  key.family = view->family;
  key.proto = proto;
  __builtin_memcpy(key.daddr, view->destination, 16);
  return bpf_map_lookup_elem(&sa_slot, &key);
}

/* Whether the packet only passes through this host, so that its SPI is none of our business. Not inlined: the stack is
 * short. */
static __attribute__((noinline)) bool is_transit(const struct view* view) {
  struct bpf_fib_lookup fib = {};
  long result;

  fib.family = view->family;
  fib.ifindex = view->ifindex;
  __builtin_memcpy(fib.ipv6_src, view->source, 16);
  __builtin_memcpy(fib.ipv6_dst, view->destination, 16);
  result = bpf_fib_lookup(view->context, &fib, sizeof(fib), 0);
  return result == BPF_FIB_LKUP_RET_SUCCESS || result == BPF_FIB_LKUP_RET_NO_NEIGH ||
         result == BPF_FIB_LKUP_RET_FRAG_NEEDED || result == BPF_FIB_LKUP_RET_UNSUPP_LWT;
}

/* `at`: of the SPI. */
static __always_inline int classify_spi(struct view* view, __u32 at, __u8 proto, int class) {
  __be32* spi = peek(view, at, 4);
  struct espgate_sa_value* ours;

  if (!spi || !*spi) return ESPGATE_CLASS_MALFORMED;
  view->spi = *spi;
  ours = our_sa(view, proto);
  view->spread = ours && ours->spread;
  return ours || is_transit(view) ? class : ESPGATE_CLASS_UNKNOWN_SPI;
}

static __always_inline int classify_esp(struct view* view, __u32 at, int class) {
  if (view->end < at + ESP_LEAST_OCTETS) return ESPGATE_CLASS_MALFORMED;
  return classify_spi(view, at, IPPROTO_ESP, class);
}

/* RFC 3948 2: on port 4500 four zero octets announce IKE, one octet of 0xFF is a keepalive, anything else is ESP. */
static __always_inline int classify_natt(struct view* view, __u32 at, __u32 octets) {
  __u8* first = peek(view, at, 1);
  __be32* marker;

  if (octets < 4)
    return octets == 1 && first && *first == 0xff ? ESPGATE_CLASS_NATT_KEEPALIVE : ESPGATE_CLASS_MALFORMED;
  marker = peek(view, at, 4);
  if (!marker || view->end < at + 4) return ESPGATE_CLASS_MALFORMED; /* a first fragment may end before it */
  if (*marker) return classify_esp(view, at, ESPGATE_CLASS_ESP_UDP);
  return octets < 4 + IKE_HEADER_OCTETS ? ESPGATE_CLASS_MALFORMED : ESPGATE_CLASS_IKE;
}

static __always_inline int classify_udp(struct view* view) {
  __be16* header = peek(view, view->at, 8);
  __u32 octets;
  __u16 port;

  if (!header) return ESPGATE_CLASS_MALFORMED;
  port = bpf_ntohs(header[1]);
  if (port != PORT_IKE && port != PORT_NATT) return ESPGATE_CLASS_PLAIN;
  octets = bpf_ntohs(header[2]);
  if (octets < 8 || (!view->fragment && view->at + octets > view->end)) return ESPGATE_CLASS_MALFORMED;
  octets -= 8;
  if (port == PORT_NATT) return classify_natt(view, view->at + 8, octets);
  return octets < IKE_HEADER_OCTETS ? ESPGATE_CLASS_MALFORMED : ESPGATE_CLASS_IKE;
}

/* A fragment without the transport header shows its protocol and nothing else. */
static __always_inline int classify_transport(struct view* view) {
  switch (view->next) {
    case IPPROTO_ESP:
      return view->headless ? ESPGATE_CLASS_ESP : classify_esp(view, view->at, ESPGATE_CLASS_ESP);
    case IPPROTO_AH:
      if (view->headless) return ESPGATE_CLASS_AH;
      if (view->end < view->at + AH_LEAST_OCTETS) return ESPGATE_CLASS_MALFORMED;
      return classify_spi(view, view->at + 4, IPPROTO_AH, ESPGATE_CLASS_AH);
    case IPPROTO_UDP:
      return view->headless ? ESPGATE_CLASS_PLAIN : classify_udp(view);
    default:
      return ESPGATE_CLASS_PLAIN;
  }
}

static __always_inline int classify_ipv4(struct view* view) {
  __u8* header = peek(view, view->at, 20);
  __u32 header_octets, total;
  __u16 fragment;

  if (!header) return ESPGATE_CLASS_MALFORMED;
  header_octets = (header[0] & 15) * 4;
  total = bpf_ntohs(*(__be16*)(header + 2));
  if (header[0] >> 4 != 4 || header_octets < 20 || total < header_octets || view->at + total > view->length)
    return ESPGATE_CLASS_MALFORMED;
  fragment = bpf_ntohs(*(__be16*)(header + 6));
  view->family = AF_INET;
  view->ip = view->at;
  view->next = header[9];
  view->id = *(__be16*)(header + 4);
  view->optioned = header_octets != 20;
  view->fragment = fragment & 0x3fff; /* more to come, or an offset */
  view->headless = fragment & 0x1fff;
  __builtin_memcpy(view->source, header + 12, 4);
  __builtin_memcpy(view->destination, header + 16, 4);
  view->end = view->at + total;
  view->at += header_octets;
  return classify_transport(view);
}

static __always_inline bool is_extension(__u8 next) {
  return next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS || next == IPPROTO_FRAGMENT;
}

/* One extension header: true if there was one and `at` is behind it now. */
static __always_inline bool skip_extension(struct view* view) {
  __u8* header;

  if (!is_extension(view->next)) return false;
  header = peek(view, view->at, 8);
  if (!header) return false;
  if (view->next == IPPROTO_FRAGMENT) {
    __u16 offset = bpf_ntohs(*(__be16*)(header + 2));

    view->fragment = offset & 0xfff9;
    view->headless = offset & 0xfff8;
    view->id = *(__be32*)(header + 4);
    view->at += 8;
  } else {
    view->at += (header[1] + 1) * 8;
  }
  view->next = header[0];
  view->optioned = true;
  return true;
}

static __always_inline int classify_ipv6(struct view* view) {
  __u8* header = peek(view, view->at, 40);
  int i;

  if (!header || header[0] >> 4 != 6) return ESPGATE_CLASS_MALFORMED;
  view->end = view->at + 40 + bpf_ntohs(*(__be16*)(header + 4));
  if (view->end > view->length) return ESPGATE_CLASS_MALFORMED;
  view->family = AF_INET6;
  view->ip = view->at;
  view->next = header[6];
  __builtin_memcpy(view->source, header + 8, 16);
  __builtin_memcpy(view->destination, header + 24, 16);
  view->at += 40;
#pragma unroll
  for (i = 0; i < MAX_EXTENSIONS; i++) {
    if (view->headless || !skip_extension(view)) break;
    if (view->at > view->end) return ESPGATE_CLASS_MALFORMED;
  }
  view->hidden = !view->headless && (is_extension(view->next) || view->at > PEEK_OCTETS);
  return classify_transport(view);
}

/* `protocol`: the Ethernet type (host order) of what begins at view->at, VLAN tags included. */
static __always_inline int classify(struct view* view, __u16 protocol) {
  __be16* type;
  int i;

#pragma unroll
  for (i = 0; i < MAX_VLANS; i++) {
    if (protocol != ETH_P_8021Q && protocol != ETH_P_8021AD) break;
    type = peek(view, view->at + 2, 2);
    if (!type) return ESPGATE_CLASS_MALFORMED;
    protocol = bpf_ntohs(*type);
    view->at += 4;
  }
  if (protocol == ETH_P_IP) return classify_ipv4(view);
  if (protocol == ETH_P_IPV6) return classify_ipv6(view);
  return ESPGATE_CLASS_PLAIN;
}

/* A packet that begins with its Ethernet header. */
static __always_inline int classify_frame(struct view* view) {
  __be16* type = peek(view, 12, 2);

  if (!type) return ESPGATE_CLASS_MALFORMED;
  view->at = 14;
  return classify(view, bpf_ntohs(*type));
}

static __always_inline void count_class(__u32 ifindex, int class, int verdict, __u64 packets, __u64 octets) {
  struct espgate_class_key key = {.ifindex = ifindex, .class_ = (__u8) class, .verdict = (__u8)verdict};
  struct espgate_class_count* found = bpf_map_lookup_elem(&classes, &key);
  struct espgate_class_count zero = {};

  if (!found) {
    bpf_map_update_elem(&classes, &key, &zero, BPF_NOEXIST);
    found = bpf_map_lookup_elem(&classes, &key);
    if (!found) return;
  }
  /* Receive runs in softirq: nobody else counts on this CPU meanwhile. */
  found->packets += packets;
  found->bytes += octets;
}

#endif
