/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The layout of every BPF map, compiled by BPF C and by C++: the one place where it is written down.
 * Integers are host order except where __be says otherwise. Addresses are 16 octets, IPv4 in the first four, rest zero.
 * Any change of a size, an order or a meaning, and any new map, needs a new ESPGATE_ABI_VERSION. */
#ifndef ESPGATE_MAPS_ABI_H
#define ESPGATE_MAPS_ABI_H

#include <linux/types.h>

#ifdef __cplusplus
#define ESPGATE_ABI_SIZE(type, octets) static_assert(sizeof(struct type) == (octets), #type)
#else
#define ESPGATE_ABI_SIZE(type, octets) _Static_assert(sizeof(struct type) == (octets), #type)
#endif

#define ESPGATE_ABI_VERSION 3
#define ESPGATE_ABI_OLDEST \
  2 /* what maps of this version and later ones hold has its meaning still: they are taken over */
#define ESPGATE_DEFAULT_SLOTS 4096
#define ESPGATE_DEFAULT_FLOWS 16384
#define ESPGATE_MAX_DEVICES 256
#define ESPGATE_MAX_ALLOWED 65536 /* entries of shield_allow */
#define ESPGATE_NAME_OCTETS 64    /* of conn, child; longer ones are cut, always NUL-terminated */

/* Values of the enumerations below are part of the layout: append only. */
enum espgate_direction { ESPGATE_IN = 0, ESPGATE_OUT = 1 };
enum espgate_mode { ESPGATE_TUNNEL = 0, ESPGATE_TRANSPORT = 1 };
enum espgate_wanted { ESPGATE_WANT_NO = 0, ESPGATE_WANT_AUTO = 1, ESPGATE_WANT_CRYPTO = 2, ESPGATE_WANT_PACKET = 3 };
enum espgate_actual { ESPGATE_ACTUAL_NONE = 0, ESPGATE_ACTUAL_CRYPTO = 1, ESPGATE_ACTUAL_PACKET = 2 };

/* Why a packet went through software. One count per packet that was counted in software, where a hook saw why. */
enum espgate_fallback {
  ESPGATE_FB_NONE_WANTED = 0,   /* hw_offload = no */
  ESPGATE_FB_NOT_HELD = 1,      /* wanted, but no device holds the SA */
  ESPGATE_FB_OTHER_DEVICE = 2,  /* out: the route leaves by another device than the SA's */
  ESPGATE_FB_NOT_ELIGIBLE = 3,  /* out: held, right device, and xfrm still did not offer it (too long, nested, ...) */
  ESPGATE_FB_FEATURE_OFF = 4,   /* out: the device's esp-hw-offload is off */
  ESPGATE_FB_NOT_DECRYPTED = 5, /* in: held, but the packet came up from the NIC still encrypted */
  ESPGATE_FB_COUNT = 8
};

/* What a received packet is, outermost header first. */
enum espgate_class {
  ESPGATE_CLASS_IKE = 0,
  ESPGATE_CLASS_NATT_KEEPALIVE = 1,
  ESPGATE_CLASS_ESP = 2,
  ESPGATE_CLASS_ESP_UDP = 3,
  ESPGATE_CLASS_AH = 4,
  ESPGATE_CLASS_PLAIN = 5,
  ESPGATE_CLASS_UNKNOWN_SPI = 6, /* ESP for this host whose SPI is not in sa_slot (somebody else's, or nobody's) */
  ESPGATE_CLASS_MALFORMED = 7,
  ESPGATE_CLASS_COUNT = 8
};
enum espgate_verdict {
  ESPGATE_PASS = 0,
  ESPGATE_DROP = 1,
  ESPGATE_TX = 2,
  ESPGATE_REDIRECT = 3,
  ESPGATE_VERDICT_COUNT = 4
};

/* sa_slot, hash: which slot counts for this SA. Outbound SAs are keyed by the peer's address, inbound ones by ours. */
struct espgate_sa_key {
  __u64 netns; /* SO_NETNS_COOKIE */
  __u8 daddr[16];
  __be32 spi;
  __u8 family; /* AF_INET, AF_INET6 */
  __u8 proto;  /* IPPROTO_ESP */
  __u16 pad;
};
ESPGATE_ABI_SIZE(espgate_sa_key, 32);

struct espgate_sa_value {
  __u32 slot;
  __u32 generation;
  __u8 direction; /* enum espgate_direction */
  __u8 mode;      /* enum espgate_mode */
  __u8 wanted;    /* enum espgate_wanted */
  __u8 overhead;  /* octets of IV and ICV; used only where tc has to estimate a size */
  __u8 spread;    /* 1: inbound ESP that the kernel decrypts itself for sure, so that any CPU may take it */
  __u8 pad[3];
};
ESPGATE_ABI_SIZE(espgate_sa_value, 16);

