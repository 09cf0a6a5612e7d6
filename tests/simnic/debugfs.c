// SPDX-License-Identifier: GPL-2.0-only
/* Knobs and state in debugfs, simnic/<name as created>/. Text both ways; a knob reads as it is written. */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "simnic.h"

#define SIMNIC_KNOB_TEXT 256

struct simnic_knob {
	const char *name;
	int (*show)(struct seq_file *out, void *unused);
	int (*store)(struct simnic_dev *nic, char *text);
};

static struct dentry *simnic_root;

static const struct {
	const char *name;
	u32 bit;
} simnic_suites[] = {{"aes128gcm16", SIMNIC_AES128GCM16}, {"aes256gcm16", SIMNIC_AES256GCM16}};

/* simnic_suite_name - as proposals spell it. */
const char *simnic_suite_name(enum simnic_suite suite)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(simnic_suites); i++)
		if (simnic_suites[i].bit == suite)
			return simnic_suites[i].name;
	return "unknown";
}

static int simnic_suites_show(struct seq_file *out, void *unused)
{
	const struct simnic_dev *nic = out->private;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(simnic_suites); i++)
		if (nic->suites & simnic_suites[i].bit)
			seq_printf(out, "%s ", simnic_suites[i].name);
	seq_puts(out, nic->suites ? "\n" : "none\n");
	return 0;
}

static int simnic_suites_store(struct simnic_dev *nic, char *text)
{
	u32 suites = 0;
	char *word;

	while ((word = strsep(&text, " \t\n"))) {
		unsigned int i;

		if (!*word || !strcmp(word, "none"))
			continue;
		for (i = 0; i < ARRAY_SIZE(simnic_suites) && strcmp(word, simnic_suites[i].name); i++)
			;
		if (i == ARRAY_SIZE(simnic_suites))
			return -EINVAL;
		suites |= simnic_suites[i].bit;
	}
	WRITE_ONCE(nic->suites, suites);
	return 0;
}

static int simnic_modes_show(struct seq_file *out, void *unused)
{
	const struct simnic_dev *nic = out->private;

	static const char *const names[] = {"none", "crypto", "packet", "crypto packet"};

	seq_printf(out, "%s\n", names[nic->modes & 3]);
	return 0;
}

static int simnic_modes_store(struct simnic_dev *nic, char *text)
{
	u32 modes = 0;
	char *word;

	while ((word = strsep(&text, " \t\n"))) {
		if (!strcmp(word, "crypto"))
			modes |= SIMNIC_MODE_CRYPTO;
		else if (!strcmp(word, "packet"))
			modes |= SIMNIC_MODE_PACKET;
		else if (*word && strcmp(word, "none"))
			return -EINVAL;
	}
	WRITE_ONCE(nic->modes, modes);
	return 0;
}

static int simnic_slots_show(struct seq_file *out, void *unused)
{
	const struct simnic_dev *nic = out->private;

	seq_printf(out, "tx=%u rx=%u\n", nic->tx_slots, nic->rx_slots);
	return 0;
}

static int simnic_slots_store(struct simnic_dev *nic, char *text)
{
	u32 tx, rx;
	char end;

	text = strim(text);
	if (sscanf(text, "tx=%u rx=%u%c", &tx, &rx, &end) != 2) {
		if (kstrtou32(text, 10, &tx))
			return -EINVAL;
		rx = tx;
	}
	if (tx > SIMNIC_MAX_SLOTS || rx > SIMNIC_MAX_SLOTS)
		return -EINVAL;
	WRITE_ONCE(nic->tx_slots, tx);
	WRITE_ONCE(nic->rx_slots, rx);
	return 0;
}

static int simnic_esn_show(struct seq_file *out, void *unused)
{
	const struct simnic_dev *nic = out->private;

	seq_printf(out, "%d\n", nic->esn);
	return 0;
}

static int simnic_esn_store(struct simnic_dev *nic, char *text)
{
	return kstrtobool(strim(text), &nic->esn);
}

static int simnic_fault_knob_show(struct seq_file *out, void *unused)
{
	const struct simnic_dev *nic = out->private;

	simnic_fault_show(&nic->fault.knob, out);
	return 0;
}

static int simnic_fault_knob_store(struct simnic_dev *nic, char *text)
{
	struct simnic_fault fault;
	int err = simnic_fault_parse(&fault, text);

	if (err)
		return err;
	/* Counting begins anew with each setting, so that a test knows which packet is the Nth. */
	nic->fault.knob = fault;
	atomic_set(&nic->fault.rx_seen, 0);
	atomic_set(&nic->fault.tx_seen, 0);
	atomic_set(&nic->fault.busy_seen, 0);
	atomic_set(&nic->fault.icv_seen, 0);
	atomic_set(&nic->fault.rx_icv_seen, 0);
	return 0;
}

static void simnic_sa_show(struct seq_file *out, struct simnic_sa *sa)
{
	bool in = sa->dir == XFRM_DEV_OFFLOAD_IN;

	seq_printf(out, "%s spi 0x%08x ", in ? "in" : "out", ntohl(sa->spi));
	if (sa->family == AF_INET)
		seq_printf(out, "src %pI4 dst %pI4 ", &sa->src.a4, &sa->dst.a4);
	else
		seq_printf(out, "src %pI6c dst %pI6c ", &sa->src.a6, &sa->dst.a6);
	seq_printf(out, "mode %s suite %s esn %d offload %s packets %lld bytes %lld\n",
	           sa->mode == XFRM_MODE_TUNNEL ? "tunnel" : "transport", simnic_suite_name(sa->suite),
	           sa->esn, sa->packet ? "packet" : "crypto", (s64)atomic64_read(&sa->packets),
	           (s64)atomic64_read(&sa->bytes));
}

