// SPDX-License-Identifier: GPL-2.0-only
/* Packet mode, transmit: the stack hands over the packet as it is, without a word of the SA it chose. The
 * device looks for the policy by itself, then for the newest SA of its reqid, and puts the headers on.
 */
#include <linux/etherdevice.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <net/dsfield.h>
#include <net/dst.h>
#include <net/gso.h>
#include <net/ip.h>
#include <net/neighbour.h>

#include "simnic.h"

static struct simnic_sa *simnic_packet_sa(struct simnic_dev *nic, const struct simnic_policy *policy,
                                          const struct simnic_flow *flow)
{
	const bool tunnel = policy->mode == XFRM_MODE_TUNNEL;
	const xfrm_address_t *src = tunnel ? &policy->src : &flow->src;
	const xfrm_address_t *dst = tunnel ? &policy->dst : &flow->dst;
	struct simnic_sa *sa;

	list_for_each_entry_rcu(sa, &nic->packet_sas,
	                        of_packets) if (sa->reqid == policy->reqid && sa->mode == policy->mode &&
	                                        sa->family == flow->family &&
	                                        simnic_same_address(sa->family, &sa->src, src) &&
	                                        simnic_same_address(sa->family, &sa->dst, dst)) return sa;
	return NULL;
}

/* The Ethernet header: a forwarded packet has none of worth, and one sent from here that of the next hop. The
 * route that the stack leaves with the packet is the one to the tunnel's end.
 */
static int simnic_next_hop(struct simnic_dev *nic, struct sk_buff *skb, const struct simnic_sa *sa,
                           u8 *address)
{
	struct dst_entry *dst = skb_dst(skb);
	struct neighbour *neighbour;
	int err = -EHOSTUNREACH;

	if (!dst)
		return -EHOSTUNREACH;
	neighbour = dst_neigh_lookup(dst, &sa->dst);
	if (IS_ERR_OR_NULL(neighbour))
		return -EHOSTUNREACH;
	/* Resolves it, or keeps it fresh. */
	neigh_event_send(neighbour, NULL);
	if (neighbour->dev == nic->dev && READ_ONCE(neighbour->nud_state) & NUD_VALID) {
		neigh_ha_snapshot(address, neighbour, nic->dev);
		err = 0;
	}
	neigh_release(neighbour);
	return err;
}

static void simnic_outer4(struct sk_buff *skb, const struct simnic_sa *sa, u8 tos, bool df)
{
	static atomic_t id = ATOMIC_INIT(0);
	struct iphdr *ip = ip_hdr(skb);

	memset(ip, 0, sizeof(*ip));
	ip->version = 4;
	ip->ihl = 5;
	ip->tos = tos;
	ip->frag_off = df ? htons(IP_DF) : 0;
	ip->id = df ? 0 : htons(atomic_inc_return(&id));
	ip->ttl = 64;
	ip->protocol = IPPROTO_ESP;
	ip->saddr = sa->src.a4;
	ip->daddr = sa->dst.a4;
}

static void simnic_outer6(struct sk_buff *skb, const struct simnic_sa *sa, u8 tos)
{
	struct ipv6hdr *ip = ipv6_hdr(skb);

	memset(ip, 0, sizeof(*ip));
	ip6_flow_hdr(ip, tos, 0);
	ip->nexthdr = IPPROTO_ESP;
	ip->hop_limit = 64;
	ip->saddr = sa->src.in6;
	ip->daddr = sa->dst.in6;
}

/* Puts outer header and ESP header in front of the IP packet at @at. */
static void simnic_wrap_tunnel(struct simnic_dev *nic, struct sk_buff *skb, struct simnic_tx *tx,
                               unsigned int at, const u8 *next_hop)
{
	const bool four = tx->sa->family == AF_INET;
	unsigned int outer = four ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	struct ethhdr *eth;
	bool df = false;
	u8 tos;

	if (skb->protocol == htons(ETH_P_IP)) {
		tos = ip_hdr(skb)->tos;
		df = ip_hdr(skb)->frag_off & htons(IP_DF) && tx->sa->copy_df;
		tx->next_header = IPPROTO_IPIP;
	} else {
		tos = ipv6_get_dsfield(ipv6_hdr(skb));
		tx->next_header = IPPROTO_IPV6;
	}
	skb_pull(skb, at);
	skb_push(skb, outer + SIMNIC_ESP_HEAD);
	skb_reset_network_header(skb);
	skb_set_transport_header(skb, outer);
	if (four)
		simnic_outer4(skb, tx->sa, tos, df);
	else
		simnic_outer6(skb, tx->sa, tos);
	skb->protocol = four ? htons(ETH_P_IP) : htons(ETH_P_IPV6);
	eth = skb_push(skb, ETH_HLEN);
	skb_reset_mac_header(skb);
	ether_addr_copy(eth->h_dest, next_hop);
	ether_addr_copy(eth->h_source, nic->dev->dev_addr);
	eth->h_proto = skb->protocol;
	tx->offset = ETH_HLEN + outer;
}