/* sa_index, array[slot]: key and value of sa_slot for whoever knows the slot; zeros while the slot is free. An SA of
 * ours carries its slot in xfrm_state.km.seq (`seq` of NEWSA) beside ESPGATE_SLOT_MARK, and the key proves that it is
 * ours. One that answers an ACQUIRE carries that one's number, which the kernel counts up from 1: sa_slot has it. A
 * line of the processor's cache each. */
#define ESPGATE_SLOT_MARK 0x80000000U
struct espgate_sa_index {
  struct espgate_sa_key key;
  struct espgate_sa_value value;
  __u64 spare[2];
};
ESPGATE_ABI_SIZE(espgate_sa_index, 64);

/* sa_dir, array[slot]: the record of what is ours. Written before NEWSA, cleared after DELSA. */
struct espgate_sa_entry {
  __u32 generation; /* counts up at every assignment of the slot; never 0 once assigned */
  __u32 in_use;     /* 0 or 1 */
  __u64 child_id;   /* pairs in and out of one child SA */
  __u64 child_uid;  /* key of child_total */
  __u64 netns;
  __s64 installed_at; /* epoch seconds */
  __u8 src[16];
  __u8 dst[16];
  __be32 spi;
  __u32 ifindex; /* of the offload device, 0 none */
  __u32 reqid;
  __u32 ike_id; /* low 32 bits of the IKE SA's unique id */
  __u8 family;
  __u8 proto;
  __u8 direction; /* enum espgate_direction */
  __u8 mode;      /* enum espgate_mode */
  __u8 wanted;    /* enum espgate_wanted */
  __u8 actual;    /* enum espgate_actual */
  __u8 encap;     /* 1: UDP encapsulated */
  __u8 esn;
  __u8 overhead; /* as in espgate_sa_value */
  __u8 pad[7];
  char suite[32];
  char conn[ESPGATE_NAME_OCTETS];
  char child[ESPGATE_NAME_OCTETS];
  char reason_code[32]; /* closed code; empty if actual is what was wanted */
  char reason[192];     /* the driver's words or ours */
  char device[16];
};
ESPGATE_ABI_SIZE(espgate_sa_entry, 504);

/* policy_dir, array[index]: policies that are ours, with all that a DELPOLICY needs. */
enum espgate_policy_kind {
  ESPGATE_POLICY_CHILD = 0,
  ESPGATE_POLICY_FLOOR = 1,
  ESPGATE_POLICY_BYPASS = 2,
  ESPGATE_POLICY_TRAP = 3,
  ESPGATE_POLICY_SHUNT = 4,
  ESPGATE_POLICY_GUARD = 5 /* a block beneath a policy that a device holds */
};
enum espgate_policy_dir {
  ESPGATE_POLICY_IN = 0,
  ESPGATE_POLICY_OUT = 1,
  ESPGATE_POLICY_FWD = 2
}; /* as XFRM_POLICY_* */
struct espgate_policy_entry {
  __u64 netns;
  __u64 child_uid; /* 0 if of no child */
  __u8 src[16];
  __u8 dst[16];
  __u32 priority;
  __u32 if_id;
  __u32 ifindex; /* of the selector */
  __u32 mark;
  __u32 mark_mask;
  __be16 src_port;
  __be16 src_port_mask;
  __be16 dst_port;
  __be16 dst_port_mask;
  __u8 in_use;
  __u8 kind; /* enum espgate_policy_kind */
  __u8 dir;  /* enum espgate_policy_dir */
  __u8 family;
  __u8 src_length;
  __u8 dst_length;
  __u8 proto;   /* of the selector, 0 any */
  __u8 offload; /* 1: offloaded in packet mode */
  char conn[ESPGATE_NAME_OCTETS];
  char child[ESPGATE_NAME_OCTETS];
  __u32 pad;
};
ESPGATE_ABI_SIZE(espgate_policy_entry, 216);

/* counters, mmapable array[cpu * max_slots + slot], cpu from 0 to `cpus` of meta. A cell counts for `generation` only:
 * the first packet of a newer one zeroes it, a reader takes a cell of another generation for zeros.
 * Packets are ESP packets on the wire, octets are what is left after decapsulation.
 * Outbound, the NIC decides long after xfrm: what it was offered is counted in `offered`, what it took in `hw`;
 * software packets are sw + (offered - hw). */
