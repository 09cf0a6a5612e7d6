/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* shield (XDP): classifies what comes in and counts it by class. It passes everything. */
#include "bpf/classify.h"

SEC("xdp.frags")
int shield(struct xdp_md* context) {
  struct xdp_buff* xdp = bpf_cast_to_kern_ctx(context);
  struct net_device* device = xdp->rxq->dev;
  struct view view = {
      .context = context,
      .data = (void*)(long)context->data,
      .data_end = (void*)(long)context->data_end,
      .length = (__u32)bpf_xdp_get_buff_len(context),
      .netns = device->nd_net.net->net_cookie,
      .ifindex = context->ingress_ifindex,
  };
  int class = classify_frame(&view);

  count_class(view.ifindex, class, ESPGATE_PASS, 1, view.length);
  return XDP_PASS;
}
