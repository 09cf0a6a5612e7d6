// SPDX-License-Identifier: GPL-2.0-only
/* The SA table: what the stack asks of an offload device, and why it is told no.
 *
 * An SA lives from state_add to state_free. At state_delete it gives its slot back and receives nothing any
 * more, but packets that still wait in a queue behind it are encrypted: as on real devices, deleting an old
 * outbound SA after a rekey loses nothing.
 */
#include <crypto/aead.h>
#include <linux/delay.h>
#include <linux/jhash.h>
#include <linux/slab.h>
#include <linux/version.h>
#include <net/ipv6.h>

#include "simnic.h"

#define SIMNIC_AEAD "rfc4106(gcm(aes))"

static struct hlist_head *simnic_bucket(struct simnic_dev *nic, __be32 spi)
{
	return &nic->by_spi[jhash_1word((__force u32)spi, 0) % SIMNIC_SPI_BUCKETS];
}

/* simnic_same_address - of one family. */
bool simnic_same_address(u16 family, const xfrm_address_t *a, const xfrm_address_t *b)
{
	return family == AF_INET ? a->a4 == b->a4 : !memcmp(a->a6, b->a6, sizeof(a->a6));
}

/* simnic_tx_sa - the outbound SA the stack names, or NULL. Under RCU. */
struct simnic_sa *simnic_tx_sa(struct simnic_dev *nic, const struct xfrm_state *x)
{
	struct simnic_sa *sa = xa_load(&nic->sas, x->xso.offload_handle);

	return sa && sa->x == x && sa->dir == XFRM_DEV_OFFLOAD_OUT ? sa : NULL;
}

/* simnic_rx_sa - the inbound SA of a packet, by SPI and destination, or NULL. Under RCU. */
struct simnic_sa *simnic_rx_sa(struct simnic_dev *nic, const struct simnic_esp *esp)
{
	struct simnic_sa *sa;

	hlist_for_each_entry_rcu(
		sa, simnic_bucket(nic, esp->spi),
		by_spi) if (sa->spi == esp->spi && sa->family == esp->family &&
	                    simnic_same_address(sa->family, &sa->dst, &esp->daddr)) return sa;
	return NULL;
}

static int simnic_check_suite(struct simnic_dev *nic, struct xfrm_state *x, enum simnic_suite *suite,
                              struct netlink_ext_ack *extack)
{
	u32 known = READ_ONCE(nic->suites);

	if (x->aalg)
		return simnic_refuse(extack, "Cannot offload authenticated xfrm states");
	if (x->calg)
		return simnic_refuse(extack, "Cannot offload compressed xfrm states");
	if (!x->aead || strcmp(x->aead->alg_name, SIMNIC_AEAD))
		return simnic_refuse(extack, "Only AES-GCM xfrm states can be offloaded");
	if (x->aead->alg_icv_len != SIMNIC_ICV_LEN * 8)
		return simnic_refuse(extack, "Cannot offload xfrm states with ICV length other than 128bit");
	switch (x->aead->alg_key_len) {
	case 128 + SIMNIC_SALT_LEN * 8:
		*suite = SIMNIC_AES128GCM16;
		break;
	case 256 + SIMNIC_SALT_LEN * 8:
		*suite = SIMNIC_AES256GCM16;
		break;
	default:
		return simnic_refuse(extack,
		                     "Cannot offload xfrm states with key length other than 128/256bit");
	}
	if (known & *suite)
		return 0;
	if (known == SIMNIC_AES128GCM16)
		return simnic_refuse(extack, "Cannot offload xfrm states with key length other than 128bit");
	if (known == SIMNIC_AES256GCM16)
		return simnic_refuse(extack, "Cannot offload xfrm states with key length other than 256bit");
	return simnic_refuse(extack, "Cipher suite is disabled on this device");
}

static int simnic_check(struct simnic_dev *nic, struct xfrm_state *x, enum simnic_suite *suite,
                        struct netlink_ext_ack *extack)
{
	u32 modes = READ_ONCE(nic->modes);