struct espgate_cell {
  __u32 generation;
  __u32 pad;
  __u64 hw_packets;
  __u64 hw_bytes;
  __u64 sw_packets;
  __u64 sw_bytes;
  __u64 offered_packets;
  __u64 offered_bytes;
  __u64 fallback[ESPGATE_FB_COUNT]; /* packets by enum espgate_fallback */
  __u64 spare;
};
ESPGATE_ABI_SIZE(espgate_cell, 128);

/* child_total, hash by child uid (__u64): sums of retired SAs. The last fold is named, so that a crash cannot fold
 * twice. */
struct espgate_folded {
  __u64 hw_packets;
  __u64 hw_bytes;
  __u64 sw_packets;
  __u64 sw_bytes;
  __u64 fallback[ESPGATE_FB_COUNT];
  __u32 last_slot;
  __u32 last_generation; /* 0: nothing folded yet */
  __u64 sas;             /* SAs folded */
};
ESPGATE_ABI_SIZE(espgate_folded, 112);
struct espgate_child_total {
  struct espgate_folded folded[2]; /* by enum espgate_direction */
  char conn[ESPGATE_NAME_OCTETS];
  char child[ESPGATE_NAME_OCTETS];
  char device[16]; /* that its SAs were last wanted on; empty: on none yet */
};
ESPGATE_ABI_SIZE(espgate_child_total, 368);

/* classes, per-CPU hash; some classes have several verdicts. */
#define ESPGATE_CLASSES (2 * ESPGATE_MAX_DEVICES * ESPGATE_CLASS_COUNT)
struct espgate_class_key {
  __u32 ifindex;
  __u8 class_;  /* enum espgate_class */
  __u8 verdict; /* enum espgate_verdict */
  __u16 pad;
};
ESPGATE_ABI_SIZE(espgate_class_key, 8);
struct espgate_class_count {
  __u64 packets;
  __u64 bytes; /* from the Ethernet header on */
};
ESPGATE_ABI_SIZE(espgate_class_count, 16);

/* shield_rules, array of one: what the XDP program does beyond counting. Written by the loader, read by every packet; a
 * change takes effect with the next packet. All rates are of all CPUs together, and each may be exceeded by what
 * arrives on other CPUs within the same instant. */
struct espgate_shield {
  __u8 active;       /* 1: acts; 0: classifies and counts, passes everything */
  __u8 drop_unknown; /* 1: ESP and AH for this host with an SPI that the kernel does not know are dropped */
  __u8 pad[2];
  __u32 cookie_rate;   /* IKE_SA_INIT requests a second, of those not allow-listed, that pass without a cookie; 0: no
                          limit */
  __u32 fragment_rate; /* fragments a second to or about IKE that pass, allow-listed sources apart; 0: no limit */
  __u32 source_rate;   /* other IKE packets a second of one source prefix (/24, /56); 0: no limit */
};
ESPGATE_ABI_SIZE(espgate_shield, 16);

/* shield_secrets, array of one: what cookies are made with, RFC 7296 2.6. The daemon's engines have the same.
 * A cookie is 9 octets: the number of its secret, then SipHash-2-4 (64 bits, as its reference writes them) keyed with
 * it over: the initiator's SPI (8 octets), its address (16, IPv4 first, the rest zero), its nonce (16 to 256 octets).
 */
#define ESPGATE_COOKIE_OCTETS 9
#define ESPGATE_COOKIE_KEY_OCTETS 16
struct espgate_cookie_secret {
  __u8 key[ESPGATE_COOKIE_KEY_OCTETS];
  __u8 number;
  __u8 valid; /* 0: no such secret */
  __u8 pad[6];
};
ESPGATE_ABI_SIZE(espgate_cookie_secret, 24);
struct espgate_cookie_secrets {
  struct espgate_cookie_secret present; /* cookies are made with this one */
  struct espgate_cookie_secret before;  /* and taken with this one, too */
};
ESPGATE_ABI_SIZE(espgate_cookie_secrets, 48);

/* shield_allow, LPM trie: sources that are never challenged nor limited. `prefix` counts the bits of what follows it.
 */
struct espgate_allow_key {
  __u32 prefix; /* 96 and the bits of the address */
  __u8 netns[8];
  __u8 family; /* AF_INET, AF_INET6 */
  __u8 pad[3];
  __u8 address[16];
};
ESPGATE_ABI_SIZE(espgate_allow_key, 32);

