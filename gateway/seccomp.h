// SPDX-License-Identifier: Apache-2.0
// The system calls that espgated may use; the list is in seccomp.cc.
#pragma once

#include <cstdint>
#include <expected>
#include <string>

namespace espgate::gateway {

// What another call does: it ends the process at once (the kernel's log has a line of it), or is let through with that
// line alone.
enum class Seccomp : std::uint8_t { kill, log };

// Puts the filter on every thread of the process, for good. The count of calls in the list, or why it cannot be: a
// kernel without seccomp is one reason.
std::expected<unsigned, std::string> confine_calls(Seccomp what_else_does);

// Narrower, on the calling thread alone and on top of the other: for a thread that reads the network. Calls beyond it
// fail with EPERM. Needs no_new_privs.
std::expected<unsigned, std::string> confine_engine_calls();

}  // namespace espgate::gateway
