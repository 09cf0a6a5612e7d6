/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* account: the exact hooks. They see every SA of every namespace; sa_slot holds ours alone. */
#include "bpf/kernel.h"
#include "bpf/maps.h"
#include "bpf/sa.h"

/* The packet that xfrm_input() looks at on this CPU. Linux 7.3.4, and maybe others, calls no xfrm_replay_recheck for
 * one that a NIC has decrypted, which is then handled from check to advance without a break; and xfrm_replay_advance
 * does not say which packet it is for. */
struct arriving {
  __u64 state; /* its struct xfrm_state; 0: none, or counted */
  __u64 packet;
};
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct arriving);
} arriving SEC(".maps");

static __always_inline struct arriving* get_arriving(void) {
  __u32 zero = 0;

  return bpf_map_lookup_elem(&arriving, &zero);
}

SEC("fexit/xfrm_replay_check")
int BPF_PROG(arrive, struct xfrm_state* x, struct sk_buff* skb, __be32 net_seq, int refused) {
  struct arriving* now = get_arriving();

  if (!now) return 0;
  now->state = refused ? 0 : (__u64)x;
  now->packet = (__u64)skb;
  return 0;
}

/* What `receive` did not get to see. */
SEC("fexit/xfrm_replay_advance")
int BPF_PROG(accept, struct xfrm_state* x, __be32 net_seq) {
  struct arriving* now = get_arriving();
  struct espgate_sa_value* sa;
  struct sec_path* path;
  struct sk_buff* skb;

  if (!now || now->state != (__u64)x) return 0;
  now->state = 0;
  skb = bpf_rdonly_cast((void*)now->packet, bpf_core_type_id_kernel(struct sk_buff));
  sa = find_sa(x);
  if (!sa || sa->direction != ESPGATE_IN) return 0;
  path = sec_path_of(skb);
  if (path && path->xvec[0] == x && path->ovec[0].flags & CRYPTO_DONE) {
    struct amount amount = {1, skb->len};

    count(sa, WAY_HW, amount, -1);
  }
  return 0;
}

/* xfrm_input(): called once per packet that passed its ICV, before GRO merges packets; skb->len is what curlft.bytes
 * gets. */
SEC("fexit/xfrm_replay_recheck")
int BPF_PROG(receive, struct xfrm_state* x, struct sk_buff* skb, __be32 net_seq, int refused) {
  struct amount amount = {1, skb->len};
  struct arriving* now = get_arriving();
  struct espgate_sa_value* sa;
  struct sec_path* path;
  bool hw = false;

  if (now) now->state = 0;
  if (refused) return 0;
  sa = find_sa(x);
  if (!sa || sa->direction != ESPGATE_IN) return 0;
  path = sec_path_of(skb);
  /* ovec has room for the outermost SA only; olen may be 0 again by now, and GRO sets other bits beside. */
  if (path && path->xvec[0] == x) hw = path->ovec[0].flags & CRYPTO_DONE;
  if (hw)
    count(sa, WAY_HW, amount, -1);
  else
    count(sa, WAY_SW, amount, x->xso.dev ? ESPGATE_FB_NOT_DECRYPTED : unheld_reason(sa));
  return 0;
}

/* The device that the bundle of routes leaves by, behind at most XFRM_MAX_DEPTH transformations. */
static __always_inline struct net_device* path_device(struct sk_buff* skb) {
  struct dst_entry* dst = (struct dst_entry*)(skb->_skb_refdst & ~1UL); /* SKB_DST_NOREF */
  int i;

  for (i = 0; i < 6 && dst && BPF_CORE_READ(dst, xfrm); i++) dst = BPF_CORE_READ((struct xfrm_dst*)dst, child);
  return dst ? BPF_CORE_READ(dst, dev) : NULL;
}