/* shield_counts, per-CPU hash. What the shield did; the class counters say the verdicts beside it. */
enum espgate_shield_event {
  ESPGATE_SHIELD_INIT_PASSED = 0, /* IKE_SA_INIT requests that passed without a cookie, under the rate */
  ESPGATE_SHIELD_COOKIE_SENT = 1, /* answered with a challenge */
  ESPGATE_SHIELD_COOKIE_GOOD = 2, /* passed, for a right cookie came with them */
  ESPGATE_SHIELD_COOKIE_BAD =
      3, /* a cookie that is forged, expired or another's; challenged anew, and counted there too */
  ESPGATE_SHIELD_INIT_DROPPED =
      4, /* IKE_SA_INIT requests that cannot be answered: malformed, or shorter than the answer */
  ESPGATE_SHIELD_FRAGMENT_PASSED = 5,
  ESPGATE_SHIELD_FRAGMENT_DROPPED = 6, /* above fragment_rate */
  ESPGATE_SHIELD_SOURCE_DROPPED = 7,   /* above source_rate */
  ESPGATE_SHIELD_UNKNOWN_SPI = 8,      /* ESP and AH for this host that the kernel has no SA for */
  ESPGATE_SHIELD_UNKNOWN_DROPPED = 9,  /* of these, dropped */
  ESPGATE_SHIELD_ALLOWED = 10,         /* IKE of allow-listed sources that passed for that */
  ESPGATE_SHIELD_EVENT_COUNT = 11
};
struct espgate_shield_key {
  __u32 ifindex;
  __u32 event; /* enum espgate_shield_event */
};
ESPGATE_ABI_SIZE(espgate_shield_key, 8);

/* spread_cpus, array of one: the CPUs that inbound ESP of software SAs is handed to, an SA always to the same; each is
 * an entry of the CPU map `spread`. */
#define ESPGATE_MAX_SPREAD 256
struct espgate_spread {
  __u32 count; /* 0: packets stay where they came in */
  __u32 cpus[ESPGATE_MAX_SPREAD];
};
ESPGATE_ABI_SIZE(espgate_spread, 1028);

/* shield_copy, array of one, not pinned: of each copy of the XDP program that is in a dispatcher. */
struct espgate_dispatched {
  __u64 code; /* a hash of its object: an equal one need not be exchanged */
  __u32 on;   /* 0: it passes everything and counts nothing */
  __u32 pad;
};
ESPGATE_ABI_SIZE(espgate_dispatched, 16);

/* flows, LRU hash: inner 5-tuples as tc saw them. tc sees GRO and GSO batches, so the split of a batch is its first
 * packet's. */
struct espgate_flow_key {
  __u8 src[16];
  __u8 dst[16];
  __be16 src_port; /* 0 where the protocol has none */
  __be16 dst_port;
  __u8 family;
  __u8 proto;
  __u8 direction; /* enum espgate_direction */
  __u8 pad;
  __u32 slot;
  __u32 generation;
};
ESPGATE_ABI_SIZE(espgate_flow_key, 48);
struct espgate_flow_value {
  __u64 hw_packets;
  __u64 hw_bytes;
  __u64 sw_packets;
  __u64 sw_bytes;
  __u64 last_seen; /* CLOCK_MONOTONIC nanoseconds */
};
ESPGATE_ABI_SIZE(espgate_flow_value, 40);

/* devices, hash by ifindex (__u32): where we are attached. */
enum espgate_xdp_mode {
  ESPGATE_XDP_NONE = 0,
  ESPGATE_XDP_NATIVE = 1,
  ESPGATE_XDP_GENERIC = 2,
  ESPGATE_XDP_DISPATCHER = 3 /* natively, one of several programs of libxdp's dispatcher */
};
struct espgate_device {
  char name[16];
  __u64 netns;
  __u8 xdp_mode;   /* enum espgate_xdp_mode */
  __u8 tc_ingress; /* 1: attached */
  __u8 tc_egress;
  __u8 tc_classes; /* 1: tc ingress counts classes, because XDP does not run natively there */
  __u8 pad[4];
};
ESPGATE_ABI_SIZE(espgate_device, 32);

/* meta, array of one. */
struct espgate_meta {
  __u32 abi_version;
  __u32 max_slots;
  __u32 max_policies;
  __u32 cpus;      /* rows of `counters` */
  __u8 exact_in;   /* 1: the receive hook counts; 0: tc does, inexactly */
  __u8 exact_out;  /* 1: both transmit hooks count; 0: tc does, inexactly */
  __u8 accounting; /* 1: somebody counts at all */
  __u8 pad[5];
};
ESPGATE_ABI_SIZE(espgate_meta, 24);

#endif
