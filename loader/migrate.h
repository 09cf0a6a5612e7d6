// SPDX-License-Identifier: Apache-2.0
// Pinned maps of an earlier version, taken over with what is in them.
#pragma once

#include <string>

#include "base/error.h"

struct bpf_object;

namespace espgate::loader {

// Makes the pinned maps fit those of `object`, which is opened and not loaded: what has their shape stays, arrays of
// the same entries are copied into a map of the wanted kind, which takes the pin in one step. What is new is left to
// the load. EPROTO, with nothing lost: a map has entries of another size. Programs that run meanwhile go on with the
// maps they have, so no map that they write may be copied.
base::Result<void> adapt_pinned(const std::string& bpffs, bpf_object* object);

}  // namespace espgate::loader
