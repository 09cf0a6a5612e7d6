/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* account (tcx): inner flows, why a transmit will fall back, classes where XDP does not run; and the counters
 * themselves, inexactly, where the exact hooks could not be attached (meta.exact_in, meta.exact_out). */
#include "bpf/classify.h"
#include "bpf/sa.h"

#define LINEAR_OCTETS 192 /* enough for the headers that classes and estimates need */

static __always_inline struct espgate_meta* get_meta(void) {
  __u32 zero = 0;

  return bpf_map_lookup_elem(&meta, &zero);
}

/* Offset of a header from the start of the packet as tc shows it. */
static __always_inline __u32 offset_of(struct sk_buff* skb, __u16 header) {
  return header - (__u32)(skb->data - skb->head);
}

static __always_inline __u32 segments(struct sk_buff* skb) {
  __u32 segs = shared_info(skb)->gso_segs;

  return segs ? segs : 1;
}

static __always_inline void load_ports(struct __sk_buff* context, struct espgate_flow_key* key, __u32 at) {
  __be16 ports[2];

  /* TCP, UDP, SCTP, DCCP, UDP-Lite */
  if (key->proto != 6 && key->proto != 17 && key->proto != 132 && key->proto != 33 && key->proto != 136) return;
  if (bpf_skb_load_bytes(context, at, ports, 4)) return;
  key->src_port = ports[0];
  key->dst_port = ports[1];
}

/* Fills addresses, protocol and ports from the IP header at `at`. With `behind` the transport header is there, of
 * protocol `proto`, and not right behind the IP header. False if the packet has no such header. */
static __always_inline bool flow_of(struct __sk_buff* context, struct espgate_flow_key* key, __u32 at, __u32 behind,
                                    __u8 proto) {
  __u8 header[40];

  if (bpf_skb_load_bytes(context, at, header, 20)) return false;
  if (header[0] >> 4 == 4) {
    key->family = AF_INET;
    key->proto = behind ? proto : header[9];
    __builtin_memcpy(key->src, header + 12, 4);
    __builtin_memcpy(key->dst, header + 16, 4);
    if (bpf_ntohs(*(__be16*)(header + 6)) & 0x1fff) return true; /* a fragment without ports */
    load_ports(context, key, behind ? behind : at + (header[0] & 15) * 4);
    return true;
  }
  if (header[0] >> 4 != 6 || bpf_skb_load_bytes(context, at, header, 40)) return false;
  key->family = AF_INET6;
  key->proto = behind ? proto : header[6];
  __builtin_memcpy(key->src, header + 8, 16);
  __builtin_memcpy(key->dst, header + 24, 16);
  load_ports(context, key, behind ? behind : at + 40);
  return true;
}

static __always_inline void count_flow(struct espgate_flow_key* key, const struct espgate_sa_value* sa, bool hw,
                                       struct amount amount) {
  struct espgate_flow_value* flow;
  struct espgate_flow_value zero = {};

  key->slot = sa->slot;
  key->generation = sa->generation;
  key->direction = sa->direction;
  flow = bpf_map_lookup_elem(&flows, key);
  if (!flow) {
    bpf_map_update_elem(&flows, key, &zero, BPF_NOEXIST);
    flow = bpf_map_lookup_elem(&flows, key);
    if (!flow) return;
  }
  __sync_fetch_and_add(hw ? &flow->hw_packets : &flow->sw_packets, amount.packets);
  __sync_fetch_and_add(hw ? &flow->hw_bytes : &flow->sw_bytes, amount.bytes);
  flow->last_seen = bpf_ktime_get_ns();
}

/* A batch whose sequence numbers wrap: the stack segments and encrypts it (xmit_xfrm_check_overflow() of the kernel).
 */
static __always_inline bool wraps(struct sk_buff* skb, struct sec_path* path) {
  struct skb_shared_info* shared = shared_info(skb);
  __u32 seq = path->ovec[0].seq.low;

  return shared->gso_size && seq + shared->gso_segs < seq;
}

/* Counts a packet on its way out that xfrm left to validate_xmit_xfrm(): it stands as outer IP header, room for ESP,
 * payload. */
