/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* shield (XDP), natively and behind generic XDP. The same as one of several: dispatched.bpf.c. */
#include "bpf/judge.h"

SEC("xdp.frags")
int shield(struct xdp_md* context) { return shield_packet(context); }

/* bpf_prog_run_generic_xdp(), right before a generic XDP program runs. */
SEC("fentry/bpf_prog_run_generic_xdp")
int BPF_PROG(generic_packet, struct sk_buff* skb, struct xdp_buff* xdp) {
  __u32 zero = 0;
  struct generic_note* note = bpf_map_lookup_elem(&shield_note, &zero);

  if (!note) return 0;
  note->decrypted = sec_path_of(skb) != NULL;
  note->unsummed = BPF_CORE_READ_BITFIELD_PROBED(skb, ip_summed) == CHECKSUM_PARTIAL;
  note->xdp = (__u64)xdp;
  return 0;
}

/* Generic XDP sees what came out of an SA as a packet of its own: without word from the hook above that this is none
 * of these, nothing is done. tc counts what passes; what does not, never gets there. */
SEC("xdp.frags")
int shield_generic(struct xdp_md* context) {
  __u32 zero = 0;
  struct generic_note* note = bpf_map_lookup_elem(&shield_note, &zero);
  struct view view = {};
  int action, class;

  if (!note || note->xdp != (__u64)bpf_cast_to_kern_ctx(context)) return XDP_PASS;
  note->xdp = 0;
  if (note->decrypted) return XDP_PASS;
  class = see(context, &view);
  action = judge(context, &view, class, note->unsummed);
  if (action != XDP_PASS) count_class(view.ifindex, class, verdict_of(action), 1, view.length);
  return action;
}
