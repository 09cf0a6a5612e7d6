// SPDX-License-Identifier: Apache-2.0
// What espgated gives up once everything is open, before it has a second thread and before it reads its first datagram.
// There is no way back from any of it.
#pragma once

#include <sys/types.h>

#include <expected>
#include <optional>
#include <string>

#include "gateway/options.h"

namespace espgate::gateway {

// Before anything is read that is secret: no core dump of this process and nobody of its own user looks into it
// (PR_SET_DUMPABLE 0), its keys may be locked in memory as far as the system lets us, and what OpenSSL takes lies where
// keys lie.
void guard_memory();

// The group that may use the control socket; none if there is no group espgate. Looked up once, by guard_memory(): the
// name service wants more than the process may do later.
std::optional<gid_t> control_group();

// The process becomes `--user`, keeps of its capabilities CAP_NET_ADMIN, CAP_BPF and CAP_PERFMON, and with `dispatcher`
// CAP_SYS_ADMIN (libxdp opens the programs of others by their numbers, which takes that), gets no new ones, and
// has the seccomp filter (seccomp.h) on every thread. Our pins in bpffs are given to the user, and folders for the
// control socket and the device cache are made for it where they are not there yet. The sentence to end with if it
// cannot be.
std::expected<void, std::string> give_up_privileges(const Options& options, bool dispatcher);

// On a thread that reads the network, first of all: no capability at all, and the narrower filter. Harmless where
// give_up_privileges() was not called (tests): then nothing is given up.
void confine_engine_thread();

}  // namespace espgate::gateway
