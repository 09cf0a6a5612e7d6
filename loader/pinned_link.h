// SPDX-License-Identifier: Apache-2.0
// One attached program whose link is pinned, so that it stays when we go.
#pragma once

#include <bpf/bpf.h>

#include <cstdint>
#include <string>

#include "base/error.h"

namespace espgate::loader {

struct Hook {
  std::string pin;               // path of the link
  int program = -1;              // fd, not owned; may become one of an equal program that runs already
  bpf_attach_type type{};        // BPF_XDP, BPF_TCX_INGRESS, BPF_TRACE_FEXIT, ...
  int target = 0;                // ifindex; 0 for tracing
  std::uint32_t flags = 0;       // XDP_FLAGS_*
  std::uint32_t shared_map = 0;  // id of a map that a program worth keeping must use
};

enum class LinkState : std::uint8_t { kept, replaced, attached };

// A link that is pinned already is kept if it runs the same code over the same maps, else moved to `program` without a
// gap where the kernel can (tcx, XDP), with a gap of microseconds where it cannot (tracing).
base::Result<LinkState> install(const Hook& hook);

// Detaches and unpins; nothing to do is success.
void uninstall(const std::string& pin);

// Whether a live link is pinned there (its device may be gone).
bool is_installed(const std::string& pin);

}  // namespace espgate::loader
