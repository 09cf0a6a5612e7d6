/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The counting core and the shield among many SAs under BPF_PROG_TEST_RUN, beside the programs that they are measured
 * against. What the production hooks read from an xfrm_state, and the SPI of the shield's packets, comes from a
 * generator here, the same for all: nothing of this is in the production object. */
#include "bpf/judge.h"
#include "bpf/sa.h"

/* The peer: what counting costs at the least where a hash finds the counter, with the same key. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, ESPGATE_DEFAULT_SLOTS);
  __type(key, struct espgate_sa_key);
  __type(value, __u64);
} peer SEC(".maps");

const volatile __u32 sas = 1;   /* of which each run takes one at random */
const volatile __u64 netns = 1; /* cookie of the namespace that all are of */

#define SPI_AT 34 /* in a frame of ESP over IPv4 without options */

__u32 state = 1;

/* The facts of the next packet: which of the SAs it belongs to. */
static __always_inline __u32 next_sa(struct espgate_sa_key* key) {
  __u32 index;

  state = state * 1664525 + 1013904223; /* Numerical Recipes' generator: the high bits are the random ones */
  index = (__u32)(((__u64)state * sas) >> 32);
  __builtin_memset(key, 0, sizeof(*key));
  key->netns = netns;
  key->daddr[0] = 10;
  key->spi = index + 0x10000;
  key->family = AF_INET;
  key->proto = 50;
  return index;
}

SEC("xdp")
int pass(struct xdp_md* context) { return XDP_PASS; }

/* The facts alone. */
SEC("xdp")
int facts(struct xdp_md* context) {
  struct espgate_sa_key key;

  return next_sa(&key) == ~0U || key.spi == 0 ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int one_hash(struct xdp_md* context) {
  struct espgate_sa_key key;
  __u64* count;

  next_sa(&key);
  count = bpf_map_lookup_elem(&peer, &key);
  if (!count) return XDP_DROP;
  __sync_fetch_and_add(count, 1);
  return XDP_PASS;
}

static __always_inline int count_one(__u32 told) {
  struct amount amount = {1, 1400};
  struct espgate_sa_value* sa;
  struct espgate_sa_key key;
  __u32 index = next_sa(&key);

  sa = find_key(&key, told ? ESPGATE_SLOT_MARK | index : 0);
  if (!sa) return XDP_DROP;
  count(sa, WAY_SW, amount, unheld_reason(sa));
  return XDP_PASS;
}

/* An SA that says its slot. */
SEC("xdp")
int core(struct xdp_md* context) { return count_one(1); }

/* One that does not: it answers an ACQUIRE, or an earlier version installed it. */
SEC("xdp")
int core_hash(struct xdp_md* context) { return count_one(0); }

/* The SPI of the next packet goes into the frame: it is to 10.0.0.0. False if the frame is too short. */
static __always_inline bool address_next(struct xdp_md* context, struct espgate_sa_key* key) {
  void* data = (void*)(long)context->data;

  next_sa(key);
  if (data + SPI_AT + 4 > (void*)(long)context->data_end) return false;
  *(__be32*)(data + SPI_AT) = key->spi;
  return true;
}

/* The packets alone. */
SEC("xdp")
int arrivals(struct xdp_md* context) {
  struct espgate_sa_key key;

  return address_next(context, &key) ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int arrivals_hash(struct xdp_md* context) {
  struct espgate_sa_key key;
  __u64* count;

  if (!address_next(context, &key)) return XDP_DROP;
  count = bpf_map_lookup_elem(&peer, &key);
  if (!count) return XDP_DROP;
  __sync_fetch_and_add(count, 1);
  return XDP_PASS;
}

/* The shield's own code, over maps with as many SAs. */
SEC("xdp")
int arrivals_shield(struct xdp_md* context) {
  struct espgate_sa_key key;

  return address_next(context, &key) ? shield_packet(context) : XDP_DROP;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
