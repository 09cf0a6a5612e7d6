/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Somebody else's XDP program, for dispatcher_test.cc: counts what it sees, and does as it is told. */
#include <linux/bpf.h>
#include <linux/types.h>
/* bpf_helpers.h wants the types above. */
#include <bpf/bpf_helpers.h>

const volatile __u32 verdict = XDP_PASS;

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u64);
} other_seen SEC(".maps");

SEC("xdp.frags")
int other(struct xdp_md* context) {
  __u32 zero = 0;
  __u64* seen = bpf_map_lookup_elem(&other_seen, &zero);

  if (seen) __sync_fetch_and_add(seen, 1);
  return (int)verdict;
}

char LICENSE[] SEC("license") = "GPL";
