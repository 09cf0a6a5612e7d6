// SPDX-License-Identifier: GPL-2.0-only
/* Injected faults and their text form: words, separated by blanks; "none" for none. */
#include <linux/seq_file.h>
#include <linux/string.h>

#include "simnic.h"

/* simnic_fault_due - true for every @every-th call (0: never). */
bool simnic_fault_due(atomic_t *seen, u32 every)
{
	return every && (u32)atomic_inc_return(seen) % every == 0;
}

static int simnic_fault_word(struct simnic_fault *fault, const char *word)
{
	char end;

	if (!strcmp(word, "none"))
		return 0;
	if (sscanf(word, "rx_skip=%u%c", &fault->rx_skip, &end) == 1 ||
	    sscanf(word, "tx_drop=%u%c", &fault->tx_drop, &end) == 1 ||
	    sscanf(word, "tx_busy=%u%c", &fault->tx_busy, &end) == 1 ||
	    sscanf(word, "corrupt_icv=%u%c", &fault->corrupt_icv, &end) == 1 ||
	    sscanf(word, "rx_corrupt=%u%c", &fault->rx_corrupt, &end) == 1)
		return 0;
	if (sscanf(word, "add_errno=%u,after=%u%c", &fault->add_errno, &fault->add_after, &end) == 2 ||
	    sscanf(word, "add_errno=%u%c", &fault->add_errno, &end) == 1)
		return fault->add_errno < MAX_ERRNO ? 0 : -EINVAL;
	if (sscanf(word, "add_delay=%u%c", &fault->add_delay, &end) == 1)
		return fault->add_delay <= SIMNIC_MAX_DELAY ? 0 : -EINVAL;
	if (!strcmp(word, "accept_silent"))
		fault->accept_silent = true;
	else if (!strcmp(word, "in_only") && !fault->out_only)
		fault->in_only = true;
	else if (!strcmp(word, "out_only") && !fault->in_only)
		fault->out_only = true;
	else if (!strcmp(word, "drop_all"))
		fault->drop_all = true;
	else
		return -EINVAL;
	return 0;
}

/* simnic_fault_parse - reads a whole set of faults; what is not named is off. */
int simnic_fault_parse(struct simnic_fault *fault, char *text)
{
	char *word;
	int err = 0;

	memset(fault, 0, sizeof(*fault));
	while (!err && (word = strsep(&text, " \t\n")))
		if (*word)
			err = simnic_fault_word(fault, word);
	return err;
}

/* simnic_fault_show - writes what simnic_fault_parse reads. */
void simnic_fault_show(const struct simnic_fault *fault, struct seq_file *out)
{
	static const struct simnic_fault none;

	if (!memcmp(fault, &none, sizeof(none))) {
		seq_puts(out, "none\n");
		return;
	}
	if (fault->rx_skip)
		seq_printf(out, "rx_skip=%u ", fault->rx_skip);
	if (fault->tx_drop)
		seq_printf(out, "tx_drop=%u ", fault->tx_drop);
	if (fault->tx_busy)
		seq_printf(out, "tx_busy=%u ", fault->tx_busy);
	if (fault->corrupt_icv)
		seq_printf(out, "corrupt_icv=%u ", fault->corrupt_icv);
	if (fault->rx_corrupt)
		seq_printf(out, "rx_corrupt=%u ", fault->rx_corrupt);
	if (fault->add_errno)
		seq_printf(out, "add_errno=%u,after=%u ", fault->add_errno, fault->add_after);
	if (fault->add_delay)
		seq_printf(out, "add_delay=%u ", fault->add_delay);
	if (fault->accept_silent)
		seq_puts(out, "accept_silent ");
	if (fault->in_only)
		seq_puts(out, "in_only ");
	if (fault->out_only)
		seq_puts(out, "out_only ");
	if (fault->drop_all)
		seq_puts(out, "drop_all ");
	seq_putc(out, '\n');
}