	if (x->xso.type == XFRM_DEV_OFFLOAD_PACKET && !(modes & SIMNIC_MODE_PACKET))
		return simnic_refuse(extack, "Packet offload mode is not supported");
	if (x->xso.type == XFRM_DEV_OFFLOAD_CRYPTO && !(modes & SIMNIC_MODE_CRYPTO))
		return simnic_refuse(extack, "Crypto offload mode is not supported");
	if (x->id.proto != IPPROTO_ESP)
		return simnic_refuse(extack, "Only ESP xfrm states can be offloaded");
	if (x->props.family != AF_INET && x->props.family != AF_INET6)
		return simnic_refuse(extack, "Only IPv4/6 xfrm states can be offloaded");
	if (x->props.mode != XFRM_MODE_TUNNEL && x->props.mode != XFRM_MODE_TRANSPORT)
		return simnic_refuse(extack, "Only tunnel and transport xfrm states can be offloaded");
	if (x->encap)
		return simnic_refuse(extack, "Encapsulated xfrm states cannot be offloaded");
	if (x->props.flags & XFRM_STATE_ESN && !READ_ONCE(nic->esn))
		return simnic_refuse(extack, "Device doesn't support offload with ESN");
	if (x->xso.type == XFRM_DEV_OFFLOAD_PACKET && simnic_check_packet(nic, x, extack))
		return -EINVAL;
	return simnic_check_suite(nic, x, suite, extack);
}

static int simnic_injected(struct simnic_dev *nic, bool in, struct netlink_ext_ack *extack)
{
	struct simnic_fault *fault = &nic->fault.knob;

	if (READ_ONCE(fault->in_only) ? !in : READ_ONCE(fault->out_only) && in)
		return 0;
	if (READ_ONCE(fault->add_delay))
		msleep(READ_ONCE(fault->add_delay));
	if (READ_ONCE(fault->accept_silent))
		return -EOPNOTSUPP;
	if (!READ_ONCE(fault->add_errno))
		return 0;
	if (fault->add_after) {
		WRITE_ONCE(fault->add_after, fault->add_after - 1);
		return 0;
	}
	NL_SET_ERR_MSG(extack, "Device command failed (injected)");
	return -(int)fault->add_errno;
}

static struct simnic_sa *simnic_sa_new(struct xfrm_state *x, enum simnic_suite suite)
{
	unsigned int key_len = x->aead->alg_key_len / 8 - SIMNIC_SALT_LEN;
	struct simnic_sa *sa = kzalloc(sizeof(*sa), GFP_KERNEL);

	if (!sa)
		return ERR_PTR(-ENOMEM);
	sa->tfm = simnic_gcm_alloc(x->aead->alg_key, key_len);
	if (IS_ERR(sa->tfm)) {
		int err = PTR_ERR(sa->tfm);

		kfree(sa);
		return ERR_PTR(err);
	}
	memcpy(sa->salt, x->aead->alg_key + key_len, SIMNIC_SALT_LEN);
	sa->x = x;
	sa->spi = x->id.spi;
	sa->family = x->props.family;
	sa->dir = x->xso.dir;
	sa->mode = x->props.mode;
	sa->suite = suite;
	sa->src = x->props.saddr;
	sa->dst = x->id.daddr;
	spin_lock_init(&sa->esn_lock);
	sa->esn = x->props.flags & XFRM_STATE_ESN;
	if (x->replay_esn) {
		sa->esn_top = (u64)x->replay_esn->seq_hi << 32 | x->replay_esn->seq;
		sa->esn_window = x->replay_esn->replay_window;
	}
	if (x->xso.type == XFRM_DEV_OFFLOAD_PACKET)
		simnic_packet_init(sa, x);
	return sa;
}

static void simnic_sa_free(struct simnic_sa *sa)
{
	crypto_free_aead(sa->tfm);
	memzero_explicit(sa->salt, sizeof(sa->salt));
	kfree(sa);
}

static void simnic_sa_release(struct work_struct *work)
{
	simnic_sa_free(container_of(to_rcu_work(work), struct simnic_sa, release));
}

