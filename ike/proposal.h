// SPDX-License-Identifier: Apache-2.0
// Proposals: RFC 7296 3.3, in strongSwan's words ("aes128gcm16-prfsha256-x25519", "aes256-sha256").
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/esp.h"

namespace espgate::ike {

enum class TransformType : std::uint8_t { encr = 1, prf = 2, integ = 3, group = 4, esn = 5 };
enum class Protocol : std::uint8_t { none = 0, ike = 1, ah = 2, esp = 3 };

// A transform with IANA's number; `key_bits` 0 where the transform has no key length attribute.
struct Transform {
  TransformType type{};
  std::uint16_t id = 0;
  std::uint16_t key_bits = 0;
  auto operator<=>(const Transform&) const = default;
};

// One proposal: any one transform of each type that is there. The order within a type is preference.
struct Proposal {
  Protocol protocol = Protocol::ike;
  std::vector<Transform> transforms;

  [[nodiscard]] std::string text() const;  // strongSwan's words
  bool operator==(const Proposal&) const = default;
};

// Puts the transforms of one type side by side, types in IANA's order; the order within a type, which is preference,
// stays.
void group_by_type(std::vector<Transform>& transforms);

// Parses one proposal string; the error says which word is wrong and what is expected. "default" gives several.
// As strongSwan: ESP proposals without "esn" or "noesn" mean noesn; IKE proposals without a prf word take the hash of
// their integrity words; AEAD and other ciphers do not go into one proposal; groups in ESP proposals are PFS.
std::expected<std::vector<Proposal>, std::string> parse_proposals(Protocol protocol, std::string_view text);

}  // namespace espgate::ike
