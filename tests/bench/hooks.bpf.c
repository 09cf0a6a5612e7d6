/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* On each hook of ours two more programs: one that does nothing, and one that increments one counter in a hash. */
#include <linux/bpf.h>
#include <linux/types.h>
/* bpf_helpers.h wants the types above. */
#include <bpf/bpf_helpers.h>

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 4096);
  __type(key, __u32);
  __type(value, __u64);
} counts SEC(".maps");

static __always_inline void increment(void) {
  __u32 key = 7;
  __u64* count = bpf_map_lookup_elem(&counts, &key);

  if (count) __sync_fetch_and_add(count, 1);
}

#define BESIDE(hook, section, context, verdict) \
  SEC(section) int empty_##hook(context* c) {   \
    (void)c;                                    \
    return verdict;                             \
  }                                             \
  SEC(section) int hash_##hook(context* c) {    \
    (void)c;                                    \
    increment();                                \
    return verdict;                             \
  }

BESIDE(arrive, "fexit/xfrm_replay_check", void, 0)
BESIDE(accept, "fexit/xfrm_replay_advance", void, 0)
BESIDE(receive, "fexit/xfrm_replay_recheck", void, 0)
BESIDE(transmit, "fexit/xfrm_replay_overflow", void, 0)
BESIDE(transmit_hit, "tp_btf/net_dev_start_xmit", void, 0)
BESIDE(tc_ingress, "tcx/ingress", struct __sk_buff, -1)
BESIDE(tc_egress, "tcx/egress", struct __sk_buff, -1)
BESIDE(shield, "xdp.frags", struct xdp_md, XDP_PASS)

char LICENSE[] SEC("license") = "GPL";
