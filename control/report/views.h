// SPDX-License-Identifier: Apache-2.0
// The other tables of the CLI: rows as read, and their text and JSON (docs/schema/*.json). Rows of `conn` and `ike` are
// in report.h, because Prometheus counts them, too.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "control/report/device_known.h"
#include "control/report/report.h"

namespace espgate::control::report {

// A policy of ours as the ledger has it.
struct PolicyRow {
  std::string conn, child;  // empty for what serves all
  std::string direction;    // "in", "out", "fwd"
  std::string selector;     // "10.1.0.0/16 -> 10.2.0.0/16"
  std::string layer;        // "bypass", "shunt", "child", "trap", "floor"
  std::string action;       // "allow", "block"
  std::uint32_t priority = 0;
  std::string esp;                // "tunnel 192.0.2.1 -> 192.0.2.2"; empty: no ESP asked for
  std::optional<bool> in_kernel;  // none: the kernel was not asked
};

// A network device, as far as ESP offload goes.
struct DeviceRow {
  std::string device, driver;
  bool up = false;
  std::optional<bool> esp_hw_offload;       // the feature flag as it stands; none: the device does not have it
  bool fixed = false;                       // it cannot be changed
  std::uint64_t held_in = 0, held_out = 0;  // SAs of ours that it holds, by the ledger
  std::uint64_t wanted_in_software = 0;     // SAs that were wanted on it and run in software
  std::vector<std::string> reasons;         // closed codes of those, each once
  std::string driver_version, firmware;     // as ethtool says; may be empty
  std::optional<DeviceKnown> known;         // none: it is no device that a connection leaves by
};

// How counting is done on a device: where programs are attached.
struct StatsRow {
  std::string device;
  std::string attached;  // "native", "generic", "none", ...
  std::vector<ClassCount> classes;
};

// The shield: what it was told, and what it did on each device.
struct ShieldRules {
  bool active = false, drop_unknown = false;
  std::uint32_t cookie_rate = 0, fragment_rate = 0, source_rate = 0;  // packets a second; 0: no limit
};
struct ShieldDevice {
  std::string device;
  std::string xdp;  // "native", "generic", "none": it does not act there
  std::vector<ShieldCount> events;
};
struct ShieldView {
  std::optional<ShieldRules> rules;  // none: they could not be read
  std::vector<ShieldDevice> devices;
};

struct ProgramRow {
  std::uint32_t id = 0;
  std::string name, type;
  std::vector<std::string> attached;        // "nic0 native", "xfrm_replay_recheck fexit", ...
  std::uint64_t run_count = 0, run_ns = 0;  // 0 unless kernel.bpf_stats_enabled
};

struct MapRow {
  std::uint32_t id = 0;
  std::string name, type;
  std::uint64_t used = 0, most = 0;
  std::uint64_t octets = 0;  // of memory, as the kernel estimates it
};

struct FlowRow {
  std::string conn, child;
  std::string direction;
  std::string source, destination;  // with ports, "10.1.0.2:5201"
  std::string protocol;             // "tcp", "udp", "icmp", or a number
  Count hw, sw;
};

std::string conn_text(const std::vector<ConnRow>& rows, bool color, std::int64_t now);  // now: epoch seconds
std::string ike_text(const std::vector<IkeRow>& rows, bool color, std::int64_t now);
std::string policy_text(const std::vector<PolicyRow>& rows, bool color);
std::string device_text(const std::vector<DeviceRow>& rows, bool color, std::int64_t now);  // now: epoch seconds
std::string stats_text(const std::vector<StatsRow>& rows, bool color);
std::string shield_text(const ShieldView& view, bool color);
std::string program_text(const std::vector<ProgramRow>& rows, bool color);
std::string map_text(const std::vector<MapRow>& rows, bool color);
std::string flow_text(const std::vector<FlowRow>& rows, bool color);

std::string conn_json(const std::vector<ConnRow>& rows, bool pretty);
std::string ike_json(const std::vector<IkeRow>& rows, bool pretty);
std::string policy_json(const std::vector<PolicyRow>& rows, bool pretty);
std::string device_json(const std::vector<DeviceRow>& rows, bool pretty);
std::string stats_json(const std::vector<StatsRow>& rows, bool pretty);
std::string shield_json(const ShieldView& view, bool pretty);
std::string program_json(const std::vector<ProgramRow>& rows, bool pretty);
std::string map_json(const std::vector<MapRow>& rows, bool pretty);
std::string flow_json(const std::vector<FlowRow>& rows, bool pretty);

// {"error": {"code", "text"}}
std::string error_json(const std::string& code, const std::string& text, bool pretty);

}  // namespace espgate::control::report
