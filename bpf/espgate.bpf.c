/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* One object out of all programs, so that they share their maps. */
#include "bpf/entry.bpf.c"
#include "bpf/shield.bpf.c"
#include "bpf/tc.bpf.c"
#include "bpf/tracing.bpf.c"

char LICENSE[] SEC("license") = "Dual BSD/GPL";
