// SPDX-License-Identifier: GPL-2.0-only
/* Offloaded policies: what the stack asks the device to hold, and which one a packet meets. */
#include <linux/icmpv6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/slab.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/ndisc.h>

#include "simnic.h"

/* How long a deleted policy still catches packets that are under way to the device. */
#define SIMNIC_LINGER HZ

static int simnic_check_policy(struct simnic_dev *nic, struct xfrm_policy *xp, struct netlink_ext_ack *extack)
{
	u8 proto = xp->selector.proto;

	if (!(READ_ONCE(nic->modes) & SIMNIC_MODE_PACKET))
		return simnic_refuse(extack, "Packet offload mode is not supported");
	if (xp->type != XFRM_POLICY_TYPE_MAIN)
		return simnic_refuse(extack, "Cannot offload non-main policy types");
	if (xp->xfrm_nr > 1)
		return simnic_refuse(extack, "Cannot offload more than one template");
	if (xp->xdo.dir != XFRM_DEV_OFFLOAD_IN && xp->xdo.dir != XFRM_DEV_OFFLOAD_OUT)
		return simnic_refuse(extack, "Cannot offload forward policy");
	if (xp->xfrm_nr && !xp->xfrm_vec[0].reqid)
		return simnic_refuse(extack, "Cannot offload policy with reqid 0");
	if (proto && proto != IPPROTO_TCP && proto != IPPROTO_UDP)
		return simnic_refuse(extack, "Device does not support upper protocol other than TCP/UDP");
	/* The stack looks for the route to the outer address in the inner family: such packets never get
	 * here. */
	if (xp->xfrm_nr && xp->xfrm_vec[0].mode == XFRM_MODE_TUNNEL &&
	    xp->xfrm_vec[0].encap_family != xp->selector.family)
		return simnic_refuse(extack, "Cannot offload policy between address families");
	return 0;
}

/* simnic_policy_add - may sleep. */
int simnic_policy_add(struct xfrm_policy *xp, struct netlink_ext_ack *extack)
{
	struct simnic_dev *nic = netdev_priv(xp->xdo.dev);
	struct simnic_policy *policy, *each;
	struct list_head *before;
	int err;

	err = simnic_check_policy(nic, xp, extack);
	if (err) {
		simnic_count(nic, SIMNIC_REFUSED, 1);
		return err;
	}
	policy = kzalloc(sizeof(*policy), GFP_KERNEL);
	if (!policy)
		return -ENOMEM;
	policy->xp = xp;
	policy->sel = xp->selector;
	policy->priority = xp->priority;
	policy->dir = xp->xdo.dir;
	policy->block = xp->action == XFRM_POLICY_BLOCK;
	policy->has_template = xp->xfrm_nr != 0;
	if (policy->has_template) {
		const struct xfrm_tmpl *template = &xp->xfrm_vec[0];

		policy->mode = template->mode;
		policy->reqid = template->reqid;
		policy->family = template->encap_family;
		policy->src = template->saddr;
		policy->dst = template->id.daddr;
	}
	spin_lock_bh(&nic->sa_lock);
	before = &nic->policies;
	list_for_each_entry(each, &nic->policies, list)
	{
		if (each->priority >= policy->priority) {
			before = &each->list;
			break;
		}
	}
	list_add_tail_rcu(&policy->list, before);
	spin_unlock_bh(&nic->sa_lock);
	xp->xdo.offload_handle = (unsigned long)policy;
	return 0;
}

/* simnic_policy_delete - it is no longer in force; atomic context. */
void simnic_policy_delete(struct xfrm_policy *xp)
{
	struct simnic_policy *policy = (struct simnic_policy *)xp->xdo.offload_handle;

	WRITE_ONCE(policy->deleted, jiffies ?: 1);
}

/* simnic_policy_free - the stack has let go of it, and no packet of it is under way any more. */
void simnic_policy_free(struct xfrm_policy *xp)
{
	struct simnic_policy *policy = (struct simnic_policy *)xp->xdo.offload_handle;
	struct simnic_dev *nic = netdev_priv(xp->xdo.dev);

	spin_lock_bh(&nic->sa_lock);
	list_del_rcu(&policy->list);
	spin_unlock_bh(&nic->sa_lock);
	kfree_rcu(policy, rcu);
}

