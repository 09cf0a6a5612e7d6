// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.h"

namespace espgate::ike::crypto {

// Octets of a literal; throws on a typing mistake.
inline base::Bytes hex(std::string_view text) { return base::from_hex(text).value(); }
inline std::string text_of(base::ByteView octets) { return base::to_hex(octets); }

}  // namespace espgate::ike::crypto
