// SPDX-License-Identifier: Apache-2.0
#include "base/esp.h"

#include <algorithm>
#include <bit>

namespace espgate::base {

std::size_t EspSuite::auth_key_octets() const {
  switch (auth) {
    case EspAuth::none:
      return 0;
    case EspAuth::hmac_sha2_256_128:
      return 32;
    case EspAuth::hmac_sha2_384_192:
      return 48;
    case EspAuth::hmac_sha2_512_256:
      return 64;
  }
  return 0;
}

std::size_t EspSuite::icv_octets() const {
  switch (cipher) {
    case EspCipher::aes_cbc:
    case EspCipher::none:
      return auth_key_octets() / 2;
    case EspCipher::aes_gcm_16:
    case EspCipher::chacha20_poly1305:
      return 16;
    case EspCipher::aes_gcm_12:
      return 12;
    case EspCipher::aes_gcm_8:
      return 8;
  }
  return 0;
}

std::string EspSuite::name() const {
  std::string out = "aes" + std::to_string(key_bits);
  if (ah()) {
    out = "ah";
  } else if (cipher == EspCipher::chacha20_poly1305) {
    out = "chacha20poly1305";
  } else if (aead()) {
    out += "gcm" + std::to_string(icv_octets());
  }
  switch (auth) {
    case EspAuth::none:
      break;
    case EspAuth::hmac_sha2_256_128:
      out += "-sha256";
      break;
    case EspAuth::hmac_sha2_384_192:
      out += "-sha384";
      break;
    case EspAuth::hmac_sha2_512_256:
      out += "-sha512";
      break;
  }
  if (esn) out += "-esn";
  return out;
}

TrafficSelector TrafficSelector::of(const Prefix& prefix) {
  TrafficSelector out;
  out.first = prefix.address();
  out.last = prefix.last();
  return out;
}

namespace {
// The address after `address`; nullopt past the last one.
std::optional<Address> successor(const Address& address) {
  Bytes octets(address.octets().begin(), address.octets().end());
  for (std::size_t i = octets.size(); i-- > 0;) {
    if (++octets[i] != 0) return Address::from_octets(octets);
  }
  return std::nullopt;
}

// Zero bits at the end of an address.
int trailing_zeros(const Address& address) {
  const auto octets = address.octets();
  int out = 0;
  for (std::size_t i = octets.size(); i-- > 0;) {
    if (octets[i] != 0) return out + std::countr_zero(octets[i]);
    out += 8;
  }
  return out;
}

// The largest prefix that starts at `first` and does not pass `last`.
Prefix largest_prefix(const Address& first, const Address& last) {
  const int bits = 8 * octets(first.family());
  for (int length = bits - trailing_zeros(first); length < bits; ++length) {
    const Prefix candidate(first, static_cast<std::uint8_t>(length));
    if (candidate.last() <= last) return candidate;
  }
  return Prefix::host(first);
}
}  // namespace

std::vector<Prefix> TrafficSelector::prefixes() const {
  std::vector<Prefix> out;
  std::optional<Address> at = first;
  while (at && *at <= last) {
    out.push_back(largest_prefix(*at, last));
    at = successor(out.back().last());
  }
  return out;
}

std::optional<TrafficSelector> TrafficSelector::intersect(const TrafficSelector& other) const {
  if (first.family() != other.first.family()) return std::nullopt;
  if (protocol != 0 && other.protocol != 0 && protocol != other.protocol) return std::nullopt;
  TrafficSelector out;
  out.protocol = protocol != 0 ? protocol : other.protocol;
  out.first_port = std::max(first_port, other.first_port);
  out.last_port = std::min(last_port, other.last_port);
  out.first = std::max(first, other.first);
  out.last = std::min(last, other.last);
  if (out.first_port > out.last_port || out.first > out.last) return std::nullopt;
  return out;
}

bool TrafficSelector::contains(const TrafficSelector& other) const { return intersect(other) == other; }

std::string TrafficSelector::text() const {
  const auto prefix = largest_prefix(first, last);
  std::string out = prefix.last() == last ? prefix.text() : first.text() + ".." + last.text();
  const bool any_port = first_port == 0 && last_port == 65535;
  if (protocol == 0 && any_port) return out;
  out += "[";
  out += protocol == 0 ? "any" : protocol == 6 ? "tcp" : protocol == 17 ? "udp" : std::to_string(protocol);
  if (!any_port) {
    out += "/" + std::to_string(first_port);
    if (last_port != first_port) out += "-" + std::to_string(last_port);
  }
  return out + "]";
}

std::string_view to_string(OffloadWanted wanted) {
  switch (wanted) {
    case OffloadWanted::no:
      return "no";
    case OffloadWanted::automatic:
      return "auto";
    case OffloadWanted::crypto:
      return "crypto";
    case OffloadWanted::packet:
      return "packet";
  }
  return "?";
}

std::string_view to_string(OffloadActual actual) {
  switch (actual) {
    case OffloadActual::none:
      return "none";
    case OffloadActual::crypto:
      return "crypto";
    case OffloadActual::packet:
      return "packet";
  }
  return "?";
}

std::string_view to_string(Direction direction) { return direction == Direction::in ? "in" : "out"; }
std::string_view to_string(SaMode mode) { return mode == SaMode::tunnel ? "tunnel" : "transport"; }

}  // namespace espgate::base