static bool simnic_is_ndisc(const struct sk_buff *skb, unsigned int offset)
{
	u8 buffer, *type = skb_header_pointer(skb, offset, 1, &buffer);

	return type && *type >= NDISC_ROUTER_SOLICITATION && *type <= NDISC_REDIRECT;
}

static void simnic_flow_ports(const struct sk_buff *skb, unsigned int offset, struct simnic_flow *flow)
{
	__be16 buffer[2], *ports;

	flow->exempt =
		flow->proto == IPPROTO_ESP || (flow->proto == IPPROTO_ICMPV6 && simnic_is_ndisc(skb, offset));
	if (flow->proto != IPPROTO_TCP && flow->proto != IPPROTO_UDP)
		return;
	ports = skb_header_pointer(skb, offset, sizeof(buffer), buffer);
	if (!ports)
		return;
	flow->has_ports = true;
	flow->sport = ports[0];
	flow->dport = ports[1];
}

/* simnic_flow_read - what policies look at, of the IP packet at @offset from skb->data; false: no IP. */
bool simnic_flow_read(const struct sk_buff *skb, unsigned int offset, __be16 protocol,
                      struct simnic_flow *flow)
{
	memset(flow, 0, sizeof(*flow));
	if (protocol == htons(ETH_P_IP)) {
		struct iphdr buffer, *ip = skb_header_pointer(skb, offset, sizeof(buffer), &buffer);

		if (!ip || ip->version != 4)
			return false;
		flow->family = AF_INET;
		flow->proto = ip->protocol;
		flow->src.a4 = ip->saddr;
		flow->dst.a4 = ip->daddr;
		if (ip->frag_off & htons(IP_OFFSET))
			flow->exempt = ip->protocol == IPPROTO_ESP;
		else
			simnic_flow_ports(skb, offset + ip->ihl * 4, flow);
		return true;
	}
	if (protocol == htons(ETH_P_IPV6)) {
		struct ipv6hdr buffer, *ip = skb_header_pointer(skb, offset, sizeof(buffer), &buffer);
		__be16 fragment = 0;
		int at;

		if (!ip || ip->version != 6)
			return false;
		flow->family = AF_INET6;
		flow->proto = ip->nexthdr;
		flow->src.in6 = ip->saddr;
		flow->dst.in6 = ip->daddr;
		at = ipv6_skip_exthdr(skb, offset + sizeof(*ip), &flow->proto, &fragment);
		if (at >= 0 && !(fragment & htons(IP6_OFFSET)))
			simnic_flow_ports(skb, at, flow);
		else
			flow->exempt = flow->proto == IPPROTO_ESP;
		return true;
	}
	return false;
}

static bool simnic_port_match(__be16 wanted, __be16 mask, __be16 port)
{
	return !((wanted ^ port) & mask);
}

static bool simnic_selector_match(const struct xfrm_selector *sel, const struct simnic_flow *flow)
{
	if (sel->family != flow->family || (sel->proto && sel->proto != flow->proto))
		return false;
	if (flow->family == AF_INET) {
		if (!addr4_match(flow->src.a4, sel->saddr.a4, sel->prefixlen_s) ||
		    !addr4_match(flow->dst.a4, sel->daddr.a4, sel->prefixlen_d))
			return false;
	} else if (!addr_match(&flow->src, &sel->saddr, sel->prefixlen_s) ||
	           !addr_match(&flow->dst, &sel->daddr, sel->prefixlen_d)) {
		return false;
	}
	/* A fragment without ports is taken for one of the flow: rather protected than in the clear. */
	return !flow->has_ports || (simnic_port_match(sel->sport, sel->sport_mask, flow->sport) &&
	                            simnic_port_match(sel->dport, sel->dport_mask, flow->dport));
}

/* simnic_policy_match - the policy a packet meets, or NULL. Under RCU. */
struct simnic_policy *simnic_policy_match(struct simnic_dev *nic, u8 dir, const struct simnic_flow *flow)
{
	struct simnic_policy *policy, *late = NULL;

	if (flow->exempt)
		return NULL;
	list_for_each_entry_rcu(policy, &nic->policies, list)
	{
		unsigned long deleted = READ_ONCE(policy->deleted);

		if (policy->dir != dir || !simnic_selector_match(&policy->sel, flow))
			continue;
		if (!deleted)
			return policy;
		if (!late && time_before(jiffies, deleted + SIMNIC_LINGER))
			late = policy;
	}
	return dir == XFRM_DEV_OFFLOAD_OUT ? late : NULL;
}
