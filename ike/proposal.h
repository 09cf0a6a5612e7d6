// SPDX-License-Identifier: Apache-2.0
// Proposals: RFC 7296 3.3, in strongSwan's words ("aes128gcm16-prfsha256-x25519", "aes256-sha256").
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/esp.h"

namespace espgate::ike {

// ke1 to ke7: additional key exchanges (ADDKE1 to ADDKE7, RFC 9370 2.2.1), with the ids of `group`; 0 is NONE.
enum class TransformType : std::uint8_t { encr = 1, prf, integ, group, esn, ke1, ke2, ke3, ke4, ke5, ke6, ke7 };
inline constexpr std::array kAdditional{TransformType::ke1, TransformType::ke2, TransformType::ke3, TransformType::ke4,
                                        TransformType::ke5, TransformType::ke6, TransformType::ke7};
inline constexpr bool additional(TransformType type) { return type >= TransformType::ke1; }

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
// their integrity words; AEAD and other ciphers do not go into one proposal; groups in ESP proposals are PFS;
// "ke1_mlkem768" is an additional key exchange, "ke1_none" says that it may be left out. A word that this OpenSSL has
// no algorithm for is refused.
std::expected<std::vector<Proposal>, std::string> parse_proposals(Protocol protocol, std::string_view text);

}  // namespace espgate::ike
