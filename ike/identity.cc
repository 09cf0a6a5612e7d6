// SPDX-License-Identifier: Apache-2.0
#include "ike/identity.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

namespace espgate::ike {

namespace {
Identity of_text(IdType type, std::string_view text) {
  const auto octets = base::as_bytes(text);
  return {type, {octets.begin(), octets.end()}};
}

std::optional<Identity> of_address(IdType type, std::string_view text) {
  const auto address = base::Address::parse(text);
  if (!address || address->is_v4() != (type == IdType::ipv4)) return std::nullopt;
  return Identity::of(*address);
}

std::optional<Identity> of_hex(IdType type, std::string_view hex) {
  auto octets = base::from_hex(hex);
  if (!octets || octets->empty()) return std::nullopt;
  return Identity{type, std::move(*octets)};
}

// The value behind an explicit "type:", "#" before hex digits.
std::optional<Identity> of_typed(IdType type, std::string_view value) {
  if (value.empty()) return std::nullopt;
  if (type == IdType::ipv4 || type == IdType::ipv6) return of_address(type, value);
  if (type == IdType::dn) return std::nullopt;  // certificates are not supported yet
  if (value.starts_with('#')) return of_hex(type, value.substr(1));
  return of_text(type, value);
}

// strongSwan's prefixes; nullopt in the pair's place if the text has none of them.
std::optional<std::pair<IdType, std::string_view>> split_prefix(std::string_view text) {
  static constexpr auto kPrefixes = std::to_array<std::pair<std::string_view, IdType>>({
      {"ipv4:", IdType::ipv4},
      {"ipv6:", IdType::ipv6},
      {"fqdn:", IdType::fqdn},
      {"dns:", IdType::fqdn},
      {"email:", IdType::email},
      {"rfc822:", IdType::email},
      {"userfqdn:", IdType::email},
      {"keyid:", IdType::key_id},
      {"dn:", IdType::dn},
      {"asn1dn:", IdType::dn},
  });
  for (const auto& [prefix, type] : kPrefixes) {
    if (text.starts_with(prefix)) return std::pair{type, text.substr(prefix.size())};
  }
  return std::nullopt;
}

bool is_any_word(std::string_view text) {
  return text == "%any" || text == "%any6" || text == "*" || text == "0.0.0.0" || text == "::";
}

// Text that begins with "@": no address, whatever it looks like.
std::optional<Identity> of_at(std::string_view rest) {
  if (rest.starts_with('#')) return of_hex(IdType::key_id, rest.substr(1));
  if (rest.starts_with('@')) return of_typed(IdType::email, rest.substr(1));
  return rest.empty() ? std::nullopt : std::optional(of_text(IdType::fqdn, rest));
}

char lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

bool printable(base::ByteView octets) {
  return std::ranges::all_of(octets, [](std::uint8_t octet) { return octet >= 0x20 && octet < 0x7f; });
}

std::string escaped(base::ByteView octets) {
  std::string out;
  for (const auto octet : octets) {
    if (octet >= 0x20 && octet < 0x7f && octet != '\\') {
      out += static_cast<char>(octet);
    } else {
      out += "\\x" + base::to_hex({&octet, 1});
    }
  }
  return out;
}
}  // namespace

std::optional<Identity> Identity::parse(std::string_view text) {
  if (text.empty()) return std::nullopt;
  if (is_any_word(text)) return Identity{};
  if (const auto typed = split_prefix(text)) return of_typed(typed->first, typed->second);
  if (text.starts_with('@')) return of_at(text.substr(1));
  if (const auto address = base::Address::parse(text)) return of(*address);
  if (text.find('=') != std::string_view::npos) return std::nullopt;  // a distinguished name
  if (text.find('@') != std::string_view::npos) return of_text(IdType::email, text);
  if (text.find(':') != std::string_view::npos) return of_text(IdType::key_id, text);
  return of_text(IdType::fqdn, text);
}

Identity Identity::of(const base::Address& address) {
  const auto octets = address.octets();
  return {address.is_v4() ? IdType::ipv4 : IdType::ipv6, {octets.begin(), octets.end()}};
}

std::string Identity::text() const {
  switch (type) {
    case IdType::any:
      return "%any";
    case IdType::ipv4:
    case IdType::ipv6:
      if (const auto address = base::Address::from_octets(data)) return address->text();
      break;
    case IdType::fqdn:
    case IdType::email:
      return escaped(data);
    case IdType::key_id:
      return printable(data) ? escaped(data) : "@#" + base::to_hex(data);
    case IdType::dn:
      break;
  }
  return "type " + std::to_string(static_cast<unsigned>(type)) + " " + base::to_hex(data);
}

bool Identity::admits(const Identity& shown) const {
  if (type == IdType::any) return true;
  if (shown.type != type) return false;
  if (type != IdType::fqdn && type != IdType::email) return shown.data == data;
  const auto pattern = base::as_text(data);
  const auto name = base::as_text(shown.data);
  if (pattern.starts_with("*.") || pattern.starts_with("*@")) {
    const auto tail = pattern.substr(1);
    return name.size() > tail.size() && equal_ignoring_case(name.substr(name.size() - tail.size()), tail);
  }
  return equal_ignoring_case(pattern, name);
}

}  // namespace espgate::ike
