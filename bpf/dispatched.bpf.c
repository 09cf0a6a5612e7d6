/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The shield as one of several XDP programs on a device: libxdp's dispatcher calls it (loader/dispatcher.h). An object
 * of its own, for libxdp loads it, as an extension of the dispatcher; its maps but one are those of espgate.bpf.c. */
#define ESPGATE_DISPATCHED
#include "bpf/judge.h"

/* This copy's own. While a new version takes the place of an old one both are called, and one is switched on. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct espgate_dispatched);
} shield_copy SEC(".maps");

SEC("xdp.frags")
int espgate_shield(struct xdp_md* context) {
  __u32 zero = 0;
  struct espgate_dispatched* copy = bpf_map_lookup_elem(&shield_copy, &zero);

  return copy && copy->on ? shield_packet(context) : XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
