/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* From a packet to its SA and slot, and the one place where counting happens. */
#ifndef ESPGATE_BPF_SA_H
#define ESPGATE_BPF_SA_H

#include "bpf/kernel.h"
#include "bpf/maps.h"

/* How many ESP packets a packet is or will be on the wire, and how many octets come out of them at the far end. */
struct amount {
  __u64 packets;
  __u64 bytes;
};

enum way { WAY_HW, WAY_SW, WAY_OFFERED };

/* The sec_path of a packet, or NULL. skb->extensions is garbage unless its bit says otherwise. */
static __always_inline struct sec_path* sec_path_of(struct sk_buff* skb) {
  int id = bpf_core_enum_value(enum skb_ext_id, SKB_EXT_SEC_PATH);
  struct skb_ext* extensions;
  __u8 offset = 0;

  if (!(skb->active_extensions & (1 << id))) return NULL;
  extensions = skb->extensions;
  /* The index is a relocation, so not a constant that the verifier could follow through a typed pointer. */
  bpf_probe_read_kernel(&offset, 1, &extensions->offset[id]);
  return bpf_rdonly_cast((char*)extensions + (__u32)offset * 8, bpf_core_type_id_kernel(struct sec_path));
}

/* The last SA on the path. XFRM_MAX_DEPTH is 6. */
static __always_inline struct xfrm_state* last_state(struct sec_path* path) {
  struct xfrm_state* state = NULL;
  int at = path->len - 1;

  if (at < 0 || at > 5) return NULL;
  bpf_probe_read_kernel(&state, sizeof(state), &path->xvec[at]);
  return state ? bpf_rdonly_cast(state, bpf_core_type_id_kernel(struct xfrm_state)) : NULL;
}

/* Whether the state was offered to a device for transmission (xfrm_offload() of the kernel); true, too, for an SA that
 * no device holds and for decrypted packets: the slot's direction and xso.dev tell the rest. */
static __always_inline bool is_offload(struct sec_path* path) { return path->olen && path->olen == path->len; }

static __always_inline void copy_address(__u8* to, struct xfrm_state* x, bool ipv6) {
  __be32* words = (__be32*)to;

  words[0] = x->id.daddr.a6[0];
  if (!ipv6) return;
  words[1] = x->id.daddr.a6[1];
  words[2] = x->id.daddr.a6[2];
  words[3] = x->id.daddr.a6[3];
}

static __always_inline bool same_key(const struct espgate_sa_key* a, const struct espgate_sa_key* b) {
  const __u64 *one = (const __u64*)a, *other = (const __u64*)b;

  return one[0] == other[0] && one[1] == other[1] && one[2] == other[2] && one[3] == other[3];
}

/* `told`: km.seq of the SA. The index costs one cache line where the hash costs several, which is most of the price of
 * counting among a million SAs (docs/performance.md). */
static __always_inline struct espgate_sa_value* find_key(const struct espgate_sa_key* key, __u32 told) {
  __u32 slot = told & ~ESPGATE_SLOT_MARK;
  struct espgate_sa_index* at;

  if (told & ESPGATE_SLOT_MARK) {
    at = bpf_map_lookup_elem(&sa_index, &slot);
    if (at && same_key(&at->key, key)) return &at->value;
  }
  return bpf_map_lookup_elem(&sa_slot, key);
}

static __always_inline struct espgate_sa_value* find_sa(struct xfrm_state* x) {
  struct espgate_sa_key key = {};

  key.netns = x->xs_net.net->net_cookie;
  key.spi = x->id.spi;
  key.proto = x->id.proto;
  key.family = (__u8)x->props.family;
  copy_address(key.daddr, x, key.family == AF_INET6);
  return find_key(&key, x->km.seq);
}

