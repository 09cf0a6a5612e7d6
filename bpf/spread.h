/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Inbound ESP of software SAs over CPUs: a NIC spreads by the outer header, so one tunnel is one core's. */
#ifndef ESPGATE_BPF_SPREAD_H
#define ESPGATE_BPF_SPREAD_H

#include "bpf/classify.h"

/* The CPU of an SA; SPIs need not be random, so they are mixed first (Fibonacci hashing). */
static __always_inline __u32 cpu_of(const struct espgate_spread* to, __be32 spi) {
  __u64 mixed = (__u32)(bpf_ntohl(spi) * 2654435769u);
  __u64 at = mixed * to->count >> 32;

  barrier_var(at); /* else the compiler leaves out the mask, which the verifier needs */
  return to->cpus[at & (ESPGATE_MAX_SPREAD - 1)];
}

/* What becomes of a packet that passes. One that is on its CPU already goes through the queue, too: else it would
 * overtake those that came in elsewhere and wait there, by more than a replay window (measured). Only whole ones go to
 * another CPU: the kernel has to see all fragments of a packet, and the later ones do not say whose they are. */
static __always_inline int spread_over_cpus(const struct view* view) {
  __u32 zero = 0;
  struct espgate_spread* to;

  if (!view->spread || view->fragment) return XDP_PASS;
  to = bpf_map_lookup_elem(&spread_cpus, &zero);
  if (!to || !to->count || to->count > ESPGATE_MAX_SPREAD) return XDP_PASS;
  return (int)bpf_redirect_map(&spread, cpu_of(to, view->spi), XDP_PASS);
}

#endif
