/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What the shield does with a packet: classifies it and counts it by class; told to act, it keeps floods of IKE and ESP
 * that the kernel has no SA for away from the stack. What only passes through this host it leaves alone. */
#ifndef ESPGATE_BPF_JUDGE_H
#define ESPGATE_BPF_JUDGE_H

#include "bpf/challenge.h"
#include "bpf/classify.h"
#include "bpf/known.h"
#include "bpf/limits.h"
#include "bpf/sa.h"
#include "bpf/spread.h"

/* One packet before the shield. */
struct arrival {
  struct view* view;
  struct net_device* device;
  const struct espgate_shield* rules;
  bool unsummed; /* the UDP checksum is left to the device */
};

/* A function of its own, as others here: the stack is short. */
__attribute__((noinline)) int count_shield(__u32 ifindex, __u32 event) {
  struct espgate_shield_key key = {.ifindex = ifindex, .event = event};
  __u64* count = bpf_map_lookup_elem(&shield_counts, &key);
  __u64 one = 1;

  if (count)
    *count += 1;
  else
    bpf_map_update_elem(&shield_counts, &key, &one, BPF_ANY);
  return 0;
}

static __always_inline int count_event(const struct arrival* arrival, __u32 event, int action) {
  count_shield(arrival->view->ifindex, event);
  return action;
}

static __always_inline bool is_multicast(__u8 family, const __u8* address) {
  return family == AF_INET ? (address[0] & 0xf0) == 0xe0 : address[0] == 0xff;
}

/* Whether nobody can be answered there: multicast, broadcast, unspecified, loopback. */
static __always_inline bool is_nobody(__u8 family, const __u8* address) {
  const __u32* words = (const __u32*)address;

  if (is_multicast(family, address)) return true;
  if (family == AF_INET) return !address[0] || address[0] == 127 || words[0] == 0xffffffff;
  return !words[0] && !words[1] && !words[2] && bpf_ntohl(words[3]) <= 1;
}

/* Whether the packet is for this host for sure, by its MAC address and by the routes. */
static __always_inline bool is_here(struct arrival* arrival) {
  struct view* view = arrival->view;
  __u16* ether = peek(view, 0, 12);
  __u16 ours[3] = {};

  if (!ether || bpf_probe_read_kernel(ours, sizeof(ours), arrival->device->dev_addr)) return false;
  if (ether[0] != ours[0] || ether[1] != ours[1] || ether[2] != ours[2]) return false;
  return !is_multicast(view->family, view->destination) && !is_transit(view);
}

static __always_inline int judge_unknown_spi(struct xdp_md* context, struct arrival* arrival) {
  if (kernel_knows(context, arrival->view)) return XDP_PASS;
  count_event(arrival, ESPGATE_SHIELD_UNKNOWN_SPI, XDP_PASS);
  if (!arrival->rules->drop_unknown) return XDP_PASS;
  return count_event(arrival, ESPGATE_SHIELD_UNKNOWN_DROPPED, XDP_DROP);
}

static __always_inline int judge_by_fragment_rate(struct arrival* arrival) {
  if (take_fragment(arrival->rules->fragment_rate))
    return count_event(arrival, ESPGATE_SHIELD_FRAGMENT_PASSED, XDP_PASS);
  return count_event(arrival, ESPGATE_SHIELD_FRAGMENT_DROPPED, XDP_DROP);
}

/* Of a datagram to an IKE port whose first fragment was dropped the rest never gets past the kernel's reassembly, so it
 * is dropped at once. One that comes before its first, or is of another application, passes. */
static __always_inline int judge_fragment(struct arrival* arrival, bool first) {
  struct fragment_key key = {.netns = arrival->view->netns, .id = arrival->view->id, .family = arrival->view->family};
  __u32* before;
  __u32 passed;
  int action;

  __builtin_memcpy(key.source, arrival->view->source, 16);
  __builtin_memcpy(key.destination, arrival->view->destination, 16);
  if (!first) {
    before = bpf_map_lookup_elem(&shield_firsts, &key);
    if (!before) return XDP_PASS;
    if (!*before) return count_event(arrival, ESPGATE_SHIELD_FRAGMENT_DROPPED, XDP_DROP);
  }
  action = judge_by_fragment_rate(arrival);
  passed = action == XDP_PASS;
  if (first) bpf_map_update_elem(&shield_firsts, &key, &passed, BPF_ANY);
  return action;
}

