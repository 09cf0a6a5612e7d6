/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The shield's maps: what the loader tells it, what it counts, and what it remembers by itself. */
#ifndef ESPGATE_BPF_SHIELD_MAPS_H
#define ESPGATE_BPF_SHIELD_MAPS_H

#include "bpf/kernel.h"
#include "maps/abi.h"

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct espgate_shield);
} shield_rules SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct espgate_cookie_secrets);
} shield_secrets SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LPM_TRIE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, ESPGATE_MAX_ALLOWED);
  __type(key, struct espgate_allow_key);
  __type(value, __u32);
} shield_allow SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_HASH);
  __uint(max_entries, ESPGATE_MAX_DEVICES* ESPGATE_SHIELD_EVENT_COUNT);
  __type(key, struct espgate_shield_key);
  __type(value, __u64);
} shield_counts SEC(".maps");

/* Token buckets: the time that each is taken up to (limits.h). Apart, so that CPUs that ask one do not wait for the
 * other's cache line. */
struct buckets {
  __u64 inits;
  __u64 pad1[7];
  __u64 fragments;
  __u64 pad2[7];
};
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct buckets);
} shield_buckets SEC(".maps");

/* One bucket for each source prefix that was seen last. */
struct source_key {
  __u64 netns;
  __u8 prefix[7]; /* IPv4: 3 octets, IPv6: 7 */
  __u8 family;
};
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 16384);
  __type(key, struct source_key);
  __type(value, __u64);
} shield_sources SEC(".maps");

/* What became of the first fragments of datagrams to an IKE port: 1 passed, 0 dropped. */
struct fragment_key {
  __u64 netns;
  __u8 source[16];
  __u8 destination[16];
  __be32 id;
  __u32 family;
};
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 4096);
  __type(key, struct fragment_key);
  __type(value, __u32);
} shield_firsts SEC(".maps");

/* What a cookie is made of, gathered: a nonce has at most 256 octets, and zeros up to a multiple of 8 behind it. */
#define NONCE_LEAST_OCTETS 16 /* RFC 7296 3.9 */
#define NONCE_MOST_OCTETS 256
#define COOKIE_INPUT_WORDS (3 + NONCE_MOST_OCTETS / 8 + 1)
struct cookie_input {
  __u64 words[COOKIE_INPUT_WORDS]; /* SPI, address, nonce */
};
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct cookie_input);
} shield_input SEC(".maps");

/* What the hook before generic XDP saw of the packet that the XDP program gets next on this CPU. */
struct generic_note {
  __u64 xdp;      /* its struct xdp_buff; 0: none */
  __u8 decrypted; /* 1: it has a sec_path */
  __u8 unsummed;  /* 1: its UDP checksum is the pseudo header's alone (CHECKSUM_PARTIAL) */
  __u8 pad[6];
};
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct generic_note);
} shield_note SEC(".maps");

#endif
