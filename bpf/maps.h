/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The maps, whose layout is maps/abi.h. The loader sets sizes and pins. */
#ifndef ESPGATE_BPF_MAPS_H
#define ESPGATE_BPF_MAPS_H

#include "bpf/kernel.h"
#include "maps/abi.h"

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct espgate_meta);
} meta SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, ESPGATE_DEFAULT_SLOTS);
  __type(key, struct espgate_sa_key);
  __type(value, struct espgate_sa_value);
} sa_slot SEC(".maps");

/* Mmapable for its alignment: an entry is in one line of the cache. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, ESPGATE_DEFAULT_SLOTS);
  __type(key, __u32);
  __type(value, struct espgate_sa_index);
} sa_index SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, ESPGATE_DEFAULT_SLOTS);
  __type(key, __u32);
  __type(value, struct espgate_cell);
} counters SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_HASH);
  __uint(max_entries, ESPGATE_CLASSES);
  __type(key, struct espgate_class_key);
  __type(value, struct espgate_class_count);
} classes SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, ESPGATE_DEFAULT_FLOWS);
  __type(key, struct espgate_flow_key);
  __type(value, struct espgate_flow_value);
} flows SEC(".maps");

/* Where inbound ESP of software SAs is decrypted (spread.h). */
struct {
  __uint(type, BPF_MAP_TYPE_CPUMAP);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct bpf_cpumap_val);
} spread SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct espgate_spread);
} spread_cpus SEC(".maps");

/* Written and read by user space alone. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, ESPGATE_DEFAULT_SLOTS);
  __type(key, __u32);
  __type(value, struct espgate_sa_entry);
} sa_dir SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, ESPGATE_DEFAULT_SLOTS);
  __type(key, __u32);
  __type(value, struct espgate_policy_entry);
} policy_dir SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, ESPGATE_DEFAULT_SLOTS);
  __type(key, __u64);
  __type(value, struct espgate_child_total);
} child_total SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, ESPGATE_MAX_DEVICES);
  __type(key, __u32);
  __type(value, struct espgate_device);
} devices SEC(".maps");

/* Set by the loader: what no CO-RE relocation gives, since the kernel's enumerations have no name. */
const volatile __u64 netif_f_hw_esp = 0;
const volatile __u32 skb_gso_tcp = 0; /* both families */
const volatile __u32 skb_gso_udp_l4 = 0;
const volatile __u32 slots = ESPGATE_DEFAULT_SLOTS; /* columns of `counters` */

#endif
