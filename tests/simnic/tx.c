// SPDX-License-Identifier: GPL-2.0-only
/* Transmit: segmentation, and encryption of what the stack has marked for one of this device's SAs.
 *
 * The stack hands over  Ethernet | outer IP | ESP header | room for the IV | payload | trailer | room for the
 * ICV or, as a GSO batch, the same once without trailer and ICV (NETIF_F_GSO_ESP).
 */
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/unaligned.h>
#include <net/checksum.h>
#include <net/gso.h>
#include <net/ip.h>

#include "simnic.h"

/* simnic_lose - drops a packet on transmit, for a reason. */
void simnic_lose(struct simnic_dev *nic, struct sk_buff *skb, enum simnic_stat why)
{
	simnic_count(nic, why, 1);
	dev_core_stats_tx_dropped_inc(nic->dev);
	kfree_skb(skb);
}

/* True if the stack left the encryption of this packet to us. A forwarded packet may carry the sec_path of
 * the SA it came in by; only XFRM_XMIT says that the outbound half was prepared for a device.
 */
static bool simnic_is_marked(struct sk_buff *skb, struct xfrm_state **x)
{
	struct xfrm_offload *xo = xfrm_offload(skb);

	if (!xo || !(xo->flags & XFRM_XMIT))
		return false;
	*x = xfrm_input_state(skb);
	return (*x)->xso.dir == XFRM_DEV_OFFLOAD_OUT;
}

/* The sequence number as the packet has it, with the high half from the stack. When the stack has segmented
 * a batch, xo->seq already stands one further.
 */
static u64 simnic_seq(const struct xfrm_offload *xo, const struct ip_esp_hdr *head)
{
	u32 low = ntohl(head->seq_no);
	u32 high = xo->seq.hi;

	if (xo->seq.low < low)
		high--;
	return (u64)high << 32 | low;
}

/* Finishes a transport checksum left to hardware: over the payload alone, not the ESP trailer behind it. */
static void simnic_checksum(struct sk_buff *skb, unsigned int end)
{
	unsigned int start = skb_checksum_start_offset(skb);
	__sum16 *field = (__sum16 *)(skb->data + start + skb->csum_offset);
	__wsum sum;

	if (skb->ip_summed != CHECKSUM_PARTIAL)
		return;
	if (!WARN_ON_ONCE(start >= end || start + skb->csum_offset + sizeof(*field) > end)) {
		sum = skb_checksum(skb, start, end - start, 0);
		*field = csum_fold(sum) ?: CSUM_MANGLED_0;
	}
	skb->ip_summed = CHECKSUM_NONE;
}

/* Makes the frame linear and ours alone, with @tail octets more behind it. */
static int simnic_own(struct sk_buff *skb, unsigned int tail)
{
	if (skb_linearize(skb))
		return -ENOMEM;
	if (skb_cloned(skb) || skb_tailroom(skb) < tail)
		return pskb_expand_head(skb, 0, tail, GFP_ATOMIC);
	return 0;
}

/* Encrypts a complete ESP packet in place. Returns the octets of payload, or a negative errno. */
static int simnic_encrypt(struct simnic_dev *nic, struct sk_buff *skb, const struct simnic_tx *tx)
{
	u8 *head = skb->data + tx->offset;
	u8 *text = head + SIMNIC_ESP_HEAD;
	int len = skb_tail_pointer(skb) - text; /* ciphertext and ICV */
	int payload, err;

	if (len < 2 + SIMNIC_ICV_LEN)
		return -EINVAL;
	payload = len - SIMNIC_ICV_LEN - 2 - text[len - SIMNIC_ICV_LEN - 2];
	if (payload < 0)
		return -EINVAL;
	simnic_checksum(skb, tx->offset + SIMNIC_ESP_HEAD + payload);
	put_unaligned_be64(tx->seq, head + sizeof(struct ip_esp_hdr));
	err = simnic_gcm(tx->sa, true, tx->seq, head + sizeof(struct ip_esp_hdr), text, len);
	if (err)
		return err;
	if (simnic_fault_due(&nic->fault.icv_seen, READ_ONCE(nic->fault.knob.corrupt_icv))) {
		text[len - 1] ^= 0x55;
		simnic_count(nic, SIMNIC_FAULT_ICV_CORRUPTED, 1);
	}
	return payload;
}

/* simnic_send_esp - encrypts and sends one packet, and counts it: on the wire, or lost by an injected fault.
 */
void simnic_send_esp(struct simnic_dev *nic, struct sk_buff *skb, const struct simnic_tx *tx)
{
	const struct simnic_fault *fault = &nic->fault.knob;
	int payload = simnic_encrypt(nic, skb, tx);

	if (unlikely(payload < 0)) {
		simnic_lose(nic, skb, SIMNIC_WIRE_DROPPED);
		return;
	}
	if (READ_ONCE(fault->drop_all) || simnic_fault_due(&nic->fault.tx_seen, READ_ONCE(fault->tx_drop))) {
		simnic_lose(nic, skb, SIMNIC_FAULT_TX_DROPPED);
		return;
	}
	simnic_count(nic, SIMNIC_HW_TX_PACKETS, 1);
	simnic_count(nic, SIMNIC_HW_TX_BYTES, payload);
	simnic_sa_count(tx->sa, payload);
	simnic_wire(nic, skb);
}

