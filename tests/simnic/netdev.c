// SPDX-License-Identifier: GPL-2.0-only
/* The devices and the wire between them: queues, carrier, features, and the receive poll. */
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/filter.h>
#include <net/netdev_queues.h>

#include "simnic.h"

#define SIMNIC_MAX_MTU 16384
/* The wire loses nothing in ordinary use: the sender's queue stops well before the receiver's is full. One
 * segmented batch may still come behind the stop mark.
 */
#define SIMNIC_RX_STOP 1024
#define SIMNIC_RX_WAKE 256
#define SIMNIC_RX_FULL 8192

#define SIMNIC_ESP_FEATURES (NETIF_F_HW_ESP | NETIF_F_HW_ESP_TX_CSUM | NETIF_F_GSO_ESP)
#define SIMNIC_FEATURES \
	(NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_TSO | NETIF_F_TSO6 | NETIF_F_HIGHDMA | SIMNIC_ESP_FEATURES)

/* simnic_wire - sends one frame (Ethernet header at skb->data) to the peer; consumes it. */
void simnic_wire(struct simnic_dev *nic, struct sk_buff *skb)
{
	struct net_device *peer = nic->peer;
	struct simnic_dev *far = netdev_priv(peer);
	unsigned int len = skb->len;

	if (unlikely(!netif_running(peer) || skb_queue_len(&far->rxq) >= SIMNIC_RX_FULL ||
	             skb_orphan_frags_rx(skb, GFP_ATOMIC))) {
		simnic_count(nic, SIMNIC_WIRE_DROPPED, 1);
		dev_core_stats_tx_dropped_inc(nic->dev);
		kfree_skb(skb);
		return;
	}
	/* Nothing but the octets crosses a wire; a checksum left to hardware counts as done. */
	skb_scrub_packet(skb, true);
	skb->priority = 0;
	skb->encapsulation = 0;
	skb_clear_hash(skb);
	skb_set_queue_mapping(skb, 0);
	if (skb->ip_summed != CHECKSUM_PARTIAL)
		skb->ip_summed = CHECKSUM_NONE;
	skb->dev = peer;
	skb_queue_tail(&far->rxq, skb);
	dev_sw_netstats_tx_add(nic->dev, 1, len);
	if (skb_queue_len(&far->rxq) >= SIMNIC_RX_STOP)
		netif_stop_queue(nic->dev);
	napi_schedule(&far->napi);
}

static void simnic_receive(struct simnic_dev *nic, struct sk_buff *skb, bool *redirected)
{
	struct bpf_prog *prog = rcu_dereference_bh(nic->xdp_prog);

	/* Held until here, the socket's budget paces the sender as a transmit ring would. */
	skb_orphan(skb);
	dev_sw_netstats_rx_add(nic->dev, skb->len);
	if (prog)
		skb = simnic_xdp_run(nic, prog, skb, redirected);
	if (skb)
		skb = simnic_decrypt(nic, skb);
	if (!skb)
		return;
	skb->protocol = eth_type_trans(skb, nic->dev);
	napi_gro_receive(&nic->napi, skb);
}

static int simnic_poll(struct napi_struct *napi, int budget)
{
	struct simnic_dev *nic = container_of(napi, struct simnic_dev, napi);
	bool redirected = false;
	struct sk_buff *skb;
	int done = 0;

	rcu_read_lock_bh();
	while (done < budget && (skb = skb_dequeue(&nic->rxq))) {
		simnic_receive(nic, skb, &redirected);
		done++;
	}
	rcu_read_unlock_bh();
	if (redirected)
		xdp_do_flush();
	if (netif_queue_stopped(nic->peer) && netif_running(nic->peer) &&
	    skb_queue_len(&nic->rxq) <= SIMNIC_RX_WAKE)
		netif_wake_queue(nic->peer);
	if (done < budget)
		napi_complete_done(napi, done);
	return done;
}

static int simnic_open(struct net_device *dev)
{
	struct simnic_dev *nic = netdev_priv(dev);
	int err;

	skb_queue_purge(&nic->rxq);
	err = xdp_rxq_info_reg(&nic->xdp_rxq, dev, 0, nic->napi.napi_id);
	if (err)
		return err;
	err = xdp_rxq_info_reg_mem_model(&nic->xdp_rxq, MEM_TYPE_PAGE_SHARED, NULL);
	if (err) {
		xdp_rxq_info_unreg(&nic->xdp_rxq);
		return err;
	}
	napi_enable(&nic->napi);
	netif_start_queue(dev);
	if (netif_running(nic->peer)) {
		netif_carrier_on(dev);
		netif_carrier_on(nic->peer);
	}
	return 0;
}

