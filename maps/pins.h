// SPDX-License-Identifier: Apache-2.0
// Where things are pinned.
#pragma once

#include <string>

namespace espgate::maps {

inline std::string pin_directory(const std::string& bpffs) { return bpffs + "/espgate"; }
inline std::string map_pin(const std::string& bpffs, const std::string& map) {
  return pin_directory(bpffs) + "/" + map;
}
// Links are named after program and device: "link_receive", "link_shield_7" (by ifindex).
inline constexpr const char* link_prefix = "link_";
// The program on a device whose link is libxdp's: "dispatched_7".
inline constexpr const char* dispatched_prefix = "dispatched_";

inline constexpr const char* map_names[] = {
    "meta",           "sa_slot",      "sa_index",      "counters",        "classes",          "flows",
    "sa_dir",         "policy_dir",   "child_total",   "devices",         "arriving",         "to_arrive",
    "to_accept",      "to_receive",   "to_transmit",   "to_transmit_hit", "to_transmit_busy", "shield_rules",
    "shield_secrets", "shield_allow", "shield_counts", "shield_buckets",  "shield_sources",   "shield_firsts",
    "shield_note",    "spread",       "spread_cpus"};

}  // namespace espgate::maps