/* xfrm_output_one(): after the outer mode took its place, before encryption; skb->data is at the ESP payload to be. */
SEC("fexit/xfrm_replay_overflow")
int BPF_PROG(transmit, struct xfrm_state* x, struct sk_buff* skb, int refused) {
  struct net_device* holder = x->xso.dev;
  struct espgate_sa_value* sa;
  struct amount amount;
  struct sec_path* path;

  if (refused) return 0;
  sa = find_sa(x);
  if (!sa || sa->direction != ESPGATE_OUT) return 0;
  amount = wire_amount(skb, skb->len, x->props.mode == XFRM_MODE_TUNNEL);
  path = sec_path_of(skb);
  if (!holder)
    count(sa, WAY_SW, amount, unheld_reason(sa));
  else if (path && is_offload(path))
    count(sa, WAY_OFFERED, amount, -1);
  else
    count(sa, WAY_SW, amount, path_device(skb) == holder ? ESPGATE_FB_NOT_ELIGIBLE : ESPGATE_FB_OTHER_DEVICE);
  return 0;
}

/* Octets of ESP trailer and ICV at the end of the packet, which is still in the clear; the pad length is the last but
 * one octet before the ICV (RFC 4303 2.4). 0 on a packet too short to have one. */
static __always_inline __u32 trailer_octets(struct sk_buff* skb, struct xfrm_state* x) {
  __u32 icv = 0;
  struct bpf_dynptr packet;
  __u8 pad = 0;

  if (x->aead)
    icv = x->aead->alg_icv_len / 8;
  else if (x->aalg)
    icv = x->aalg->alg_trunc_len / 8;
  if (skb->len < icv + 2) return 0;
  /* The trailer may lie in a page of its own. */
  if (bpf_dynptr_from_skb((struct __sk_buff*)skb, 0, &packet)) return 0;
  if (bpf_dynptr_read(&pad, 1, &packet, skb->len - icv - 2, 0)) return 0;
  return icv + 2 + pad;
}

/* A packet at the driver that the device is to encrypt: the SA and what it amounts to; NULL for any other. */
static __always_inline struct espgate_sa_value* hit_of(struct sk_buff* skb, struct net_device* dev,
                                                       struct amount* amount) {
  struct sec_path* path = sec_path_of(skb);
  struct espgate_sa_value* sa;
  struct xfrm_state* x;
  __u32 before;
  bool tunnel;

  if (!path || !is_offload(path) || !(path->ovec[0].flags & XFRM_XMIT)) return NULL;
  x = last_state(path);
  /* A bond hands the packet on to its slave, which is the same packet again. */
  if (!x || x->xso.dev != dev) return NULL;
  sa = find_sa(x);
  if (!sa || sa->direction != ESPGATE_OUT) return NULL;
  tunnel = x->props.mode == XFRM_MODE_TUNNEL;
  /* Everything up to the payload; header_len counts the outer IP header in tunnel mode, transport_header is behind it.
   */
  before = skb->transport_header - (__u32)(skb->data - skb->head) + (__u32)x->props.header_len;
  if (tunnel) before -= x->props.family == AF_INET6 ? 40 : 20;
  /* A batch that the device segments has no trailer yet. */
  if (!shared_info(skb)->gso_size) before += trailer_octets(skb, x);
  if (skb->len < before) return NULL;
  *amount = wire_amount(skb, skb->len - before, tunnel);
  return sa;
}

/* xmit_one(), before the driver: XFRM_XMIT says that it is for the device to encrypt. */
SEC("tp_btf/net_dev_start_xmit")
int BPF_PROG(transmit_hit, struct sk_buff* skb, struct net_device* dev) {
  struct amount amount;
  struct espgate_sa_value* sa = hit_of(skb, dev, &amount);

  if (sa) count(sa, WAY_HW, amount, -1);
  return 0;
}

/* xmit_one(), behind the driver: one that had no room left the packet as it was, and it comes again or is dropped. Of
 * any other answer the packet may be gone and is not looked at. */
SEC("tp_btf/net_dev_xmit")
int BPF_PROG(transmit_busy, struct sk_buff* skb, int answer, struct net_device* dev) {
  struct espgate_sa_value* sa;
  struct amount amount;

  if (answer != NETDEV_TX_BUSY) return 0;
  sa = hit_of(skb, dev, &amount);
  if (!sa) return 0;
  amount.packets = -amount.packets;
  amount.bytes = -amount.bytes;
  count(sa, WAY_HW, amount, -1);
  return 0;
}
