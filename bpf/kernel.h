/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The few kernel structures that our programs read, with just the members that they read; CO-RE finds the offsets. */
#ifndef ESPGATE_BPF_KERNEL_H
#define ESPGATE_BPF_KERNEL_H

#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>
/* bpf_helpers.h wants the types above. */
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define AF_INET 2
#define AF_INET6 10

#define NETDEV_TX_BUSY 0x10 /* linux/netdevice.h */
#define CHECKSUM_PARTIAL 3  /* linux/skbuff.h */

/* net/xfrm.h: bits of xfrm_offload.flags; values of xfrm_dev_offload.dir and .type. */
#define CRYPTO_DONE 0x2
#define XFRM_GRO 0x20
#define XFRM_XMIT 0x100
#define XFRM_DEV_OFFLOAD_CRYPTO 1
#define XFRM_MODE_TUNNEL 1

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct hlist_node {
  struct hlist_node* next;
};
struct hlist_head {
  struct hlist_node* first;
};
typedef struct seqcount {
  unsigned int sequence;
} seqcount_t;
typedef struct seqcount_spinlock {
  seqcount_t seqcount;
} seqcount_spinlock_t;
struct netns_xfrm {
  struct hlist_head* state_byspi;
  unsigned int state_hmask;
  seqcount_spinlock_t xfrm_state_hash_generation;
};
struct net {
  __u64 net_cookie;
  struct netns_xfrm xfrm;
};
typedef struct {
  struct net* net;
} possible_net_t;

struct net_device {
  __u64 features;
  __u64 gso_partial_features;
  int ifindex;
  possible_net_t nd_net;
  const unsigned char* dev_addr;
};

struct dst_entry {
  struct net_device* dev;
  struct xfrm_state* xfrm;
};
struct xfrm_dst {
  struct dst_entry* child;
};

struct skb_ext {
  __u8 offset[1];
  char data[0];
};
enum skb_ext_id { SKB_EXT_SEC_PATH };

struct skb_shared_info {
  unsigned short gso_segs;
  unsigned short gso_size;
  unsigned int gso_type;
};

struct sk_buff {
  struct net_device* dev;
  unsigned long _skb_refdst;
  unsigned int len;
  __u16 transport_header;
  __u16 network_header;
  __u16 inner_transport_header;
  __u16 inner_network_header;
  __be16 protocol;
  __u8 active_extensions;
  __u8 ip_summed : 2;
  unsigned int end;
  unsigned char* head;
  unsigned char* data;
  struct skb_ext* extensions;
};

typedef union {
  __be32 a4;
  __be32 a6[4];
} xfrm_address_t;
struct xfrm_id {
  xfrm_address_t daddr;
  __be32 spi;
  __u8 proto;
};
struct xfrm_algo_auth {
  unsigned int alg_trunc_len; /* bits */
};
struct xfrm_algo_aead {
  unsigned int alg_icv_len; /* bits */
};
struct xfrm_dev_offload {
  struct net_device* dev;
  __u8 dir : 2;
  __u8 type : 2;
};
struct xfrm_state {
  possible_net_t xs_net;
  struct hlist_node byspi;
  struct xfrm_id id;
  struct {
    __u32 seq;
  } km;
  struct {
    __u8 mode;
    __u16 family;
    int header_len; /* from the outer IP header to the payload; without the outer IP header in transport mode */
  } props;
  struct xfrm_algo_auth* aalg;
  struct xfrm_algo_aead* aead;
  struct xfrm_dev_offload xso;
};

struct xfrm_offload {
  struct {
    __u32 low; /* of the first segment */
  } seq;
  __u32 flags;
  __u8 proto;
};
/* Linux 6.12 has int for these two, 7.3 __u8. libbpf fits a read to another size only if both are unsigned. */
struct sec_path {
  __u32 len;
  __u32 olen;
  struct xfrm_state* xvec[6];
  struct xfrm_offload ovec[1];
};

struct xdp_rxq_info {
  struct net_device* dev;
};
struct xdp_buff {
  struct xdp_rxq_info* rxq;
};

#pragma clang attribute pop

extern void* bpf_cast_to_kern_ctx(void* ctx) __ksym;
extern void* bpf_rdonly_cast(const void* object, __u32 btf_id) __ksym;
extern int bpf_dynptr_from_skb(struct __sk_buff* skb, __u64 flags, struct bpf_dynptr* dynptr) __ksym;

#endif
