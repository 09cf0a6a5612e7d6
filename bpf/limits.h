/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Rates. A bucket is one word, the time up to which its tokens are taken, moved on by compare and exchange: exact
 * across CPUs, and who is refused writes nothing, so that a flood does not fight for a cache line. */
#ifndef ESPGATE_BPF_LIMITS_H
#define ESPGATE_BPF_LIMITS_H

#include "bpf/classify.h"
#include "bpf/shield_maps.h"

#define SECOND 1000000000ULL
#define TAKE_TRIES 4 /* against other CPUs; who loses them all is refused */

/* One token of a bucket that fills at `rate` a second and holds as many as a second brings (the generic cell rate
 * algorithm). */
static __always_inline bool take(__u64* bucket, __u32 rate) {
  __u64 now = bpf_ktime_get_ns() + SECOND; /* so that a second ago is never below zero */
  __u64 interval = SECOND / rate;
  __u64 seen, from;
  int i;

  for (i = 0; i < TAKE_TRIES; i++) {
    seen = *(volatile __u64*)bucket;
    from = seen > now - SECOND ? seen : now - SECOND;
    if (from + interval > now) return false;
    if (__sync_val_compare_and_swap(bucket, seen, from + interval) == seen) return true;
  }
  return false;
}

static __always_inline struct buckets* get_buckets(void) {
  __u32 zero = 0;

  return bpf_map_lookup_elem(&shield_buckets, &zero);
}

/* `rate` 0: no limit. */
static __always_inline bool take_init(__u32 rate) {
  struct buckets* buckets = get_buckets();

  return !rate || !buckets || take(&buckets->inits, rate);
}

static __always_inline bool take_fragment(__u32 rate) {
  struct buckets* buckets = get_buckets();

  return !rate || !buckets || take(&buckets->fragments, rate);
}

static __always_inline bool take_source(const struct view* view, __u32 rate) {
  struct source_key key = {.netns = view->netns, .family = view->family};
  __u64 empty = 0;
  __u64* bucket;

  if (!rate) return true;
  __builtin_memcpy(key.prefix, view->source, 7);
  if (view->family == AF_INET) __builtin_memset(key.prefix + 3, 0, 4);
  bucket = bpf_map_lookup_elem(&shield_sources, &key);
  if (!bucket) {
    bpf_map_update_elem(&shield_sources, &key, &empty, BPF_NOEXIST);
    bucket = bpf_map_lookup_elem(&shield_sources, &key);
    if (!bucket) return true;
  }
  return take(bucket, rate);
}

static __always_inline bool is_allowed(const struct view* view) {
  struct espgate_allow_key key = {.prefix = 8 * (sizeof(key) - sizeof(key.prefix)), .family = view->family};

  __builtin_memcpy(key.netns, &view->netns, sizeof(key.netns));
  __builtin_memcpy(key.address, view->source, sizeof(key.address));
  return bpf_map_lookup_elem(&shield_allow, &key);
}

#endif
