// SPDX-License-Identifier: GPL-2.0-only
/* Receive: decryption in place, and what the stack is told about it.
 *
 * The packet keeps its ESP header, trailer and ICV; the stack checks replay and takes them off
 * (xfrm_input, esp_input_tail). A packet that is not for one of our SAs passes as it is.
 */
#include <linux/unaligned.h>

#include "simnic.h"

/* The high half of a received sequence number, from the window around the highest one so far
 * (RFC 4303, appendix A2.1).
 */
static u64 simnic_esn_guess(struct simnic_sa *sa, u32 low)
{
	u32 top_low, top_high, bottom;

	spin_lock(&sa->esn_lock);
	top_low = lower_32_bits(sa->esn_top);
	top_high = upper_32_bits(sa->esn_top);
	spin_unlock(&sa->esn_lock);
	bottom = top_low - sa->esn_window + 1;
	if (top_low >= sa->esn_window - 1)
		top_high += low < bottom;
	else
		top_high -= low >= bottom;
	return (u64)top_high << 32 | low;
}

/* simnic_esn_sync - @seq was authenticated, here or in software. */
void simnic_esn_sync(struct simnic_sa *sa, u64 seq)
{
	spin_lock_bh(&sa->esn_lock);
	if (seq > sa->esn_top)
		sa->esn_top = seq;
	spin_unlock_bh(&sa->esn_lock);
}

/* Octets of payload of a decrypted packet (@text: plaintext, trailer, ICV), or -1 if the trailer is nonsense.
 */
static int simnic_payload(const u8 *text, int len)
{
	int payload = len - SIMNIC_ICV_LEN - 2 - text[len - SIMNIC_ICV_LEN - 2];

	return payload < 0 ? -1 : payload;
}

static int simnic_mark(struct sk_buff *skb, struct simnic_sa *sa, u32 status)
{
	struct sec_path *sp = secpath_set(skb);
	struct xfrm_offload *xo;

	/* The state may be dying: its last reference gone, its memory not yet, since we are in RCU. */
	if (!sp || !refcount_inc_not_zero(&sa->x->refcnt)) {
		secpath_reset(skb);
		return -ENOENT;
	}
	sp->xvec[sp->len++] = sa->x;
	sp->olen++;
	xo = xfrm_offload(skb);
	xo->flags = CRYPTO_DONE;
	xo->status = status;
	return 0;
}

static u32 simnic_auth_failed(const struct simnic_sa *sa)
{
	return sa->mode == XFRM_MODE_TUNNEL ? CRYPTO_TUNNEL_ESP_AUTH_FAILED
	                                    : CRYPTO_TRANSPORT_ESP_AUTH_FAILED;
}

/* Decrypts in place; returns the status for the stack and counts what went well. */
static u32 simnic_open_packet(struct simnic_dev *nic, struct simnic_sa *sa, const struct simnic_esp *esp,
                              u8 *head)
{
	u8 *text = head + SIMNIC_ESP_HEAD;
	int len = esp->length - SIMNIC_ESP_HEAD;
	u64 seq = ntohl(esp->seq);
	int err, payload;

	if (sa->esn)
		seq = simnic_esn_guess(sa, seq);
	if (simnic_fault_due(&nic->fault.rx_icv_seen, READ_ONCE(nic->fault.knob.rx_corrupt))) {
		text[len - 1] ^= 0x55;
		simnic_count(nic, SIMNIC_FAULT_ICV_CORRUPTED, 1);
	}
	err = simnic_gcm(sa, false, seq, head + sizeof(struct ip_esp_hdr), text, len);
	if (err == -EBADMSG) {
		simnic_count(nic, SIMNIC_HW_RX_ICV_FAIL, 1);
		return simnic_auth_failed(sa);
	}
	if (err)
		return CRYPTO_GENERIC_ERROR;
	payload = simnic_payload(text, len);
	if (payload < 0)
		return CRYPTO_INVALID_PACKET_SYNTAX;
	if (sa->esn)
		simnic_esn_sync(sa, seq);
	simnic_count(nic, SIMNIC_HW_RX_PACKETS, 1);
	simnic_count(nic, SIMNIC_HW_RX_BYTES, payload);
	simnic_sa_count(sa, payload);
	return CRYPTO_SUCCESS;
}

