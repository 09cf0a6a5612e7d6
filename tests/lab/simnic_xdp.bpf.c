// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* XDP programs for simnic_oracle.sh. "esp" lets through only what is ESP on the wire, so traffic in a tunnel gets
 * through it only if the device runs it in front of decryption; "tx" sends frames back where they came from.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

static int is_esp(struct xdp_md* context) {
  void* end = (void*)(long)context->data_end;
  struct ethhdr* eth = (void*)(long)context->data;
  void* ip = eth + 1;
  if (ip > end) return 0;
  if (eth->h_proto == bpf_htons(ETH_P_IP))
    return (void*)((struct iphdr*)ip + 1) <= end && ((struct iphdr*)ip)->protocol == IPPROTO_ESP;
  if (eth->h_proto == bpf_htons(ETH_P_IPV6))
    return (void*)((struct ipv6hdr*)ip + 1) <= end && ((struct ipv6hdr*)ip)->nexthdr == IPPROTO_ESP;
  return 0;
}

SEC("xdp/esp") int only_esp(struct xdp_md* context) { return is_esp(context) ? XDP_PASS : XDP_DROP; }
SEC("xdp/drop") int drop_esp(struct xdp_md* context) { return is_esp(context) ? XDP_DROP : XDP_PASS; }
SEC("xdp/abort") int abort_esp(struct xdp_md* context) { return is_esp(context) ? XDP_ABORTED : XDP_PASS; }
SEC("xdp/tx") int reflect(struct xdp_md* context) { return is_esp(context) ? XDP_TX : XDP_PASS; }

/* Takes room in front and gives it back: the frame moves in its buffer. */
SEC("xdp/shift") int shift(struct xdp_md* context) {
  if (bpf_xdp_adjust_head(context, -16) || bpf_xdp_adjust_head(context, 16)) return XDP_ABORTED;
  return XDP_PASS;
}

char license_text[] SEC("license") = "GPL";