static int simnic_sas_show(struct seq_file *out, void *unused)
{
	struct simnic_dev *nic = out->private;
	struct simnic_sa *sa;
	unsigned long handle;

	rcu_read_lock();
	xa_for_each(&nic->sas, handle, sa) simnic_sa_show(out, sa);
	rcu_read_unlock();
	return 0;
}

static void simnic_policy_show(struct seq_file *out, const struct simnic_policy *policy)
{
	const struct xfrm_selector *sel = &policy->sel;

	seq_printf(out, "%s ", policy->dir == XFRM_DEV_OFFLOAD_IN ? "in" : "out");
	if (sel->family == AF_INET)
		seq_printf(out, "src %pI4/%u dst %pI4/%u ", &sel->saddr.a4, sel->prefixlen_s, &sel->daddr.a4,
		           sel->prefixlen_d);
	else
		seq_printf(out, "src %pI6c/%u dst %pI6c/%u ", &sel->saddr.a6, sel->prefixlen_s,
		           &sel->daddr.a6, sel->prefixlen_d);
	seq_printf(out, "proto %u sport %u/%x dport %u/%x priority %u action %s", sel->proto,
	           ntohs(sel->sport), ntohs(sel->sport_mask), ntohs(sel->dport), ntohs(sel->dport_mask),
	           policy->priority, policy->block ? "block" : "allow");
	if (policy->has_template)
		seq_printf(out, " reqid %u mode %s", policy->reqid,
		           policy->mode == XFRM_MODE_TUNNEL ? "tunnel" : "transport");
	seq_puts(out, "\n");
}

static int simnic_policies_show(struct seq_file *out, void *unused)
{
	struct simnic_dev *nic = out->private;
	struct simnic_policy *policy;

	rcu_read_lock();
	list_for_each_entry_rcu(policy, &nic->policies, list) if (!policy->deleted)
		simnic_policy_show(out, policy);
	rcu_read_unlock();
	return 0;
}

static int simnic_stats_show(struct seq_file *out, void *unused)
{
	const struct simnic_dev *nic = out->private;
	unsigned int i;

	for (i = 0; i < SIMNIC_STATS; i++)
		seq_printf(out, "%s %lld\n", simnic_stat_name(i), (s64)atomic64_read(&nic->stat[i]));
	return 0;
}

static const struct simnic_knob simnic_knobs[] = {
	{"suites", simnic_suites_show, simnic_suites_store},
	{"modes", simnic_modes_show, simnic_modes_store},
	{"slots", simnic_slots_show, simnic_slots_store},
	{"esn", simnic_esn_show, simnic_esn_store},
	{"fault", simnic_fault_knob_show, simnic_fault_knob_store},
	{"sas", simnic_sas_show, NULL},
	{"policies", simnic_policies_show, NULL},
	{"stats", simnic_stats_show, NULL},
};

static const struct simnic_knob *simnic_knob_of(struct file *file)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(simnic_knobs); i++)
		if (!strcmp(simnic_knobs[i].name, file->f_path.dentry->d_name.name))
			return &simnic_knobs[i];
	return NULL;
}

static int simnic_knob_open(struct inode *inode, struct file *file)
{
	const struct simnic_knob *knob = simnic_knob_of(file);

	return knob ? single_open(file, knob->show, inode->i_private) : -ENOENT;
}

static ssize_t simnic_knob_write(struct file *file, const char __user *from, size_t count, loff_t *at)
{
	struct simnic_dev *nic = ((struct seq_file *)file->private_data)->private;
	const struct simnic_knob *knob = simnic_knob_of(file);
	char text[SIMNIC_KNOB_TEXT];
	int err;

	if (!knob || !knob->store)
		return -EPERM;
	if (count >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, from, count))
		return -EFAULT;
	text[count] = 0;
	err = knob->store(nic, text);
	return err ? err : count;
}

static const struct file_operations simnic_knob_fops = {
	.owner = THIS_MODULE,
	.open = simnic_knob_open,
	.read = seq_read,
	.write = simnic_knob_write,
	.llseek = seq_lseek,
	.release = single_release,
};

/* simnic_debugfs_add - a folder per device, named as created, whatever it is renamed to. */
void simnic_debugfs_add(struct simnic_dev *nic)
{
	unsigned int i;

	nic->debugfs = debugfs_create_dir(nic->name, simnic_root);
	for (i = 0; i < ARRAY_SIZE(simnic_knobs); i++)
		debugfs_create_file(simnic_knobs[i].name, simnic_knobs[i].store ? 0600 : 0400, nic->debugfs,
		                    nic, &simnic_knob_fops);
}

void simnic_debugfs_init(void)
{
	simnic_root = debugfs_create_dir("simnic", NULL);
}

void simnic_debugfs_exit(void)
{
	debugfs_remove_recursive(simnic_root);
}
