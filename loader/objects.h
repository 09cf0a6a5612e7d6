// SPDX-License-Identifier: Apache-2.0
// The loaded BPF object: maps created or taken over from their pins, and those programs that this kernel takes.
#pragma once

#include <bpf/bpf.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "loader/btf.h"
#include "loader/loader.h"

struct bpf_object;

namespace espgate::loader {

// An exact hook: a program that counts, and what is attached for it (bpf/entry.bpf.c).
struct ExactHook {
  const char* name;
  bpf_attach_type type;
  int program = -1, entry = -1;  // fds; -1: the kernel does not take it
  int table = -1;                // fd of the program array that `entry` finds its program in
  std::uint32_t table_id = 0;
};

struct ObjectFds {  // owned by the Objects
  int meta = -1, sa_slot = -1, sa_index = -1, counters = -1, sa_dir = -1, policy_dir = -1, child_total = -1,
      devices = -1;
  int shield_rules = -1, shield_secrets = -1, shield_allow = -1, spread = -1, spread_cpus = -1;
  ExactHook arrive{"arrive", BPF_TRACE_FEXIT}, accept{"accept", BPF_TRACE_FEXIT}, receive{"receive", BPF_TRACE_FEXIT},
      transmit{"transmit", BPF_TRACE_FEXIT}, transmit_hit{"transmit_hit", BPF_TRACE_RAW_TP},
      transmit_busy{"transmit_busy", BPF_TRACE_RAW_TP};
  std::uint32_t sa_slot_id = 0, shield_note_id = 0;
  // What another object over the same maps needs.
  const bpf_object* object = nullptr;
  KernelConstants constants;
  std::uint32_t slots = 0;
  bool asks_kernel = false;  // shield can ask the kernel which SPIs it has SAs for
};

class Objects {
 public:
  // Pins maps in the directory of `options.bpffs`, which exists. Sentences about what is missing go to `capabilities`,
  // as does whether maps were reused. Maps of another layout are removed, with all that hangs on them, and said.
  static base::Result<Objects> load(const Options& options, Capabilities& capabilities);

  Objects(Objects&&) noexcept;
  Objects& operator=(Objects&&) noexcept;
  ~Objects();

  [[nodiscard]] const ObjectFds& fds() const { return fds_; }
  // A program for devices, by its name in bpf/; the fd stays ours. Those that few gateways use are verified when the
  // first device asks, for that is most of what a start costs. ENOTSUP, with the kernel's reason: it does not take it.
  base::Result<int> program(const std::string& name);
  [[nodiscard]] const espgate_meta& meta() const { return meta_; }
  base::Result<void> write_meta(const espgate_meta& meta);

 private:
  struct Skeletons;
  explicit Objects(std::unique_ptr<Skeletons> skeletons);
  std::unique_ptr<Skeletons> skeletons_;
  ObjectFds fds_;
  espgate_meta meta_{};
};

// Opened objects use the maps that another has loaded; false, with errno, if one does not fit.
bool share_maps(bpf_object* object, const bpf_object* loaded);

// Removes every pin of ours and the directory.
base::Result<void> remove_pins(const std::string& bpffs);

}  // namespace espgate::loader
