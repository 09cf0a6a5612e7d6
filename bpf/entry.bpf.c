/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What is attached to the exact hooks. A tracing link cannot be moved to another program, so each of these hands over
 * to the one in its table, which a new version exchanges in one step: every packet is counted by the old program or by
 * the new one, never by both or none. They must stay as they are for that: another tag is another link. */
#include "bpf/kernel.h"

#define ENTRY(program, hook)                  \
  struct {                                    \
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);    \
    __uint(max_entries, 1);                   \
    __type(key, __u32);                       \
    __type(value, __u32);                     \
  } to_##program SEC(".maps");                \
  SEC(hook) int at_##program(void* context) { \
    bpf_tail_call(context, &to_##program, 0); \
    return 0;                                 \
  }

ENTRY(arrive, "fexit/xfrm_replay_check")
ENTRY(accept, "fexit/xfrm_replay_advance")
ENTRY(receive, "fexit/xfrm_replay_recheck")
ENTRY(transmit, "fexit/xfrm_replay_overflow")
ENTRY(transmit_hit, "tp_btf/net_dev_start_xmit")
ENTRY(transmit_busy, "tp_btf/net_dev_xmit")
