/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Does the kernel have an SA for an SPI, whoever installed it? Asked of the kernel itself: by its lookup, which finds
 * SAs without a mark, and then by a walk along the hash chain that an SA with a mark would be in
 * (net/xfrm/xfrm_hash.h). Where anything is in doubt the answer is yes. */
#ifndef ESPGATE_BPF_KNOWN_H
#define ESPGATE_BPF_KNOWN_H

#include "bpf/classify.h"

#define CHAIN_MOST 32 /* longer chains are not walked: the table grows with the number of SAs */
#define ENOENT 2

/* net/xfrm/xfrm_state_bpf.c, Linux 6.8 */
struct bpf_xfrm_state_opts {
  __s32 error;
  __s32 netns_id;
  __u32 mark;
  xfrm_address_t daddr;
  __be32 spi;
  __u8 proto;
  __u16 family;
};
extern struct xfrm_state* bpf_xdp_get_xfrm_state(struct xdp_md* context, struct bpf_xfrm_state_opts* options,
                                                 __u32 options_size) __ksym __weak;
extern void bpf_xdp_xfrm_state_release(struct xfrm_state* state) __ksym __weak;

static __always_inline bool can_ask_kernel(void) {
  return bpf_ksym_exists(bpf_xdp_get_xfrm_state) && bpf_ksym_exists(bpf_xdp_xfrm_state_release) &&
         bpf_core_field_exists(((struct netns_xfrm*)0)->xfrm_state_hash_generation.seqcount.sequence) &&
         bpf_core_field_exists(((struct netns_xfrm*)0)->state_byspi) &&
         bpf_core_field_exists(((struct xfrm_state*)0)->byspi);
}

static __always_inline __u32 rotate32(__u32 word, int bits) { return word << bits | word >> (32 - bits); }

/* The kernel's jhash2() of the four words of an IPv6 address (Bob Jenkins' lookup3). */
static __always_inline __u32 hash_ipv6(const __u32* word) {
  __u32 a = 0xdeadbeef + 16, b = a, c = a;

  a += word[0];
  b += word[1];
  c += word[2];
  a = (a - c) ^ rotate32(c, 4);
  c += b;
  b = (b - a) ^ rotate32(a, 6);
  a += c;
  c = (c - b) ^ rotate32(b, 8);
  b += a;
  a = (a - c) ^ rotate32(c, 16);
  c += b;
  b = (b - a) ^ rotate32(a, 19);
  a += c;
  c = (c - b) ^ rotate32(b, 4);
  b += a;
  a += word[3];
  c = (c ^ b) - rotate32(b, 14);
  a = (a ^ c) - rotate32(c, 11);
  b = (b ^ a) - rotate32(a, 25);
  c = (c ^ b) - rotate32(b, 16);
  a = (a ^ c) - rotate32(c, 4);
  b = (b ^ a) - rotate32(a, 14);
  return (c ^ b) - rotate32(b, 24);
}

static __always_inline __u32 spi_hash(const struct bpf_xfrm_state_opts* wanted) {
  __u32 hash = wanted->spi ^ wanted->proto;

  hash ^= wanted->family == AF_INET ? bpf_ntohl(wanted->daddr.a4) : hash_ipv6(wanted->daddr.a6);
  return hash ^ hash >> 10 ^ hash >> 20;
}

static __always_inline bool is_wanted(struct xfrm_state* state, const struct bpf_xfrm_state_opts* wanted) {
  xfrm_address_t daddr;

  if (BPF_CORE_READ(state, id.spi) != wanted->spi || BPF_CORE_READ(state, id.proto) != wanted->proto ||
      BPF_CORE_READ(state, props.family) != wanted->family)
    return false;
  BPF_CORE_READ_INTO(&daddr, state, id.daddr);
  if (wanted->family == AF_INET) return daddr.a4 == wanted->daddr.a4;
  return daddr.a6[0] == wanted->daddr.a6[0] && daddr.a6[1] == wanted->daddr.a6[1] &&
         daddr.a6[2] == wanted->daddr.a6[2] && daddr.a6[3] == wanted->daddr.a6[3];
}

/* Whether the chain holds such an SA under any mark; true, too, if its end was not reached. */
static __always_inline bool is_in_chain(struct netns_xfrm* xfrm, const struct bpf_xfrm_state_opts* wanted) {
  struct hlist_node* node = NULL;
  int i;

  bpf_probe_read_kernel(&node, sizeof(node), &xfrm->state_byspi[spi_hash(wanted) & xfrm->state_hmask]);
  for (i = 0; i < CHAIN_MOST && node; i++) {
    struct xfrm_state* state = (void*)node - bpf_core_field_offset(struct xfrm_state, byspi);

    if (is_wanted(state, wanted)) return true;
    node = BPF_CORE_READ(node, next);
  }
  return node;
}

/* A function of its own: the stack is short. */
__attribute__((noinline)) int kernel_knows(struct xdp_md* context, struct view* view) {
  struct xdp_buff* xdp = bpf_cast_to_kern_ctx(context);
  struct net* net = xdp->rxq->dev->nd_net.net;
  struct bpf_xfrm_state_opts wanted = {.netns_id = BPF_F_CURRENT_NETNS};
  struct xfrm_state* found;
  __u32 generation;

  if (!can_ask_kernel() || !view) return true;
  wanted.spi = view->spi;
  wanted.proto = view->next == IPPROTO_AH ? IPPROTO_AH : IPPROTO_ESP;
  wanted.family = view->family;
  __builtin_memcpy(&wanted.daddr, view->destination, 16);
  /* While the table grows a state can be missed. */
  generation = net->xfrm.xfrm_state_hash_generation.seqcount.sequence;
  found = bpf_xdp_get_xfrm_state(context, &wanted, sizeof(wanted));
  if (found) {
    bpf_xdp_xfrm_state_release(found);
    return true;
  }
  return wanted.error != -ENOENT || is_in_chain(&net->xfrm, &wanted) || generation & 1 ||
         generation != *(volatile __u32*)&net->xfrm.xfrm_state_hash_generation.seqcount.sequence;
}

#endif