static struct sk_buff *simnic_lose_rx(struct simnic_dev *nic, struct sk_buff *skb)
{
	dev_core_stats_rx_dropped_inc(nic->dev);
	kfree_skb(skb);
	return NULL;
}

/* Packet mode: the stack sees neither the ESP header nor what is wrong; what is wrong ends here. */
static struct sk_buff *simnic_receive_packet(struct simnic_dev *nic, struct simnic_sa *sa,
                                             const struct simnic_esp *esp, struct sk_buff *skb)
{
	u64 seq = sa->esn ? simnic_esn_guess(sa, ntohl(esp->seq)) : ntohl(esp->seq);
	const u8 *text = skb->data + esp->offset + SIMNIC_ESP_HEAD;
	int len = esp->length - SIMNIC_ESP_HEAD;
	u32 status;

	if (!simnic_replay_ok(sa, seq)) {
		simnic_count(nic, SIMNIC_RX_PACKET_REPLAY, 1);
		atomic64_inc(&sa->fresh_replayed);
		return simnic_lose_rx(nic, skb);
	}
	status = simnic_open_packet(nic, sa, esp, skb->data + esp->offset);
	if (status != CRYPTO_SUCCESS) {
		if (status == simnic_auth_failed(sa))
			atomic64_inc(&sa->fresh_icv_failed);
		return simnic_lose_rx(nic, skb);
	}
	simnic_replay_advance(sa, seq);
	if (simnic_decapsulate(nic, skb, sa, esp, simnic_payload(text, len),
	                       text[len - SIMNIC_ICV_LEN - 1]) ||
	    simnic_mark(skb, sa, CRYPTO_SUCCESS))
		return simnic_lose_rx(nic, skb);
	return skb;
}

/* simnic_decrypt - decrypts a frame (Ethernet header at skb->data) if it is for one of this device's SAs.
 * Returns the frame to pass up, or NULL if it was lost. In RCU-bh.
 */
struct sk_buff *simnic_decrypt(struct simnic_dev *nic, struct sk_buff *skb)
{
	const struct simnic_fault *fault = &nic->fault.knob;
	struct simnic_sa *sa = NULL;
	struct simnic_esp esp;
	enum simnic_kind kind = simnic_parse(skb, &esp);
	u32 status;

	if (kind == SIMNIC_PLAIN)
		return simnic_plain_ok(nic, skb) ? skb : simnic_lose_rx(nic, skb);
	if (kind == SIMNIC_ESP)
		sa = simnic_rx_sa(nic, &esp);
	if (sa && !sa->packet && !(nic->dev->features & NETIF_F_HW_ESP))
		sa = NULL;
	if (sa && READ_ONCE(fault->drop_all)) {
		simnic_count(nic, SIMNIC_FAULT_RX_DROPPED, 1);
		return simnic_lose_rx(nic, skb);
	}
	if (sa && !sa->packet && simnic_fault_due(&nic->fault.rx_seen, READ_ONCE(fault->rx_skip))) {
		simnic_count(nic, SIMNIC_FAULT_RX_SKIPPED, 1);
		sa = NULL;
	}
	if (!sa) {
		simnic_count(nic, SIMNIC_SW_RX_ESP, 1);
		return skb;
	}
	if (skb_linearize(skb) || skb_cow(skb, 0))
		return simnic_lose_rx(nic, skb);
	skb->ip_summed = CHECKSUM_NONE; /* the stack checks what is inside by itself */
	if (sa->packet)
		return simnic_receive_packet(nic, sa, &esp, skb);
	status = simnic_open_packet(nic, sa, &esp, skb->data + esp.offset);
	if (simnic_mark(skb, sa, status))
		return simnic_lose_rx(nic, skb);
	return skb;
}
