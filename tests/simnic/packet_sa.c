// SPDX-License-Identifier: GPL-2.0-only
/* Packet mode's SAs: what is refused, what the stack is told of packets it never saw, and when an SA is used
 * up. */
#include <linux/slab.h>

#include "simnic.h"

static u32 simnic_window_of(const struct xfrm_state *x)
{
	return x->replay_esn ? x->replay_esn->replay_window : x->props.replay_window;
}

/* simnic_check_packet - what is refused in packet mode beyond crypto mode's. */
int simnic_check_packet(struct simnic_dev *nic, struct xfrm_state *x, struct netlink_ext_ack *extack)
{
	const struct xfrm_lifetime_cfg *lft = &x->lft;

	if (x->sel.proto && x->sel.proto != IPPROTO_UDP && x->sel.proto != IPPROTO_TCP)
		return simnic_refuse(extack, "Device does not support upper protocol other than TCP/UDP");
	if (x->xso.dir == XFRM_DEV_OFFLOAD_IN) {
		switch (simnic_window_of(x)) {
		case 32:
		case 64:
		case 128:
		case 256:
			break;
		default:
			return simnic_refuse(extack, "Unsupported replay window size");
		}
	}
	if (!x->props.reqid)
		return simnic_refuse(extack, "Cannot offload without reqid");
	if (lft->soft_byte_limit >= lft->hard_byte_limit && lft->hard_byte_limit != XFRM_INF)
		return simnic_refuse(extack, "Hard byte limit must be greater than soft one");
	if (!lft->soft_byte_limit || !lft->hard_byte_limit)
		return simnic_refuse(extack, "Soft/hard byte limits can't be 0");
	if (lft->soft_packet_limit >= lft->hard_packet_limit && lft->hard_packet_limit != XFRM_INF)
		return simnic_refuse(extack, "Hard packet limit must be greater than soft one");
	if (!lft->soft_packet_limit || !lft->hard_packet_limit)
		return simnic_refuse(extack, "Soft/hard packet limits can't be 0");
	return 0;
}

/* simnic_packet_init - the rest of a new SA in packet mode. */
void simnic_packet_init(struct simnic_sa *sa, const struct xfrm_state *x)
{
	const struct xfrm_replay_state_esn *esn = x->replay_esn;
	u64 sent = esn ? (u64)esn->oseq_hi << 32 | esn->oseq : x->replay.oseq;

	sa->packet = true;
	sa->copy_df = !(x->props.flags & XFRM_STATE_NOPMTUDISC);
	sa->reqid = x->props.reqid;
	atomic64_set(&sa->seq, sent);
	sa->window = sa->dir == XFRM_DEV_OFFLOAD_IN ? simnic_window_of(x) : 0;
	sa->esn_window = sa->window;
	sa->esn_top = esn ? (u64)esn->seq_hi << 32 | esn->seq : x->replay.seq;
	sa->replay_top = sa->esn_top;
	sa->soft_packets = x->lft.soft_packet_limit;
	sa->hard_packets = x->lft.hard_packet_limit;
	sa->soft_bytes = x->lft.soft_byte_limit;
	sa->hard_bytes = x->lft.hard_byte_limit;
}

struct simnic_limit {
	struct work_struct work;
	struct xfrm_state *x; /* held */
};

static void simnic_limit_reached(struct work_struct *work)
{
	struct simnic_limit *limit = container_of(work, struct simnic_limit, work);
	struct xfrm_state *x = limit->x;

	spin_lock_bh(&x->lock);
	if (x->km.state == XFRM_STATE_VALID) {
		rcu_read_lock();
		simnic_update_stats(x);
		rcu_read_unlock();
		xfrm_state_check_expire(x);
	}
	spin_unlock_bh(&x->lock);
	xfrm_state_put(x);
	kfree(limit);
}

static void simnic_tell_limit(struct simnic_sa *sa, unsigned int which)
{
	struct simnic_limit *limit;

	if (test_and_set_bit(which, &sa->told))
		return;
	limit = kmalloc(sizeof(*limit), GFP_ATOMIC);
	if (!limit || !refcount_inc_not_zero(&sa->x->refcnt)) {
		kfree(limit);
		return;
	}
	limit->x = sa->x;
	INIT_WORK(&limit->work, simnic_limit_reached);
	queue_work(simnic_wq, &limit->work);
}

/* simnic_sa_spent - a hard limit is reached: no packet any more. */
bool simnic_sa_spent(const struct simnic_sa *sa)
{
	return (u64)atomic64_read(&sa->packets) >= sa->hard_packets ||
	       (u64)atomic64_read(&sa->bytes) >= sa->hard_bytes;
}

/* simnic_sa_count - one more packet of this SA was handled. Under RCU. */
void simnic_sa_count(struct simnic_sa *sa, unsigned int bytes)
{
	atomic64_inc(&sa->packets);
	atomic64_add(bytes, &sa->bytes);
	if (!sa->packet)
		return;
	atomic64_inc(&sa->fresh_packets);
	atomic64_add(bytes, &sa->fresh_bytes);
	if ((u64)atomic64_read(&sa->packets) >= sa->soft_packets ||
	    (u64)atomic64_read(&sa->bytes) >= sa->soft_bytes)
		simnic_tell_limit(sa, 0);
	if (simnic_sa_spent(sa))
		simnic_tell_limit(sa, 1);
}

/* simnic_update_stats - for GETSA, and from a timer: must not sleep. */
void simnic_update_stats(struct xfrm_state *x)
{
	struct simnic_dev *nic;
	struct simnic_sa *sa;
	u64 packets;

	if (x->xso.type != XFRM_DEV_OFFLOAD_PACKET || x->xso.flags & XFRM_DEV_OFFLOAD_FLAG_ACQ)
		return;
	/* Since 6.16 only a bond names the device beneath it. */
	nic = netdev_priv(x->xso.real_dev ? x->xso.real_dev : x->xso.dev);
	rcu_read_lock();
	sa = xa_load(&nic->sas, x->xso.offload_handle);
	if (sa && sa->x == x) {
		packets = atomic64_xchg(&sa->fresh_packets, 0);
		x->curlft.packets += packets;
		x->curlft.bytes += atomic64_xchg(&sa->fresh_bytes, 0);
		x->stats.replay += atomic64_xchg(&sa->fresh_replayed, 0);
		x->stats.integrity_failed += atomic64_xchg(&sa->fresh_icv_failed, 0);
		if (packets && !x->curlft.use_time)
			x->curlft.use_time = ktime_get_real_seconds();
		if (packets)
			x->lastused = ktime_get_real_seconds();
	}
	rcu_read_unlock();
}
