// SPDX-License-Identifier: Apache-2.0
// What the doctor looks at, as read at one moment (gather.h); plain values, so that the rules (diagnose.h) are tested
// without a machine. An empty optional: it could not be read.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "control/report/report.h"

namespace espgate::control::doctor {

// Of a kernel module. builtin and loaded are as good as each other.
enum class Module : std::uint8_t { absent, loadable, loaded, builtin };

struct DeviceFacts {
  std::string name;
  bool up = false;
  std::optional<std::uint32_t> mtu;
  std::optional<bool> esp_hw_offload;  // the feature as it stands; none: the device never has it
  // net.ipv4.conf.<dev>.*; empty if there is no such file
  std::string rp_filter, disable_xfrm, disable_policy;
};

// The way to somewhere: a device, or the error of who looked for it.
struct Way {
  std::string device, error;
  std::vector<std::string> beneath;  // the devices that would hold an SA; `device` itself if nothing is beneath it
};

struct ChildFacts {
  std::string conn, child;
  bool wants_offload = false, strict = false;
  bool forwards = false;  // its local selectors cover more than addresses of this host
  bool by_interface = false;
  std::optional<Way> to_peer;          // none: the peer has no fixed address
  std::string our_address;             // IPv4, where it is fixed
  std::string arrives_by;              // the device that has it: what the peer sends comes there
  std::map<std::string, Way> to_nets;  // by remote selector; none for XFRM interfaces, whose routes say enough
};

struct CertificateFacts {
  std::string conn, subject;
  bool local = true;
  std::int64_t not_before = 0, not_after = 0;  // epoch seconds
};

struct DiskFacts {
  std::string path;
  std::uint64_t free_octets = 0, free_inodes = 0;
};

struct ConfigFacts {
  std::string path;
  std::vector<std::string> errors, warnings;  // "FILE:LINE:COLUMN: text"
  std::uint32_t fragment_size = 0;            // octets; 0: the file could not be taken
  std::vector<ChildFacts> children;
  std::vector<CertificateFacts> certificates;
};

struct Facts {
  std::int64_t now = 0;                        // epoch seconds
  std::optional<bool> clock_synchronised;      // as adjtimex(2) says
  std::string our_version;                     // of this program
  std::string daemon_trouble;                  // why espgated did not answer; empty if it did
  std::string maps_trouble;                    // why there are no maps; empty if there are
  std::optional<std::string> kernel_trouble;   // why the kernel takes no ESP; empty: it does; none: not allowed to try
  std::map<std::string, Module> modules;       // those that ESP can need
  std::optional<bool> btf;                     // /sys/kernel/btf/vmlinux
  std::string lockdown;                        // "none", "integrity", "confidentiality"; empty: cannot be read
  std::map<std::string, std::string> sysctls;  // "net.ipv4.ip_forward" and its like, those that are there
  std::map<std::string, std::uint64_t> xfrm_stat;  // /proc/net/xfrm_stat
  std::optional<std::uint64_t> too_big;            // IP packets that did not fit and must not be fragmented
  std::vector<DeviceFacts> devices;
  std::vector<DiskFacts> disks;
  std::vector<std::string> other_daemons;    // "charon (1234)"
  std::optional<std::int64_t> textfile_age;  // seconds; none: there is no textfile
  std::string textfile;
  std::optional<ConfigFacts> config;
  std::string config_trouble;  // why there is no `config`
  report::Report report;       // SAs, counts, connections
};

}  // namespace espgate::control::doctor