/* Puts the ESP header behind the IP header at @at. */
static void simnic_wrap_transport(struct sk_buff *skb, struct simnic_tx *tx, unsigned int at)
{
	const bool four = tx->sa->family == AF_INET;
	unsigned int header = four ? ip_hdrlen(skb) : sizeof(struct ipv6hdr);

	skb_push(skb, SIMNIC_ESP_HEAD);
	memmove(skb->data, skb->data + SIMNIC_ESP_HEAD, at + header);
	skb_reset_mac_header(skb);
	skb_set_network_header(skb, at);
	skb_set_transport_header(skb, at + header);
	if (four) {
		tx->next_header = ip_hdr(skb)->protocol;
		ip_hdr(skb)->protocol = IPPROTO_ESP;
	} else {
		tx->next_header = ipv6_hdr(skb)->nexthdr;
		ipv6_hdr(skb)->nexthdr = IPPROTO_ESP;
	}
	tx->offset = at + header;
}

/* Linear, with room in front and behind, and its checksums done. */
static int simnic_prepare(struct sk_buff *skb)
{
	unsigned int head = sizeof(struct ipv6hdr) + SIMNIC_ESP_HEAD + ETH_HLEN;

	if (skb->ip_summed == CHECKSUM_PARTIAL && skb_checksum_help(skb))
		return -EINVAL;
	if (skb_linearize(skb))
		return -ENOMEM;
	if (skb_cloned(skb) || skb_headroom(skb) < head)
		return pskb_expand_head(skb, head, 64, GFP_ATOMIC);
	return 0;
}

static void simnic_send_packet(struct simnic_dev *nic, struct sk_buff *skb, struct simnic_sa *sa)
{
	unsigned int at = skb_network_offset(skb);
	struct simnic_tx tx = {.sa = sa};
	struct ip_esp_hdr *head;
	u8 next_hop[ETH_ALEN];

	if (simnic_prepare(skb)) {
		simnic_lose(nic, skb, SIMNIC_WIRE_DROPPED);
		return;
	}
	if (sa->mode == XFRM_MODE_TUNNEL && simnic_next_hop(nic, skb, sa, next_hop)) {
		simnic_lose(nic, skb, SIMNIC_TX_PACKET_NO_NEIGHBOUR);
		return;
	}
	tx.seq = atomic64_inc_return(&sa->seq);
	if (simnic_sa_spent(sa) || (!sa->esn && tx.seq > U32_MAX)) {
		simnic_lose(nic, skb, SIMNIC_TX_PACKET_EXPIRED);
		return;
	}
	if (sa->mode == XFRM_MODE_TUNNEL)
		simnic_wrap_tunnel(nic, skb, &tx, at, next_hop);
	else
		simnic_wrap_transport(skb, &tx, at);
	head = (struct ip_esp_hdr *)(skb->data + tx.offset);
	head->spi = sa->spi;
	if (simnic_complete(skb, &tx))
		simnic_lose(nic, skb, SIMNIC_WIRE_DROPPED);
	else if (skb->len - ETH_HLEN > READ_ONCE(nic->dev->mtu))
		simnic_lose(nic, skb, SIMNIC_TX_PACKET_TOO_BIG);
	else
		simnic_send_esp(nic, skb, &tx);
}

static void simnic_send_segments(struct simnic_dev *nic, struct sk_buff *skb, struct simnic_sa *sa)
{
	struct sk_buff *list = skb_gso_segment(skb, 0), *segment, *next;

	if (IS_ERR_OR_NULL(list)) {
		simnic_lose(nic, skb, SIMNIC_WIRE_DROPPED);
		return;
	}
	simnic_count(nic, SIMNIC_TX_SEGMENTED, 1);
	skb_list_walk_safe(list, segment, next)
	{
		skb_mark_not_on_list(segment);
		/* Segmentation leaves the route with the whole. */
		if (!skb_dst(segment))
			skb_dst_copy(segment, skb);
		simnic_send_packet(nic, segment, sa);
	}
	consume_skb(skb);
}

/* simnic_xmit_packet - sends a packet that meets an offloaded policy, or loses it; false: it meets none that
 * changes it, and is still there. In RCU.
 */
bool simnic_xmit_packet(struct simnic_dev *nic, struct sk_buff *skb)
{
	struct simnic_policy *policy;
	struct simnic_flow flow;
	struct simnic_sa *sa;

	if (list_empty(&nic->policies) || skb_network_offset(skb) != ETH_HLEN ||
	    !simnic_flow_read(skb, ETH_HLEN, skb->protocol, &flow))
		return false;
	policy = simnic_policy_match(nic, XFRM_DEV_OFFLOAD_OUT, &flow);
	if (!policy || (!policy->block && !policy->has_template))
		return false;
	if (policy->block) {
		simnic_lose(nic, skb, SIMNIC_TX_PACKET_BLOCKED);
		return true;
	}
	sa = simnic_packet_sa(nic, policy, &flow);
	if (!sa)
		simnic_lose(nic, skb, SIMNIC_TX_PACKET_NO_SA);
	else if (skb_is_gso(skb))
		simnic_send_segments(nic, skb, sa);
	else
		simnic_send_packet(nic, skb, sa);
	return true;
}
