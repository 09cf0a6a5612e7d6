// SPDX-License-Identifier: Apache-2.0
// The configuration's reference, made from THE key table (keys.h) by tools/docgen.
#pragma once

#include <string>

#include "control/config/keys.h"

namespace espgate::control {

std::string key_man_page();   // espgate.conf(5), roff
std::string key_reference();  // docs/configuration.md

// A line as it would stand in the file, "rekey_time = 1h": the default, or a value of the key's type; empty for a
// section.
std::string key_example(const Key& key);

}  // namespace espgate::control