static __always_inline bool is_answerable(const struct view* view) {
  const __u32* ip = peek(view, view->ip, 20);
  __be16* udp = peek(view, view->at, 8);

  if (!ip || !udp || !udp[0] || is_nobody(view->family, view->source)) return false;
  if (view->family == AF_INET6) return udp[3]; /* RFC 8200 8.1: none without a checksum */
  return fold(sum_words(ip, 5)) == 0xffff;
}

/* Whether the cookie was made of `input` with a secret that holds. */
static __always_inline bool is_good(const __u8* cookie, struct cookie_input* input, __u32 octets,
                                    struct espgate_cookie_secrets* secrets) {
  struct espgate_cookie_secret* secret = &secrets->present;
  __u8 number = cookie[0];
  __u64 hash;

  __builtin_memcpy(&hash, cookie + 1, sizeof(hash));
  if (number != secrets->present.number) {
    secret = &secrets->before;
    if (!secret->valid || number != secret->number) return false;
  }
  return hash == siphash(input, octets, secret);
}

/* Above the rate, or with a cookie: a right one passes, all else is challenged. */
static __always_inline int judge_by_cookie(struct xdp_md* context, struct arrival* arrival, struct message* message,
                                           struct ike_header* ike, struct espgate_cookie_secrets* secrets,
                                           bool has_one) {
  struct view* view = arrival->view;
  struct cookie_input* input;
  __u32 zero = 0, octets;
  __u64 hash;
  __u8* cookie;

  input = bpf_map_lookup_elem(&shield_input, &zero);
  if (!input || !is_answerable(view) || !find_nonce(view, ike, message))
    return count_event(arrival, ESPGATE_SHIELD_INIT_DROPPED, XDP_DROP);
  octets = gather(view, ike, message, input);
  if (!octets) return count_event(arrival, ESPGATE_SHIELD_INIT_DROPPED, XDP_DROP);
  if (has_one) {
    cookie = cookie_of(view, message);
    if (cookie && is_good(cookie, input, octets, secrets))
      return count_event(arrival, ESPGATE_SHIELD_COOKIE_GOOD, XDP_PASS);
    count_event(arrival, ESPGATE_SHIELD_COOKIE_BAD, XDP_PASS);
  }
  hash = siphash(input, octets, &secrets->present);
  if (!write_challenge(context, view, message, secrets->present.number, hash, arrival->unsummed))
    return count_event(arrival, ESPGATE_SHIELD_INIT_DROPPED, XDP_DROP);
  return count_event(arrival, ESPGATE_SHIELD_COOKIE_SENT, XDP_TX);
}

static __always_inline int judge_init(struct xdp_md* context, struct arrival* arrival, struct message* message,
                                      struct ike_header* ike) {
  struct view* view = arrival->view;
  struct espgate_cookie_secrets* secrets;
  __u32 zero = 0;
  bool has_one;

  /* Not to be answered by a few writes: other headers than ours would have to go, or it is not in one piece. */
  if (view->optioned || view->data + view->length != view->data_end) return judge_by_fragment_rate(arrival);
  secrets = bpf_map_lookup_elem(&shield_secrets, &zero);
  if (!secrets || !secrets->present.valid || !arrival->rules->cookie_rate)
    return count_event(arrival, ESPGATE_SHIELD_INIT_PASSED, XDP_PASS);
  message->first_payload = ike->next_payload;
  has_one = has_cookie(view, message);
  /* A cookie is looked at below the rate, too, so that a right one takes nothing of it. */
  if (!has_one && is_answerable(view) && take_init(arrival->rules->cookie_rate))
    return count_event(arrival, ESPGATE_SHIELD_INIT_PASSED, XDP_PASS);
  return judge_by_cookie(context, arrival, message, ike, secrets, has_one);
}

