// SPDX-License-Identifier: Apache-2.0
// Distinguished names (X.501) in DER, as they stand in certificates and in ID payloads of type ID_DER_ASN1_DN, and in
// strongSwan's words: "C=CH, O=Example, CN=gw.example.org".
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace espgate::ike {

// "C=CH, O=x, CN=y" or "/C=CH/O=x/CN=y", "\" before a separator that is part of a value. nullopt: no such attribute,
// or an empty value.
std::optional<base::Bytes> parse_dn(std::string_view text);

// The same back; control characters escaped; nullopt if the octets are no distinguished name.
std::optional<std::string> dn_text(base::ByteView der);

// Whether `shown` has the same attributes in the same order. Text is compared without case and without regard to its
// string type; a value "*" in the pattern admits anything.
bool dn_admits(base::ByteView pattern, base::ByteView shown);

// Whether it has a value "*".
bool dn_has_wildcard(base::ByteView der);

}  // namespace espgate::ike
