// SPDX-License-Identifier: Apache-2.0
// The structured values of the configuration. Errors say what is wrong and what is expected, without the place.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/secret.h"
#include "ike/config.h"

namespace espgate::control {

template <class T>
using Parsed = std::expected<T, std::string>;

// "192.0.2.1", "10.0.0.0/8", "10.0.0.1-10.0.0.9", "%any4", "%any6": the prefixes that are exactly that.
Parsed<std::vector<base::Prefix>> parse_addresses(std::string_view text);

// "10.0.0.0/24", "10.0.0.1-10.0.0.9", "dynamic", each with an optional "[proto/port]": "[tcp/80]", "[udp]", "[/53]",
// "[tcp/1000-2000]", "[17/domain]".
// 32 bits, decimal or 0x hex.
Parsed<std::uint32_t> parse_number(std::string_view text);
// "value/mask", "value" (of all bits); the value's bits outside of the mask are dropped, as strongSwan does.
Parsed<base::Mark> parse_mark(std::string_view text);
Parsed<ike::TsConfig> parse_selector(std::string_view text);

// Plain text, "0x" and hex digits, or "0s" and base64.
Parsed<base::Secret> parse_secret(std::string_view text);

}  // namespace espgate::control
