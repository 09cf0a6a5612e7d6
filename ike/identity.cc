// SPDX-License-Identifier: Apache-2.0
#include "ike/identity.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "ike/distinguished_name.h"

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

std::optional<Identity> of_dn(std::string_view text) {
  auto der = parse_dn(text);
  if (!der) return std::nullopt;
  return Identity{IdType::dn, std::move(*der)};
}

// Two addresses of one family, the lower first.
std::optional<Identity> of_bounds(bool subnet, const base::Address& first, const base::Address& last) {
  if (first.family() != last.family() || last < first) return std::nullopt;
  Identity out;
  out.type = subnet ? (first.is_v4() ? IdType::ipv4_subnet : IdType::ipv6_subnet)
                    : (first.is_v4() ? IdType::ipv4_range : IdType::ipv6_range);
  out.data.assign(first.octets().begin(), first.octets().end());
  out.data.insert(out.data.end(), last.octets().begin(), last.octets().end());
  return out;
}

// "192.0.2.0/24" and "192.0.2.1-192.0.2.9"
std::optional<Identity> of_network(std::string_view text) {
  if (text.find('/') != std::string_view::npos) {
    const auto prefix = base::Prefix::parse(text);
    return prefix ? of_bounds(true, prefix->address(), prefix->last()) : std::nullopt;
  }
  const auto dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto first = base::Address::parse(text.substr(0, dash));
  const auto last = base::Address::parse(text.substr(dash + 1));
  return first && last ? of_bounds(false, *first, *last) : std::nullopt;
}

struct Bounds {
  base::Address first, last;
};
// Of a subnet or range; both are kept as first and last address.
std::optional<Bounds> bounds(const Identity& id) {
  if (id.type != IdType::ipv4_subnet && id.type != IdType::ipv6_subnet && id.type != IdType::ipv4_range &&
      id.type != IdType::ipv6_range) {
    return std::nullopt;
  }
  const auto half = id.data.size() / 2;
  const base::ByteView data = id.data;
  const auto first = base::Address::from_octets(data.first(half));
  const auto last = base::Address::from_octets(data.subspan(half));
  if (!first || !last || first->family() != last->family()) return std::nullopt;
  return Bounds{*first, *last};
}

// The value behind an explicit "type:", "#" before hex digits.
std::optional<Identity> of_typed(IdType type, std::string_view value) {
  if (value.empty()) return std::nullopt;
  if (type == IdType::ipv4 || type == IdType::ipv6) return of_address(type, value);
  if (value.starts_with('#')) return of_hex(type, value.substr(1));
  if (type == IdType::dn) return of_dn(value);
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
  if (const auto network = of_network(text)) return network;
  if (text.find('=') != std::string_view::npos) return of_dn(text);
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
      if (auto name = dn_text(data)) return std::move(*name);
      break;
    case IdType::ipv4_subnet:
    case IdType::ipv6_subnet:
    case IdType::ipv4_range:
    case IdType::ipv6_range:
      if (const auto range = bounds(*this)) return range->first.text() + "-" + range->last.text();
      break;
  }
  return "type " + std::to_string(static_cast<unsigned>(type)) + " " + base::to_hex(data);
}

bool Identity::pattern() const {
  if (type == IdType::any) return true;
  if (type == IdType::dn) return dn_has_wildcard(data);
  if (type == IdType::fqdn || type == IdType::email) return !data.empty() && data.front() == '*';
  return bounds(*this).has_value();
}

bool Identity::admits(const Identity& shown) const {
  if (type == IdType::any) return true;
  if (const auto range = bounds(*this)) {
    const bool fits = shown.type == (range->first.is_v4() ? IdType::ipv4 : IdType::ipv6);
    const auto address = base::Address::from_octets(shown.data);
    return fits && address && address->family() == range->first.family() && range->first <= *address &&
           *address <= range->last;
  }
  if (shown.type != type) return false;
  if (type == IdType::dn) return data == shown.data || dn_admits(data, shown.data);
  if (type != IdType::fqdn && type != IdType::email) return shown.data == data;
  const auto mine = base::as_text(data);
  const auto name = base::as_text(shown.data);
  if (mine.starts_with('*')) {
    const auto tail = mine.substr(1);
    return name.size() > tail.size() && equal_ignoring_case(name.substr(name.size() - tail.size()), tail);
  }
  return equal_ignoring_case(mine, name);
}

}  // namespace espgate::ike
