// SPDX-License-Identifier: GPL-2.0-only
/* Native XDP, on the frame as it came off the wire: in front of decryption, so that a program sees an ESP
 * packet once, encrypted.
 */
#include <linux/bpf_trace.h>
#include <linux/etherdevice.h>
#include <linux/filter.h>

#include "simnic.h"

/* simnic_bpf - ndo_bpf. The caller's reference on the program is ours from here. */
int simnic_bpf(struct net_device *dev, struct netdev_bpf *bpf)
{
	struct simnic_dev *nic = netdev_priv(dev);
	struct bpf_prog *old;

	if (bpf->command != XDP_SETUP_PROG)
		return -EINVAL;
	old = rcu_replace_pointer(nic->xdp_prog, bpf->prog, true);
	if (old)
		bpf_prog_put(old);
	return 0;
}

/* simnic_xdp_xmit - ndo_xdp_xmit: frames redirected to this device go to the wire. Returns how many. */
int simnic_xdp_xmit(struct net_device *dev, int count, struct xdp_frame **frames, u32 flags)
{
	struct simnic_dev *nic = netdev_priv(dev);
	int sent;

	if (unlikely(flags & ~XDP_XMIT_FLAGS_MASK))
		return -EINVAL;
	if (unlikely(!netif_running(dev)))
		return -ENETDOWN;
	for (sent = 0; sent < count; sent++) {
		struct sk_buff *skb = xdp_build_skb_from_frame(frames[sent], dev);

		if (!skb)
			break;
		skb_push(skb, ETH_HLEN);
		simnic_wire(nic, skb);
	}
	return sent;
}

static struct sk_buff *simnic_xdp_skb(struct simnic_dev *nic, const struct xdp_buff *xdp)
{
	struct sk_buff *skb = build_skb(xdp->data_hard_start, xdp->frame_sz);
	unsigned int meta = xdp->data - xdp->data_meta;

	if (!skb)
		return NULL;
	skb_reserve(skb, xdp->data - xdp->data_hard_start);
	__skb_put(skb, xdp->data_end - xdp->data);
	if (meta)
		skb_metadata_set(skb, meta);
	skb->dev = nic->dev;
	return skb;
}

/* Carries out a verdict on the frame in @page. Returns an skb to pass up, or NULL. */
static struct sk_buff *simnic_xdp_act(struct simnic_dev *nic, struct bpf_prog *prog, struct xdp_buff *xdp,
                                      struct page *page, bool *redirected)
{
	u32 act = bpf_prog_run_xdp(prog, xdp);
	struct sk_buff *skb = NULL;

	switch (act) {
	case XDP_PASS:
	case XDP_TX:
		skb = simnic_xdp_skb(nic, xdp);
		if (!skb)
			break;
		simnic_count(nic, act == XDP_TX ? SIMNIC_XDP_TX : SIMNIC_XDP_PASS, 1);
		if (act == XDP_PASS)
			return skb;
		simnic_wire(nic, skb);
		return NULL;
	case XDP_REDIRECT:
		if (xdp_do_redirect(nic->dev, xdp, prog))
			break;
		simnic_count(nic, SIMNIC_XDP_REDIRECT, 1);
		*redirected = true;
		return NULL;
	case XDP_DROP:
		break;
	default:
		bpf_warn_invalid_xdp_action(nic->dev, prog, act);
		fallthrough;
	case XDP_ABORTED:
		trace_xdp_exception(nic->dev, prog, act);
	}
	simnic_count(nic, SIMNIC_XDP_DROP, 1);
	put_page(page);
	return NULL;
}

/* simnic_xdp_run - runs the program on a frame (Ethernet header at skb->data), consuming it.
 * The frame is copied to pages of its own first, as a receive ring would hold it, so that every verdict,
 * redirection included, works on memory that XDP knows. Returns an skb to pass up, or NULL.
 */
struct sk_buff *simnic_xdp_run(struct simnic_dev *nic, struct bpf_prog *prog, struct sk_buff *skb,
                               bool *redirected)
{
	unsigned int len = skb->len;
	unsigned int order = get_order(SKB_DATA_ALIGN(XDP_PACKET_HEADROOM + len) +
	                               SKB_DATA_ALIGN(sizeof(struct skb_shared_info)));
	struct xdp_buff xdp;
	struct page *page;

	if (skb->ip_summed == CHECKSUM_PARTIAL && skb_checksum_help(skb))
		goto lost;
	page = alloc_pages(GFP_ATOMIC | __GFP_NOWARN | __GFP_COMP, order);
	if (!page)
		goto lost;
	xdp_init_buff(&xdp, PAGE_SIZE << order, &nic->xdp_rxq);
	xdp_prepare_buff(&xdp, page_address(page), XDP_PACKET_HEADROOM, len, true);
	if (skb_copy_bits(skb, 0, xdp.data, len)) {
		put_page(page);
		goto lost;
	}
	consume_skb(skb);
	return simnic_xdp_act(nic, prog, &xdp, page, redirected);
lost:
	dev_core_stats_rx_dropped_inc(nic->dev);
	kfree_skb(skb);
	return NULL;
}