static __always_inline int judge_ike(struct xdp_md* context, struct arrival* arrival) {
  struct message message = {};
  struct ike_header* ike = ike_header_of(arrival->view, &message);

  if (ike && is_init_request(ike)) return judge_init(context, arrival, &message, ike);
  if (take_source(arrival->view, arrival->rules->source_rate)) return XDP_PASS;
  return count_event(arrival, ESPGATE_SHIELD_SOURCE_DROPPED, XDP_DROP);
}

/* A fragment of UDP whose ports show and are IKE's. */
static __always_inline bool is_first_of_ike(const struct view* view) {
  __be16* udp = peek(view, view->at, 8);

  return udp && (udp[1] == bpf_htons(PORT_IKE) || udp[1] == bpf_htons(PORT_NATT));
}

static __always_inline int judge_class(struct xdp_md* context, struct arrival* arrival, int class) {
  struct view* view = arrival->view;
  bool of_udp = view->next == IPPROTO_UDP;
  bool later = of_udp && view->headless;
  bool first = of_udp && view->fragment && !later && class != ESPGATE_CLASS_ESP_UDP &&
               class != ESPGATE_CLASS_UNKNOWN_SPI && is_first_of_ike(view);

  if (class == ESPGATE_CLASS_UNKNOWN_SPI) return is_here(arrival) ? judge_unknown_spi(context, arrival) : XDP_PASS;
  if (class != ESPGATE_CLASS_IKE && !first && !later && !view->hidden) return XDP_PASS;
  if (!is_here(arrival)) return XDP_PASS;
  if (is_allowed(view))
    return later || view->hidden ? XDP_PASS : count_event(arrival, ESPGATE_SHIELD_ALLOWED, XDP_PASS);
  if (later || first) return judge_fragment(arrival, first);
  if (view->hidden) return judge_by_fragment_rate(arrival);
  return judge_ike(context, arrival);
}

/* Fills `out`; the class. A function of its own, so that what the verifier knows of each way that headers can be parsed
 * in does not multiply what comes after. */
__attribute__((noinline)) int see(struct xdp_md* context, struct view* out) {
  struct xdp_buff* xdp = bpf_cast_to_kern_ctx(context);
  struct net_device* device = xdp->rxq->dev;
  struct view view = {
      .context = context,
      .data = (void*)(long)context->data,
      .data_end = (void*)(long)context->data_end,
      .length = (__u32)bpf_xdp_get_buff_len(context),
      .netns = device->nd_net.net->net_cookie,
      .ifindex = context->ingress_ifindex,
  };
  int class = classify_frame(&view);

  if (out) *out = view;
  return class;
}

static __always_inline int verdict_of(int action) {
  switch (action) {
    case XDP_PASS:
      return ESPGATE_PASS;
    case XDP_TX:
      return ESPGATE_TX;
    case XDP_REDIRECT:
      return ESPGATE_REDIRECT;
    default:
      return ESPGATE_DROP;
  }
}

/* What is done with the packet: an XDP action. */
static __attribute__((noinline)) int judge(struct xdp_md* context, struct view* view, int class, bool unsummed) {
  struct xdp_buff* xdp = bpf_cast_to_kern_ctx(context);
  struct arrival arrival = {.view = view, .unsummed = unsummed, .device = xdp->rxq->dev};
  __u32 zero = 0;

  arrival.rules = bpf_map_lookup_elem(&shield_rules, &zero);
  if (!arrival.rules || !arrival.rules->active) return XDP_PASS;
  view->context = context;
  view->data = (void*)(long)context->data;
  view->data_end = (void*)(long)context->data_end;
  return judge_class(context, &arrival, class);
}

/* One packet in front of the network stack: an XDP action. */
static __always_inline int shield_packet(struct xdp_md* context) {
  struct view view = {};
  int class = see(context, &view);
  int action = judge(context, &view, class, false);

#ifndef ESPGATE_DISPATCHED
  /* A CPU map belongs to programs of one kind: an extension of a dispatcher may not use that of an XDP program. */
  if (action == XDP_PASS) action = spread_over_cpus(&view);
#endif
  count_class(view.ifindex, class, verdict_of(action), 1, view.length);
  return action;
}

#endif