static int simnic_stop(struct net_device *dev)
{
	struct simnic_dev *nic = netdev_priv(dev);

	netif_stop_queue(dev);
	netif_carrier_off(dev);
	netif_carrier_off(nic->peer);
	napi_disable(&nic->napi);
	skb_queue_purge(&nic->rxq);
	xdp_rxq_info_unreg(&nic->xdp_rxq);
	if (netif_running(nic->peer))
		netif_wake_queue(nic->peer);
	return 0;
}

static void simnic_uninit(struct net_device *dev)
{
	struct simnic_dev *nic = netdev_priv(dev);

	skb_queue_purge(&nic->rxq);
}

static netdev_features_t simnic_fix_features(struct net_device *dev, netdev_features_t features)
{
	/* The two refine ESP offload and mean nothing without it; the stack insists on that for the first. */
	if (!(features & NETIF_F_HW_ESP))
		features &= ~(NETIF_F_HW_ESP_TX_CSUM | NETIF_F_GSO_ESP);
	return features;
}

static const struct net_device_ops simnic_netdev_ops = {
	.ndo_uninit = simnic_uninit,
	.ndo_open = simnic_open,
	.ndo_stop = simnic_stop,
	.ndo_start_xmit = simnic_start_xmit,
	.ndo_fix_features = simnic_fix_features,
	.ndo_set_mac_address = eth_mac_addr,
	.ndo_validate_addr = eth_validate_addr,
	.ndo_bpf = simnic_bpf,
	.ndo_xdp_xmit = simnic_xdp_xmit,
};

static void simnic_free(struct net_device *dev)
{
	struct simnic_dev *nic = netdev_priv(dev);

	/* The stack has flushed this device's SAs; one left here would be used after free by state_free. */
	WARN_ON(!xa_empty(&nic->sas) || !list_empty(&nic->packet_sas));
	xa_destroy(&nic->sas);
}

/* simnic_setup - alloc_netdev's callback. */
void simnic_setup(struct net_device *dev)
{
	ether_setup(dev);
	dev->netdev_ops = &simnic_netdev_ops;
	dev->ethtool_ops = &simnic_ethtool_ops;
	dev->xfrmdev_ops = &simnic_xfrmdev_ops;
	dev->priv_destructor = simnic_free;
	dev->pcpu_stat_type = NETDEV_PCPU_STAT_TSTATS;
	dev->priv_flags |= IFF_LIVE_ADDR_CHANGE;
	dev->priv_flags &= ~IFF_TX_SKB_SHARING;
	netif_keep_dst(dev); /* packet mode asks the route for the next hop */
	dev->max_mtu = SIMNIC_MAX_MTU;
	dev->hw_features = SIMNIC_FEATURES;
	dev->features = SIMNIC_FEATURES;
	dev->hw_enc_features = SIMNIC_FEATURES;
	dev->vlan_features = SIMNIC_FEATURES & ~SIMNIC_ESP_FEATURES;
	xdp_set_features_flag(dev, NETDEV_XDP_ACT_BASIC | NETDEV_XDP_ACT_REDIRECT | NETDEV_XDP_ACT_NDO_XMIT);
}

/* simnic_init_dev - what needs the names and the peer; before register_netdev. */
void simnic_init_dev(struct simnic_dev *nic, struct net_device *dev, struct net_device *peer)
{
	unsigned int i;

	nic->dev = dev;
	nic->peer = peer;
	strscpy(nic->name, dev->name, sizeof(nic->name));
	skb_queue_head_init(&nic->rxq);
	spin_lock_init(&nic->sa_lock);
	INIT_LIST_HEAD(&nic->policies);
	INIT_LIST_HEAD(&nic->packet_sas);
	xa_init_flags(&nic->sas, XA_FLAGS_ALLOC1 | XA_FLAGS_LOCK_BH);
	for (i = 0; i < SIMNIC_SPI_BUCKETS; i++)
		INIT_HLIST_HEAD(&nic->by_spi[i]);
	nic->tx_slots = 1024;
	nic->rx_slots = 1024;
	nic->suites = SIMNIC_ALL_SUITES;
	nic->modes = SIMNIC_MODE_CRYPTO;
	nic->esn = true;
	netif_napi_add(dev, &nic->napi, simnic_poll);
	netif_carrier_off(dev);
}
