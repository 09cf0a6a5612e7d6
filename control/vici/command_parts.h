// SPDX-License-Identifier: Apache-2.0
// The parts that add_commands() is made of.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "control/vici/commands.h"

namespace espgate::control::vici {

void add_queries(Server& server, Daemon& daemon);  // queries.cc: what only asks

// A decimal number of a request; nullopt if it is not there or none.
std::optional<std::int64_t> number_of(const Message& request, std::string_view key);

}  // namespace espgate::control::vici
