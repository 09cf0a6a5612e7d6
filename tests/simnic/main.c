// SPDX-License-Identifier: GPL-2.0-only
/* Module entry: makes the pairs, and takes them away again with whatever SAs they still hold. */
#include <linux/module.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>

#include "simnic.h"

#define SIMNIC_MAX_PAIRS 64

static unsigned int pairs = 1;
module_param(pairs, uint, 0444);
MODULE_PARM_DESC(pairs, "pairs of devices to create: simnic0-simnic1, simnic2-simnic3, ... (default 1)");

static struct net_device **devices;
struct workqueue_struct *simnic_wq;

static int simnic_create(unsigned int index)
{
	char name[IFNAMSIZ];

	snprintf(name, sizeof(name), "simnic%u", index);
	devices[index] = alloc_netdev(sizeof(struct simnic_dev), name, NET_NAME_ENUM, simnic_setup);
	return devices[index] ? 0 : -ENOMEM;
}

static int simnic_register(unsigned int index)
{
	u8 mac[ETH_ALEN] = {0x02, 0x51, 0x4d, 0x00, index >> 8, index};
	struct net_device *dev = devices[index];
	int err;

	eth_hw_addr_set(dev, mac);
	simnic_init_dev(netdev_priv(dev), dev, devices[index ^ 1]);
	err = register_netdev(dev);
	if (!err)
		simnic_debugfs_add(netdev_priv(dev));
	return err;
}

/* Unregisters all devices in one step, so that none of a pair sends to a freed one. The stack flushes the
 * SAs of a device on its way out (xfrm_device.c), in whichever namespace it is.
 */
static void simnic_destroy_all(void)
{
	LIST_HEAD(kill);
	unsigned int i;

	rtnl_lock();
	for (i = 0; i < 2 * pairs; i++)
		if (devices[i] && devices[i]->reg_state == NETREG_REGISTERED)
			unregister_netdevice_queue(devices[i], &kill);
	unregister_netdevice_many(&kill);
	rtnl_unlock();
	for (i = 0; i < 2 * pairs; i++)
		if (devices[i])
			free_netdev(devices[i]);
	kfree(devices);
}

static int __init simnic_module_init(void)
{
	unsigned int i;
	int err = 0;

	if (!pairs || pairs > SIMNIC_MAX_PAIRS)
		return -EINVAL;
	devices = kcalloc(2 * pairs, sizeof(*devices), GFP_KERNEL);
	simnic_wq = alloc_workqueue("simnic", WQ_UNBOUND, 0);
	if (!devices || !simnic_wq) {
		err = -ENOMEM;
		goto fail;
	}
	simnic_debugfs_init();
	for (i = 0; i < 2 * pairs && !err; i++)
		err = simnic_create(i);
	for (i = 0; i < 2 * pairs && !err; i++)
		err = simnic_register(i);
	if (!err)
		return 0;
	simnic_debugfs_exit();
	simnic_destroy_all();
	devices = NULL;
fail:
	if (simnic_wq)
		destroy_workqueue(simnic_wq);
	kfree(devices);
	return err;
}

static void __exit simnic_module_exit(void)
{
	simnic_debugfs_exit();
	simnic_destroy_all();
	/* SAs are released by RCU work: first the grace periods, then the work itself. */
	rcu_barrier();
	destroy_workqueue(simnic_wq);
}

module_init(simnic_module_init);
module_exit(simnic_module_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Emulated NIC with IPsec crypto offload, for tests");