/* simnic_complete - gives a bare segment its sequence number, padding, trailer, room for the ICV, and outer
 * length. */
int simnic_complete(struct sk_buff *skb, const struct simnic_tx *tx)
{
	unsigned int payload = skb->len - tx->offset - SIMNIC_ESP_HEAD;
	unsigned int pad = ALIGN(payload + 2, 4) - payload - 2;
	struct ip_esp_hdr *head;
	unsigned int i;
	u8 *tail;

	if (simnic_own(skb, pad + 2 + SIMNIC_ICV_LEN))
		return -ENOMEM;
	tail = skb_put(skb, pad + 2 + SIMNIC_ICV_LEN);
	for (i = 0; i < pad; i++)
		tail[i] = i + 1; /* RFC 4303, section 2.4 */
	tail[pad] = pad;
	tail[pad + 1] = tx->next_header;
	head = (struct ip_esp_hdr *)(skb->data + tx->offset);
	head->seq_no = htonl(lower_32_bits(tx->seq));
	if (tx->sa->family == AF_INET) {
		struct iphdr *ip = ip_hdr(skb);

		ip->tot_len = htons(skb->len - skb_network_offset(skb));
		ip_send_check(ip);
	} else {
		ipv6_hdr(skb)->payload_len =
			htons(skb->len - skb_network_offset(skb) - sizeof(struct ipv6hdr));
	}
	return 0;
}

/* TSO inside ESP: segments, completes and encrypts a batch; each segment takes a sequence number. A segment
 * that cannot be sent still takes its own.
 */
static void simnic_send_batch(struct simnic_dev *nic, struct sk_buff *skb, struct simnic_tx *tx)
{
	struct sk_buff *segment, *next;
	struct sk_buff *list = skb_gso_segment(skb, 0);

	if (IS_ERR_OR_NULL(list)) {
		simnic_lose(nic, skb, SIMNIC_WIRE_DROPPED);
		return;
	}
	simnic_count(nic, SIMNIC_TX_SEGMENTED, 1);
	skb_list_walk_safe(list, segment, next)
	{
		skb_mark_not_on_list(segment);
		if (simnic_complete(segment, tx))
			simnic_lose(nic, segment, SIMNIC_WIRE_DROPPED);
		else
			simnic_send_esp(nic, segment, tx);
		tx->seq++;
	}
	consume_skb(skb);
}

static void simnic_xmit_marked(struct simnic_dev *nic, struct sk_buff *skb, struct xfrm_state *x)
{
	struct xfrm_offload *xo = xfrm_offload(skb);
	struct simnic_tx tx = {.sa = simnic_tx_sa(nic, x), .offset = skb_transport_offset(skb)};

	/* Never let it out as it is: it has an ESP header and its payload is plain. */
	if (!tx.sa || !pskb_may_pull(skb, tx.offset + SIMNIC_ESP_HEAD) ||
	    ((struct ip_esp_hdr *)(skb->data + tx.offset))->spi != tx.sa->spi) {
		simnic_lose(nic, skb, SIMNIC_TX_NO_SA);
		return;
	}
	tx.seq = simnic_seq(xo, (struct ip_esp_hdr *)(skb->data + tx.offset));
	tx.next_header = xo->proto;
	if (skb_is_gso(skb)) {
		simnic_send_batch(nic, skb, &tx);
	} else if (simnic_own(skb, 0)) {
		simnic_lose(nic, skb, SIMNIC_WIRE_DROPPED);
	} else {
		simnic_send_esp(nic, skb, &tx);
	}
}

/* Plain TSO: the wire carries frames, not batches, so that the far side has something to merge. */
static void simnic_xmit_plain(struct simnic_dev *nic, struct sk_buff *skb)
{
	struct sk_buff *list, *segment, *next;
	struct simnic_esp esp;

	if (!skb_is_gso(skb)) {
		if (simnic_parse(skb, &esp) != SIMNIC_PLAIN)
			simnic_count(nic, SIMNIC_SW_TX_ESP, 1);
		simnic_wire(nic, skb);
		return;
	}
	list = skb_gso_segment(skb, NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_HIGHDMA);
	if (IS_ERR_OR_NULL(list)) {
		simnic_lose(nic, skb, SIMNIC_WIRE_DROPPED);
		return;
	}
	skb_list_walk_safe(list, segment, next)
	{
		skb_mark_not_on_list(segment);
		simnic_wire(nic, segment);
	}
	consume_skb(skb);
}

/* simnic_start_xmit - ndo_start_xmit; in RCU-bh, under the queue's lock. */
netdev_tx_t simnic_start_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct simnic_dev *nic = netdev_priv(dev);
	netdev_tx_t answer = NETDEV_TX_OK;
	struct xfrm_state *x;

	rcu_read_lock();
	if (!simnic_is_marked(skb, &x)) {
		skb_tx_timestamp(skb);
		if (!simnic_xmit_packet(nic, skb))
			simnic_xmit_plain(nic, skb);
	} else if (simnic_fault_due(&nic->fault.busy_seen, READ_ONCE(nic->fault.knob.tx_busy))) {
		simnic_count(nic, SIMNIC_FAULT_TX_BUSY, 1);
		answer = NETDEV_TX_BUSY;
	} else {
		skb_tx_timestamp(skb);
		simnic_xmit_marked(nic, skb, x);
	}
	rcu_read_unlock();
	return answer;
}