static __always_inline void account_out(struct __sk_buff* context, struct sk_buff* skb, struct sec_path* path,
                                        struct xfrm_state* x, struct espgate_sa_value* sa, bool exact) {
  bool tunnel = x->props.mode == XFRM_MODE_TUNNEL;
  struct net_device* holder = x->xso.dev;
  __u32 outer = offset_of(skb, skb->network_header);
  __u32 transport = offset_of(skb, skb->transport_header);
  __u32 payload = (tunnel ? outer : transport) + x->props.header_len;
  struct espgate_flow_key key = {};
  struct amount amount;
  int reason;

  /* Already the device's: a bond hands it on to its slave. */
  if (path->ovec[0].flags & XFRM_XMIT || skb->len < payload) return;
  amount = wire_amount(skb, skb->len - payload, tunnel);
  if (!holder)
    reason = unheld_reason(sa);
  else if (holder != skb->dev)
    reason = ESPGATE_FB_OTHER_DEVICE;
  else if (!((holder->features | holder->gso_partial_features) & netif_f_hw_esp))
    reason = ESPGATE_FB_FEATURE_OFF;
  else if (wraps(skb, path))
    reason = ESPGATE_FB_NOT_ELIGIBLE;
  else
    reason = -1;
  if (flow_of(context, &key, tunnel ? payload : outer, tunnel ? 0 : payload, path->ovec[0].proto))
    count_flow(&key, sa, reason < 0, amount);
  if (!exact)
    count(sa, reason < 0 ? WAY_HW : WAY_SW, amount, reason);
  else if (holder && reason >= 0) /* of one without a holder, the transmit hook knew the reason */
    count_fallback(sa, amount.packets, reason);
}

/* An ESP packet that was encrypted before it came here; its padding is unknown, so its size is an estimate. Only for
 * where the exact hooks are missing. */
static __always_inline void estimate_esp(struct sk_buff* skb, struct view* view, __u8 direction) {
  int class = classify(view, bpf_ntohs(skb->protocol));
  struct espgate_sa_key key = {.netns = view->netns, .family = view->family, .proto = IPPROTO_ESP};
  struct amount amount = {1, 0};
  struct espgate_sa_value* sa;
  __u32 at = view->at;
  __be32* spi;

  if (class == ESPGATE_CLASS_ESP_UDP) at += 8;
  if ((class != ESPGATE_CLASS_ESP && class != ESPGATE_CLASS_ESP_UDP) || view->headless) return;
  spi = peek(view, at, 4);
  if (!spi) return;
  key.spi = *spi;
  __builtin_memcpy(key.daddr, view->destination, 16);
  sa = bpf_map_lookup_elem(&sa_slot, &key);
  /* Inbound, a tunnel's packet comes a second time, decrypted, and is counted then. */
  if (!sa || sa->direction != direction || (direction == ESPGATE_IN && sa->mode == ESPGATE_TUNNEL)) return;
  if (view->end > at + 10 + sa->overhead) amount.bytes = view->end - at - 10 - sa->overhead;
  count(sa, WAY_SW, amount, unheld_reason(sa));
}

static __always_inline struct view view_of(struct __sk_buff* context, struct sk_buff* skb) {
  struct view view = {
      .context = context,
      .data = (void*)(long)context->data,
      .data_end = (void*)(long)context->data_end,
      .length = context->len,
      .at = offset_of(skb, skb->network_header),
      .netns = skb->dev->nd_net.net->net_cookie,
      .ifindex = context->ifindex,
  };
  return view;
}

SEC("tcx/egress")
int tc_egress(struct __sk_buff* context) {
  struct sk_buff* skb = bpf_cast_to_kern_ctx(context);
  struct sec_path* path = sec_path_of(skb);
  struct espgate_sa_value* sa;
  struct espgate_meta* now;
  struct xfrm_state* x;

  now = get_meta();
  if (!now) return TCX_NEXT;
  if (path && is_offload(path)) {
    x = last_state(path);
    sa = x ? find_sa(x) : NULL;
    /* A forwarded packet carries the path of the SA that it came in by: of direction in. */
    if (sa && sa->direction == ESPGATE_OUT) account_out(context, skb, path, x, sa, now->exact_out);
  } else if (!now->exact_out && !path) {
    bpf_skb_pull_data(context, context->len < LINEAR_OCTETS ? context->len : LINEAR_OCTETS);
    struct view view = view_of(context, skb);
    estimate_esp(skb, &view, ESPGATE_OUT);
  }
  return TCX_NEXT;
}

/* Whether the packet still is the ESP packet that x decrypts or has decrypted, as opposed to what came out of it.
 * Decided by address and SPI: inner packets may be ESP, too. */
static __always_inline bool is_still_esp(struct __sk_buff* context, struct xfrm_state* x, __u32 at) {
  struct espgate_sa_key key = {};
  bool ipv6 = x->props.family == AF_INET6;
  __u8 header[40];
  __be32 spi = 0;
  __u32 behind;
  __u8 proto;

  if (bpf_skb_load_bytes(context, at, header, ipv6 ? 40 : 20)) return false;
  if (header[0] >> 4 != (ipv6 ? 6 : 4)) return false;
  copy_address(key.daddr, x, ipv6);
  if (ipv6 ? __builtin_memcmp(key.daddr, header + 24, 16) : __builtin_memcmp(key.daddr, header + 16, 4)) return false;
  proto = ipv6 ? header[6] : header[9];
  behind = at + (ipv6 ? 40 : (header[0] & 15) * 4);
  if (proto == IPPROTO_UDP) behind += 8;
  if (proto != IPPROTO_UDP && proto != IPPROTO_ESP) return false;
  return !bpf_skb_load_bytes(context, behind, &spi, 4) && spi == x->id.spi;
}