static int simnic_take_slot(struct simnic_dev *nic, struct simnic_sa *sa, struct netlink_ext_ack *extack)
{
	bool in = sa->dir == XFRM_DEV_OFFLOAD_IN;
	u32 *used = in ? &nic->rx_used : &nic->tx_used;
	u32 slots = in ? READ_ONCE(nic->rx_slots) : READ_ONCE(nic->tx_slots);
	int err = 0;

	spin_lock_bh(&nic->sa_lock);
	if (*used >= slots)
		err = -ENOSPC;
	else
		++*used;
	spin_unlock_bh(&nic->sa_lock);
	if (err && in)
		NL_SET_ERR_MSG(extack, "No space for SA in Rx table!");
	else if (err)
		NL_SET_ERR_MSG(extack, "No space for SA in Tx table!");
	return err;
}

static void simnic_give_slot(struct simnic_dev *nic, struct simnic_sa *sa)
{
	spin_lock_bh(&nic->sa_lock);
	if (sa->dir == XFRM_DEV_OFFLOAD_IN) {
		hlist_del_init_rcu(&sa->by_spi);
		nic->rx_used--;
	} else {
		nic->tx_used--;
		if (sa->packet)
			list_del_rcu(&sa->of_packets);
	}
	spin_unlock_bh(&nic->sa_lock);
}

static int simnic_insert(struct simnic_dev *nic, struct simnic_sa *sa, struct netlink_ext_ack *extack)
{
	int err = simnic_take_slot(nic, sa, extack);

	if (err)
		return err;
	INIT_LIST_HEAD(&sa->of_packets);
	err = xa_alloc_bh(&nic->sas, &sa->handle, sa, xa_limit_31b, GFP_KERNEL);
	if (err) {
		simnic_give_slot(nic, sa);
		return err;
	}
	if (sa->dir == XFRM_DEV_OFFLOAD_IN) {
		spin_lock_bh(&nic->sa_lock);
		hlist_add_head_rcu(&sa->by_spi, simnic_bucket(nic, sa->spi));
		spin_unlock_bh(&nic->sa_lock);
	} else if (sa->packet) {
		spin_lock_bh(&nic->sa_lock);
		list_add_rcu(&sa->of_packets, &nic->packet_sas);
		spin_unlock_bh(&nic->sa_lock);
	}
	return 0;
}

static int simnic_add(struct net_device *dev, struct xfrm_state *x, struct netlink_ext_ack *extack)
{
	struct simnic_dev *nic;
	enum simnic_suite suite;
	struct simnic_sa *sa;
	int err;

	/* What stands for an SA that key exchange is to make: no SPI, no key, and here in atomic context. */
	if (x->xso.flags & XFRM_DEV_OFFLOAD_FLAG_ACQ)
		return 0;
	nic = netdev_priv(dev);
	err = simnic_check(nic, x, &suite, extack);
	if (!err)
		err = simnic_injected(nic, x->xso.dir == XFRM_DEV_OFFLOAD_IN, extack);
	if (err)
		goto refused;
	sa = simnic_sa_new(x, suite);
	if (IS_ERR(sa)) {
		NL_SET_ERR_MSG(extack, "Failed to get key data for SA table");
		err = PTR_ERR(sa);
		goto refused;
	}
	err = simnic_insert(nic, sa, extack);
	if (err) {
		simnic_sa_free(sa);
		goto refused;
	}
	x->xso.offload_handle = sa->handle;
	return 0;
refused:
	simnic_count(nic, SIMNIC_REFUSED, 1);
	return err;
}

/* Atomic context: the state's lock is held. */
static void simnic_delete(struct net_device *dev, struct xfrm_state *x)
{
	struct simnic_dev *nic;
	struct simnic_sa *sa;

	if (x->xso.flags & XFRM_DEV_OFFLOAD_FLAG_ACQ)
		return;
	nic = netdev_priv(dev);
	sa = xa_load(&nic->sas, x->xso.offload_handle);
	if (!WARN_ON(!sa || sa->x != x))
		simnic_give_slot(nic, sa);
}

