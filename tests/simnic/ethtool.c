// SPDX-License-Identifier: GPL-2.0-only
/* ethtool: identity, link, and the counters. */
#include <linux/ethtool.h>

#include "simnic.h"

static const char simnic_stat_names[SIMNIC_STATS][ETH_GSTRING_LEN] = {
	[SIMNIC_HW_TX_PACKETS] = "hw_tx_packets",
	[SIMNIC_HW_TX_BYTES] = "hw_tx_bytes",
	[SIMNIC_HW_RX_PACKETS] = "hw_rx_packets",
	[SIMNIC_HW_RX_BYTES] = "hw_rx_bytes",
	[SIMNIC_SW_TX_ESP] = "sw_tx_esp",
	[SIMNIC_SW_RX_ESP] = "sw_rx_esp",
	[SIMNIC_REFUSED] = "refused",
	[SIMNIC_HW_RX_ICV_FAIL] = "hw_rx_icv_fail",
	[SIMNIC_FAULT_RX_SKIPPED] = "fault_rx_skipped",
	[SIMNIC_FAULT_TX_DROPPED] = "fault_tx_dropped",
	[SIMNIC_FAULT_TX_BUSY] = "fault_tx_busy",
	[SIMNIC_FAULT_RX_DROPPED] = "fault_rx_dropped",
	[SIMNIC_FAULT_ICV_CORRUPTED] = "fault_icv_corrupted",
	[SIMNIC_TX_NO_SA] = "tx_no_sa",
	[SIMNIC_TX_SEGMENTED] = "tx_esp_batches",
	[SIMNIC_WIRE_DROPPED] = "wire_dropped",
	[SIMNIC_XDP_PASS] = "xdp_pass",
	[SIMNIC_XDP_DROP] = "xdp_drop",
	[SIMNIC_XDP_TX] = "xdp_tx",
	[SIMNIC_XDP_REDIRECT] = "xdp_redirect",
	[SIMNIC_TX_PACKET_NO_SA] = "tx_packet_no_sa",
	[SIMNIC_TX_PACKET_BLOCKED] = "tx_packet_blocked",
	[SIMNIC_TX_PACKET_TOO_BIG] = "tx_packet_too_big",
	[SIMNIC_TX_PACKET_NO_NEIGHBOUR] = "tx_packet_no_neighbour",
	[SIMNIC_TX_PACKET_EXPIRED] = "tx_packet_expired",
	[SIMNIC_RX_PACKET_REPLAY] = "rx_packet_replay",
	[SIMNIC_RX_PACKET_POLICY] = "rx_packet_policy",
	[SIMNIC_RX_PACKET_PLAIN] = "rx_packet_plain",
	[SIMNIC_RX_PACKET_INVALID] = "rx_packet_invalid",
};

/* simnic_stat_name - as `ethtool -S` shows it. */
const char *simnic_stat_name(enum simnic_stat which)
{
	return simnic_stat_names[which];
}

static void simnic_get_drvinfo(struct net_device *dev, struct ethtool_drvinfo *info)
{
	const struct simnic_dev *nic = netdev_priv(dev);

	strscpy(info->driver, "simnic", sizeof(info->driver));
	strscpy(info->fw_version, "1.0", sizeof(info->fw_version));
	strscpy(info->bus_info, nic->name, sizeof(info->bus_info));
}

static int simnic_get_sset_count(struct net_device *dev, int set)
{
	return set == ETH_SS_STATS ? SIMNIC_STATS : -EOPNOTSUPP;
}

static void simnic_get_strings(struct net_device *dev, u32 set, u8 *to)
{
	if (set == ETH_SS_STATS)
		memcpy(to, simnic_stat_names, sizeof(simnic_stat_names));
}

static void simnic_get_stats(struct net_device *dev, struct ethtool_stats *stats, u64 *to)
{
	const struct simnic_dev *nic = netdev_priv(dev);
	unsigned int i;

	for (i = 0; i < SIMNIC_STATS; i++)
		to[i] = atomic64_read(&nic->stat[i]);
}

static int simnic_get_link_ksettings(struct net_device *dev, struct ethtool_link_ksettings *settings)
{
	settings->base.speed = SPEED_10000;
	settings->base.duplex = DUPLEX_FULL;
	settings->base.port = PORT_DA;
	settings->base.autoneg = AUTONEG_DISABLE;
	return 0;
}

const struct ethtool_ops simnic_ethtool_ops = {
	.get_drvinfo = simnic_get_drvinfo,
	.get_link = ethtool_op_get_link,
	.get_ts_info = ethtool_op_get_ts_info,
	.get_sset_count = simnic_get_sset_count,
	.get_strings = simnic_get_strings,
	.get_ethtool_stats = simnic_get_stats,
	.get_link_ksettings = simnic_get_link_ksettings,
};
