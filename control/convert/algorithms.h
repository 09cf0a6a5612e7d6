// SPDX-License-Identifier: Apache-2.0
// Proposals of ipsec.conf in swanctl's words. strongSwan's are that already; libreswan's are translated. Pure.
#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace espgate::control::convert {

enum class Kind { ike, esp };

// "aes_gcm256-sha2_512;dh19,aes128-sha2" -> "aes256gcm16-prfsha512-ecp256, aes128-sha256"; or the word that is not
// known.
std::expected<std::string, std::string> proposals(std::string_view text, Kind kind);

}  // namespace espgate::control::convert
