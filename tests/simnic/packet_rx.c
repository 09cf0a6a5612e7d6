// SPDX-License-Identifier: GPL-2.0-only
/* Packet mode, receive: replay window, headers taken off, and the inbound policy. The stack asks no policy of
 * its own of a packet that carries the sec_path of a packet-mode SA (__xfrm_policy_check2), so this is the
 * place.
 */
#include <linux/etherdevice.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <net/ip.h>

#include "simnic.h"

/* simnic_replay_ok - neither seen nor too old (RFC 4303, section 3.4.3). */
bool simnic_replay_ok(struct simnic_sa *sa, u64 seq)
{
	bool ok;

	if (!sa->window)
		return true;
	spin_lock(&sa->esn_lock);
	ok = seq && (seq > sa->replay_top ||
	             (sa->replay_top - seq < sa->window && !test_bit(seq % SIMNIC_MAX_WINDOW, sa->replay)));
	spin_unlock(&sa->esn_lock);
	return ok;
}

/* simnic_replay_advance - @seq was authenticated. */
void simnic_replay_advance(struct simnic_sa *sa, u64 seq)
{
	u64 each;

	if (!sa->window)
		return;
	spin_lock(&sa->esn_lock);
	if (seq > sa->replay_top) {
		if (seq - sa->replay_top >= SIMNIC_MAX_WINDOW)
			bitmap_zero(sa->replay, SIMNIC_MAX_WINDOW);
		else
			for (each = sa->replay_top + 1; each <= seq; each++)
				clear_bit(each % SIMNIC_MAX_WINDOW, sa->replay);
		sa->replay_top = seq;
	}
	set_bit(seq % SIMNIC_MAX_WINDOW, sa->replay);
	spin_unlock(&sa->esn_lock);
}

static void simnic_unwrap_tunnel(struct sk_buff *skb, const struct simnic_esp *esp, unsigned int payload,
                                 __be16 type)
{
	struct ethhdr was = *(struct ethhdr *)skb->data;
	struct ethhdr *eth;

	skb_pull(skb, esp->offset + SIMNIC_ESP_HEAD);
	skb_trim(skb, payload);
	eth = skb_push(skb, ETH_HLEN);
	*eth = was;
	eth->h_proto = type;
}

static void simnic_unwrap_transport(struct sk_buff *skb, const struct simnic_esp *esp, unsigned int payload,
                                    u8 next_header)
{
	memmove(skb->data + SIMNIC_ESP_HEAD, skb->data, esp->offset);
	skb_pull(skb, SIMNIC_ESP_HEAD);
	skb_trim(skb, esp->offset + payload);
	if (esp->family == AF_INET) {
		struct iphdr *ip = (struct iphdr *)(skb->data + ETH_HLEN);

		ip->protocol = next_header;
		ip->tot_len = htons(esp->offset - ETH_HLEN + payload);
		ip_send_check(ip);
	} else {
		struct ipv6hdr *ip = (struct ipv6hdr *)(skb->data + ETH_HLEN);

		ip->nexthdr = next_header;
		ip->payload_len = htons(payload);
	}
}

/* The policy for what was inside: of the SA's reqid, or none at all. */
static bool simnic_inside_ok(struct simnic_dev *nic, const struct sk_buff *skb, const struct simnic_sa *sa)
{
	const struct ethhdr *eth = (const struct ethhdr *)skb->data;
	struct simnic_policy *policy;
	struct simnic_flow flow;

	if (!simnic_flow_read(skb, ETH_HLEN, eth->h_proto, &flow))
		return false;
	policy = simnic_policy_match(nic, XFRM_DEV_OFFLOAD_IN, &flow);
	return !policy || (!policy->block && (!policy->has_template || policy->reqid == sa->reqid));
}

/* simnic_decapsulate - takes the headers off a decrypted packet; 0, or a negative errno: it is to be dropped.
 */
int simnic_decapsulate(struct simnic_dev *nic, struct sk_buff *skb, const struct simnic_sa *sa,
                       const struct simnic_esp *esp, unsigned int payload, u8 next_header)
{
	if (sa->mode == XFRM_MODE_TRANSPORT) {
		simnic_unwrap_transport(skb, esp, payload, next_header);
	} else if (next_header == IPPROTO_IPIP || next_header == IPPROTO_IPV6) {
		simnic_unwrap_tunnel(skb, esp, payload,
		                     next_header == IPPROTO_IPIP ? htons(ETH_P_IP) : htons(ETH_P_IPV6));
	} else {
		simnic_count(nic, SIMNIC_RX_PACKET_INVALID, 1);
		return -EINVAL;
	}
	if (simnic_inside_ok(nic, skb, sa))
		return 0;
	simnic_count(nic, SIMNIC_RX_PACKET_POLICY, 1);
	return -EPERM;
}

/* simnic_plain_ok - a packet that came in the clear. Where an offloaded policy wants ESP it is not passed up:
 * the stack takes a packet without sec_path for checked by the device.
 */
bool simnic_plain_ok(struct simnic_dev *nic, const struct sk_buff *skb)
{
	const struct ethhdr *eth = (const struct ethhdr *)skb->data;
	struct simnic_policy *policy;
	struct simnic_flow flow;

	if (list_empty(&nic->policies) || skb_headlen(skb) < ETH_HLEN ||
	    !simnic_flow_read(skb, ETH_HLEN, eth->h_proto, &flow))
		return true;
	policy = simnic_policy_match(nic, XFRM_DEV_OFFLOAD_IN, &flow);
	if (!policy || (!policy->block && !policy->has_template))
		return true;
	simnic_count(nic, SIMNIC_RX_PACKET_PLAIN, 1);
	return false;
}