/* This CPU's cell of the slot, zeroed if the slot has a new owner; NULL for a straggler of an earlier one. */
static __always_inline struct espgate_cell* cell_of(const struct espgate_sa_value* sa) {
  __u32 at = bpf_get_smp_processor_id() * slots + sa->slot;
  struct espgate_cell* cell;

  if (sa->slot >= slots) return NULL;
  cell = bpf_map_lookup_elem(&counters, &at);
  if (!cell) return NULL;
  if (cell->generation != sa->generation) {
    if ((__s32)(sa->generation - cell->generation) < 0) return NULL;
    __builtin_memset(cell, 0, sizeof(*cell));
    cell->generation = sa->generation;
  }
  return cell;
}

/* Every counted packet comes through here, from the exact hooks as from tc. Atomic, because a preempted task may be
 * counting on the same CPU for the same slot. `fallback` is an enum espgate_fallback, or -1 if not known here. */
static __always_inline void count(const struct espgate_sa_value* sa, enum way way, struct amount amount, int fallback) {
  struct espgate_cell* cell = cell_of(sa);

  if (!cell) return;
  if (way == WAY_HW) {
    __sync_fetch_and_add(&cell->hw_packets, amount.packets);
    __sync_fetch_and_add(&cell->hw_bytes, amount.bytes);
  } else if (way == WAY_SW) {
    __sync_fetch_and_add(&cell->sw_packets, amount.packets);
    __sync_fetch_and_add(&cell->sw_bytes, amount.bytes);
  } else {
    __sync_fetch_and_add(&cell->offered_packets, amount.packets);
    __sync_fetch_and_add(&cell->offered_bytes, amount.bytes);
  }
  if (fallback >= 0 && fallback < ESPGATE_FB_COUNT) __sync_fetch_and_add(&cell->fallback[fallback], amount.packets);
}

/* The reason alone, for a packet whose path another hook counts. */
static __always_inline void count_fallback(const struct espgate_sa_value* sa, __u64 packets, int fallback) {
  struct espgate_cell* cell = cell_of(sa);

  if (cell && fallback >= 0 && fallback < ESPGATE_FB_COUNT) __sync_fetch_and_add(&cell->fallback[fallback], packets);
}

static __always_inline int unheld_reason(const struct espgate_sa_value* sa) {
  return sa->wanted == ESPGATE_WANT_NO ? ESPGATE_FB_NONE_WANTED : ESPGATE_FB_NOT_HELD;
}

static __always_inline struct skb_shared_info* shared_info(struct sk_buff* skb) {
  return bpf_rdonly_cast(skb->head + skb->end, bpf_core_type_id_kernel(struct skb_shared_info));
}

/* Octets of the headers that each segment of a GSO packet repeats within its ESP payload: L3 and L4 in tunnel mode, L4
 * in transport mode. Valid once xfrm has set the inner headers' offsets. */
static __always_inline __u64 repeated_headers(struct sk_buff* skb, struct skb_shared_info* shared, bool tunnel) {
  __u64 octets = tunnel ? skb->inner_transport_header - skb->inner_network_header : 0;
  __u8 offset = 0;

  if (shared->gso_type & skb_gso_tcp) {
    bpf_probe_read_kernel(&offset, 1, skb->head + skb->inner_transport_header + 12);
    return octets + (offset >> 4) * 4;
  }
  return shared->gso_type & skb_gso_udp_l4 ? octets + 8 : 0;
}

/* `payload`: octets of ESP payload of the packet as it stands, which may be a GSO batch. */
static __always_inline struct amount wire_amount(struct sk_buff* skb, __u64 payload, bool tunnel) {
  struct skb_shared_info* shared = shared_info(skb);
  struct amount amount = {1, payload};
  __u64 repeated;

  if (!shared->gso_size) return amount;
  repeated = repeated_headers(skb, shared, tunnel);
  amount.packets = shared->gso_segs;
  if (!amount.packets && payload > repeated) /* a guest's packet: the kernel counts its segments only later */
    amount.packets = (payload - repeated + shared->gso_size - 1) / shared->gso_size;
  if (amount.packets > 1)
    amount.bytes += (amount.packets - 1) * repeated;
  else
    amount.packets = 1;
  return amount;
}

#endif
