// SPDX-License-Identifier: Apache-2.0
// The parts of the key table, by section; keys.cc joins them.
#pragma once

#include <span>

#include "control/config/keys.h"

namespace espgate::control {

std::span<const Key> connection_keys();  // keys_connections.cc
std::span<const Key> child_keys();       // keys_children.cc
std::span<const Key> other_keys();       // keys_others.cc: secrets, pools, authorities
std::span<const Key> gateway_keys();     // keys_gateway.cc

}  // namespace espgate::control
