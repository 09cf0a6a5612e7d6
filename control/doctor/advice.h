// SPDX-License-Identifier: Apache-2.0
// What to do about the daemon's closed error codes, and about the kernel's own drop counters.
#pragma once

#include <span>
#include <string_view>

namespace espgate::control::doctor {

// One sentence or two; never empty. `code` and `step` are those of ConnRow's last_error, `notify` the RFC's name of
// what the peer sent.
std::string_view advice_for(std::string_view code, std::string_view notify, std::string_view step = {});

// A line of /proc/net/xfrm_stat that tells an operator something.
struct KernelCounter {
  std::string_view name, meaning, next_step;
};
std::span<const KernelCounter> kernel_counters();

}  // namespace espgate::control::doctor