/* What one segment has of headers that GRO kept once for all: L3 and L4 in tunnel mode, L4 in transport mode. */
static __always_inline __u32 merged_headers(struct __sk_buff* context, struct sk_buff* skb, __u8 proto, __u8 mode) {
  __u32 octets = mode == ESPGATE_TUNNEL ? skb->transport_header - skb->network_header : 0;
  __u8 offset = 0;

  if (proto == IPPROTO_UDP) return octets + 8;
  if (proto != 6 || bpf_skb_load_bytes(context, offset_of(skb, skb->transport_header) + 12, &offset, 1)) return octets;
  return octets + (offset >> 4) * 4;
}

/* A packet that has come out of an SA of ours, on whichever device it turns up. */
static __always_inline void account_decrypted(struct __sk_buff* context, struct sk_buff* skb, struct sec_path* path,
                                              struct xfrm_state* x, struct espgate_sa_value* sa, bool exact) {
  __u32 at = offset_of(skb, skb->network_header);
  struct amount amount = {segments(skb), context->len - at};
  bool hw = path->ovec[0].flags & CRYPTO_DONE;
  struct espgate_flow_key key = {};

  if (!flow_of(context, &key, at, 0, 0)) return;
  if (sa->mode == ESPGATE_TRANSPORT) amount.bytes -= skb->transport_header - skb->network_header;
  if (amount.packets > 1) amount.bytes += (amount.packets - 1) * merged_headers(context, skb, key.proto, sa->mode);
  count_flow(&key, sa, hw, amount);
  if (!exact)
    count(sa, hw ? WAY_HW : WAY_SW, amount, hw ? -1 : x->xso.dev ? ESPGATE_FB_NOT_DECRYPTED : unheld_reason(sa));
}

/* The ESP pass of a packet that the NIC has decrypted. In tunnel mode the inner packet is still to come; in transport
 * mode nothing is, unless GRO has taken this pass away. */
static __always_inline void account_esp_pass(struct __sk_buff* context, struct sk_buff* skb,
                                             struct espgate_sa_value* sa) {
  __u32 around = offset_of(skb, skb->transport_header) + 10 + sa->overhead;
  struct amount amount = {1, context->len > around ? context->len - around : 0};

  if (sa->mode == ESPGATE_TRANSPORT) count(sa, WAY_HW, amount, -1);
}

/* One packet comes by once (transport mode without GRO: as ESP; ESP-GRO: decrypted) or twice (tunnel mode: both). Its
 * class is counted once, its flow when the inner headers show. */
static __always_inline int ingress(struct __sk_buff* context, bool with_classes) {
  struct sk_buff* skb = bpf_cast_to_kern_ctx(context);
  struct sec_path* path = sec_path_of(skb);
  struct xfrm_state* x = path ? last_state(path) : NULL;
  struct espgate_meta* now = get_meta();
  struct espgate_sa_value* sa = NULL;

  if (!now) return TCX_NEXT;
  if (x) {
    sa = find_sa(x);
    if (sa && sa->direction != ESPGATE_IN) sa = NULL;
    if (!is_still_esp(context, x, offset_of(skb, skb->network_header))) {
      if (sa) account_decrypted(context, skb, path, x, sa, now->exact_in);
      if (with_classes && path->ovec[0].flags & XFRM_GRO) /* its ESP pass took place inside GRO, unseen */
        count_class(context->ifindex, sa ? ESPGATE_CLASS_ESP : ESPGATE_CLASS_UNKNOWN_SPI, ESPGATE_PASS, segments(skb),
                    context->len);
      return TCX_NEXT;
    }
    if (sa && !now->exact_in) account_esp_pass(context, skb, sa);
  }
  if (!with_classes && now->exact_in) return TCX_NEXT;
  bpf_skb_pull_data(context, context->len < LINEAR_OCTETS ? context->len : LINEAR_OCTETS);
  struct view view = view_of(context, skb);
  if (with_classes) {
    struct view copy = view;
    count_class(view.ifindex, classify(&copy, bpf_ntohs(skb->protocol)), ESPGATE_PASS, segments(skb), context->len);
  }
  if (!x && !now->exact_in) estimate_esp(skb, &view, ESPGATE_IN);
  return TCX_NEXT;
}

SEC("tcx/ingress")
int tc_ingress(struct __sk_buff* context) { return ingress(context, false); }

/* For a device whose driver has no XDP. */
SEC("tcx/ingress")
int tc_ingress_classes(struct __sk_buff* context) { return ingress(context, true); }
