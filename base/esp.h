// SPDX-License-Identifier: Apache-2.0
// The words for a child SA that ike/, sad/ and xfrm/ share: suite, selector, offload.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"

namespace espgate::base {

// The GCM ones differ in the length of the ICV alone (RFC 4106 6). aes_gcm_12 and aes_gcm_8 are
// tried on devices and not negotiated.
// none: AH (RFC 4302), which has an integrity algorithm alone.
enum class EspCipher : std::uint8_t { aes_cbc, aes_gcm_16, aes_gcm_12, aes_gcm_8, chacha20_poly1305, none };
enum class EspAuth : std::uint8_t { none, hmac_sha2_256_128, hmac_sha2_384_192, hmac_sha2_512_256 };

// What protects an ESP or AH SA. AEAD ciphers have auth = none; AH has cipher = none and key_bits = 0.
struct EspSuite {
  EspCipher cipher = EspCipher::aes_gcm_16;
  std::uint16_t key_bits = 128;  // without the salt
  EspAuth auth = EspAuth::none;
  bool esn = false;

  [[nodiscard]] bool ah() const { return cipher == EspCipher::none; }
  [[nodiscard]] bool aead() const { return cipher != EspCipher::aes_cbc && !ah(); }
  [[nodiscard]] std::size_t cipher_key_octets() const { return key_bits / 8U + salt_octets(); }  // key, then salt
  [[nodiscard]] std::size_t salt_octets() const { return aead() ? 4 : 0; }  // RFC 4106 4, RFC 7634 2
  [[nodiscard]] std::size_t auth_key_octets() const;                        // RFC 4868 2.1.1: the hash's output size
  [[nodiscard]] std::size_t icv_octets() const;
  [[nodiscard]] std::string name()
      const;  // strongSwan's words: "aes128gcm16", "aes256-sha256", "chacha20poly1305", "ah-sha256", with "-esn" if so
  bool operator==(const EspSuite&) const = default;
};

// A traffic selector (RFC 7296 3.13.1): addresses from first to last, both included, of one family.
struct TrafficSelector {
  std::uint8_t protocol = 0;  // IP protocol, 0 any
  std::uint16_t first_port = 0;
  std::uint16_t last_port = 65535;
  Address first, last;

  static TrafficSelector of(const Prefix& prefix);
  // The prefixes that together are exactly this range of addresses, in order; one if the range is a prefix.
  [[nodiscard]] std::vector<Prefix> prefixes() const;
  // What both cover; nullopt if nothing.
  [[nodiscard]] std::optional<TrafficSelector> intersect(const TrafficSelector& other) const;
  [[nodiscard]] bool contains(const TrafficSelector& other) const;
  [[nodiscard]] std::string text() const;  // "10.1.0.0/16", "10.0.0.1..10.0.0.9", "10.0.0.0/8[tcp/80]"
  auto operator<=>(const TrafficSelector&) const = default;
};

enum class OffloadWanted : std::uint8_t { no, automatic, crypto, packet };  // hw_offload = no|auto|crypto|packet
enum class OffloadActual : std::uint8_t { none, crypto, packet };           // as read back from the kernel
enum class Direction : std::uint8_t { in, out };
enum class SaMode : std::uint8_t { tunnel, transport };

// A packet mark (skb->mark) compared or written under a mask; mask 0: none.
struct Mark {
  std::uint32_t value = 0, mask = 0;
  auto operator<=>(const Mark&) const = default;
};

std::string_view to_string(OffloadWanted wanted);  // "no", "auto", "crypto", "packet"
std::string_view to_string(OffloadActual actual);  // "none", "crypto", "packet"
std::string_view to_string(Direction direction);   // "in", "out"
std::string_view to_string(SaMode mode);           // "tunnel", "transport"

}  // namespace espgate::base
