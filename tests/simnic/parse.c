// SPDX-License-Identifier: GPL-2.0-only
/* Finds ESP in a frame, as hardware would: a short look at fixed places. */
#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <net/ip.h>
#include <net/ipv6.h>

#include "simnic.h"

#define SIMNIC_NATT_PORT 4500 /* RFC 3948 */

/* ESP in UDP: port 4500 and no non-ESP marker (four zero octets) and more than a keepalive. */
static bool simnic_is_natt(const struct sk_buff *skb, unsigned int offset)
{
	struct {
		struct udphdr udp;
		__be32 spi;
	} buffer, *head;

	head = skb_header_pointer(skb, offset, sizeof(buffer), &buffer);
	if (!head)
		return false;
	return (head->udp.dest == htons(SIMNIC_NATT_PORT) || head->udp.source == htons(SIMNIC_NATT_PORT)) &&
	       head->spi != 0;
}

static enum simnic_kind simnic_parse4(const struct sk_buff *skb, unsigned int offset, struct simnic_esp *esp)
{
	struct iphdr buffer, *ip = skb_header_pointer(skb, offset, sizeof(buffer), &buffer);
	unsigned int total;

	if (!ip || ip->version != 4 || ip->ihl < 5)
		return SIMNIC_PLAIN;
	if (ip->frag_off & htons(IP_OFFSET))
		return SIMNIC_PLAIN; /* its first fragment was counted */
	if (ip->protocol == IPPROTO_UDP)
		return simnic_is_natt(skb, offset + ip->ihl * 4) ? SIMNIC_ESP_OTHER : SIMNIC_PLAIN;
	if (ip->protocol != IPPROTO_ESP)
		return SIMNIC_PLAIN;
	total = ntohs(ip->tot_len);
	if (ip->frag_off & htons(IP_MF) || total < ip->ihl * 4 || offset + total > skb->len)
		return SIMNIC_ESP_OTHER;
	esp->family = AF_INET;
	esp->daddr.a4 = ip->daddr;
	esp->offset = offset + ip->ihl * 4;
	esp->length = total - ip->ihl * 4;
	return SIMNIC_ESP;
}

static enum simnic_kind simnic_parse6(const struct sk_buff *skb, unsigned int offset, struct simnic_esp *esp)
{
	struct ipv6hdr buffer, *ip = skb_header_pointer(skb, offset, sizeof(buffer), &buffer);
	unsigned int behind = offset + sizeof(*ip);
	__be16 fragment = 0;
	u8 next;
	int at;

	if (!ip || ip->version != 6)
		return SIMNIC_PLAIN;
	if (ip->nexthdr == IPPROTO_ESP && behind + ntohs(ip->payload_len) <= skb->len) {
		esp->family = AF_INET6;
		memcpy(&esp->daddr.a6, &ip->daddr, sizeof(ip->daddr));
		esp->offset = behind;
		esp->length = ntohs(ip->payload_len);
		return SIMNIC_ESP;
	}
	next = ip->nexthdr;
	at = ipv6_skip_exthdr(skb, behind, &next, &fragment);
	if (at < 0 || fragment & htons(IP6_OFFSET))
		return SIMNIC_PLAIN;
	if (next == IPPROTO_ESP || (next == IPPROTO_UDP && simnic_is_natt(skb, at)))
		return SIMNIC_ESP_OTHER;
	return SIMNIC_PLAIN;
}

/* simnic_parse - classifies a frame whose Ethernet header is at skb->data; fills *esp for SIMNIC_ESP. */
enum simnic_kind simnic_parse(const struct sk_buff *skb, struct simnic_esp *esp)
{
	const struct ethhdr *eth = (const struct ethhdr *)skb->data;
	unsigned int offset = ETH_HLEN;
	struct ip_esp_hdr buffer, *head;
	enum simnic_kind kind;
	bool vlan = false;
	__be16 type;

	if (skb_headlen(skb) < ETH_HLEN)
		return SIMNIC_PLAIN;
	type = eth->h_proto;
	while (eth_type_vlan(type)) {
		struct vlan_hdr tag_buffer, *tag;

		tag = skb_header_pointer(skb, offset, sizeof(tag_buffer), &tag_buffer);
		if (!tag)
			return SIMNIC_PLAIN;
		type = tag->h_vlan_encapsulated_proto;
		offset += VLAN_HLEN;
		vlan = true;
	}
	if (type == htons(ETH_P_IP))
		kind = simnic_parse4(skb, offset, esp);
	else if (type == htons(ETH_P_IPV6))
		kind = simnic_parse6(skb, offset, esp);
	else
		return SIMNIC_PLAIN;
	if (kind != SIMNIC_ESP)
		return kind;
	head = skb_header_pointer(skb, esp->offset, sizeof(buffer), &buffer);
	if (vlan || !head || esp->length < SIMNIC_ESP_HEAD + 2 + SIMNIC_ICV_LEN)
		return SIMNIC_ESP_OTHER;
	esp->spi = head->spi;
	esp->seq = head->seq_no;
	return SIMNIC_ESP;
}
