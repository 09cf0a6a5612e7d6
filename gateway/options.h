// SPDX-License-Identifier: Apache-2.0
// espgated's command line.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "control/offload/device_cache.h"
#include "gateway/log.h"
#include "gateway/seccomp.h"

namespace espgate::gateway {

enum class KernelChoice : std::uint8_t { xfrm, null };

struct Options {
  std::string config = "/etc/espgate/espgate.conf";
  bool check_config = false;
  std::string vici = "unix:///run/espgate/espgated.vici";
  KernelChoice kernel = KernelChoice::xfrm;
  std::optional<std::uint32_t> workers;         // none: as the config says
  std::string devices = control::kDeviceCache;  // what devices take, kept over restarts
  std::string bpffs = "/sys/fs/bpf";
  std::string state;  // where IKE SAs are kept for a process after this one; empty: beside the control socket
  std::string log_level = "info";
  LogFormat log_format = LogFormat::text;
  std::string user;                 // whom to become; empty: who we are
  Seccomp seccomp = Seccomp::kill;  // what a system call does that is not in the list
};

// The options, or the exit status of a command line that ends here (--help, --version: 0; wrong use: 1).
std::variant<Options, int> parse_options(int argc, char** argv);

}  // namespace espgate::gateway
