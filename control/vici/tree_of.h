// SPDX-License-Identifier: Apache-2.0
// A section of a vici message as a configuration section: what load-conn, load-pool and load-authority bring.
#pragma once

#include <memory>
#include <string_view>

#include "control/config/tree.h"
#include "control/vici/message.h"

namespace espgate::control::vici {

std::unique_ptr<Section> tree_of(std::string_view name, const Message& section);

}  // namespace espgate::control::vici