static void simnic_release(struct net_device *dev, struct xfrm_state *x)
{
	struct simnic_dev *nic;
	struct simnic_sa *sa;

	if (x->xso.flags & XFRM_DEV_OFFLOAD_FLAG_ACQ)
		return;
	nic = netdev_priv(dev);
	sa = xa_load(&nic->sas, x->xso.offload_handle);
	if (WARN_ON(!sa || sa->x != x))
		return;
	xa_erase_bh(&nic->sas, sa->handle);
	INIT_RCU_WORK(&sa->release, simnic_sa_release);
	queue_rcu_work(simnic_wq, &sa->release);
}

/* In packet mode "no" means that the packet is dropped. Extension headers would have to be skipped on
 * transmit. */
static bool simnic_offload_ok(struct sk_buff *skb, struct xfrm_state *x)
{
	if (x->xso.type != XFRM_DEV_OFFLOAD_PACKET || x->props.mode == XFRM_MODE_TUNNEL)
		return true;
	return x->props.family == AF_INET || !ipv6_ext_hdr(ipv6_hdr(skb)->nexthdr);
}

/* Called for every packet that the stack accepted, also for those decrypted in software: without them the
 * estimate of the high half would fall behind.
 */
/* Newer kernels (seen: 7.3.4) leave real_dev NULL unless a bond hands the state on. */
static void simnic_advance_esn(struct xfrm_state *x)
{
	struct simnic_dev *nic = netdev_priv(x->xso.real_dev ?: x->xso.dev);
	struct simnic_sa *sa;

	rcu_read_lock();
	sa = xa_load(&nic->sas, x->xso.offload_handle);
	if (sa && sa->x == x && x->replay_esn)
		simnic_esn_sync(sa, (u64)x->replay_esn->seq_hi << 32 | x->replay_esn->seq);
	rcu_read_unlock();
}

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 16, 0)
static int simnic_is_ours(struct net_device *dev, struct netdev_nested_priv *found)
{
	if (dev->netdev_ops->ndo_start_xmit != simnic_start_xmit)
		return 0;
	found->data = dev;
	return 1;
}

/* The device that is meant. Late 6.12 kernels (seen: 6.12.95) write a bond's slave into real_dev only behind
 * state_add, and clear it before state_free: then the first of ours beneath the bond. NULL: none.
 */
static struct net_device *simnic_meant(const struct xfrm_state *x)
{
	struct net_device *dev = x->xso.real_dev ?: x->xso.dev;
	struct netdev_nested_priv found = {};

	if (!dev || simnic_is_ours(dev, &found))
		return dev;
	rcu_read_lock();
	netdev_walk_all_lower_dev_rcu(dev, simnic_is_ours, &found);
	rcu_read_unlock();
	return found.data;
}

static int simnic_add_612(struct xfrm_state *x, struct netlink_ext_ack *extack)
{
	struct net_device *dev = simnic_meant(x);

	return dev ? simnic_add(dev, x, extack) : -ENODEV;
}

static void simnic_delete_612(struct xfrm_state *x)
{
	struct net_device *dev = simnic_meant(x);

	if (!WARN_ON(!dev))
		simnic_delete(dev, x);
}

static void simnic_release_612(struct xfrm_state *x)
{
	struct net_device *dev = simnic_meant(x);

	if (!WARN_ON(!dev))
		simnic_release(dev, x);
}
#define simnic_add simnic_add_612
#define simnic_delete simnic_delete_612
#define simnic_release simnic_release_612
#endif

const struct xfrmdev_ops simnic_xfrmdev_ops = {
	.xdo_dev_state_add = simnic_add,
	.xdo_dev_state_delete = simnic_delete,
	.xdo_dev_state_free = simnic_release,
	.xdo_dev_offload_ok = simnic_offload_ok,
	.xdo_dev_state_advance_esn = simnic_advance_esn,
	.xdo_dev_state_update_stats = simnic_update_stats,
	.xdo_dev_policy_add = simnic_policy_add,
	.xdo_dev_policy_delete = simnic_policy_delete,
	.xdo_dev_policy_free = simnic_policy_free,
};
