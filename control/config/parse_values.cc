// SPDX-License-Identifier: Apache-2.0
#include "control/config/parse_values.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "control/config/keys.h"

namespace espgate::control {
namespace {

constexpr auto selector_form = "expected a prefix, a range or dynamic, and perhaps [proto/port]";

// "a-b" or "a..b", both of one family and in order.
std::optional<base::TrafficSelector> parse_range(std::string_view text) {
  auto split = text.find("..");
  std::size_t width = 2;
  if (split == std::string_view::npos) {
    split = text.find('-');
    width = 1;
  }
  if (split == std::string_view::npos) return std::nullopt;
  const auto first = base::Address::parse(text.substr(0, split));
  const auto last = base::Address::parse(text.substr(split + width));
  if (!first || !last || first->family() != last->family() || *last < *first) return std::nullopt;
  base::TrafficSelector out;
  out.first = *first;
  out.last = *last;
  return out;
}

std::optional<base::TrafficSelector> parse_network(std::string_view text) {
  if (const auto prefix = base::Prefix::parse(text)) return base::TrafficSelector::of(*prefix);
  return parse_range(text);
}

bool is_any(std::string_view text) { return text.empty() || text == "any" || text == "%any"; }

std::optional<std::uint8_t> parse_protocol(std::string_view text) {
  if (is_any(text)) return 0;
  if (const auto number = read_integer(text)) {
    return *number < 256 ? std::optional(static_cast<std::uint8_t>(*number)) : std::nullopt;
  }
  // The usual ones need no /etc/protocols, which small systems lack.
  static constexpr std::array<std::pair<std::string_view, std::uint8_t>, 10> known{{{"icmp", 1},
                                                                                    {"tcp", 6},
                                                                                    {"udp", 17},
                                                                                    {"gre", 47},
                                                                                    {"esp", 50},
                                                                                    {"ah", 51},
                                                                                    {"ipv6-icmp", 58},
                                                                                    {"icmpv6", 58},
                                                                                    {"ospf", 89},
                                                                                    {"sctp", 132}}};
  for (const auto& [name, number] : known) {
    if (text == name) return number;
  }
  const auto* entry = ::getprotobyname(std::string(text).c_str());
  return entry ? std::optional(static_cast<std::uint8_t>(entry->p_proto)) : std::nullopt;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  if (const auto number = read_integer(text)) {
    return *number <= 65535 ? std::optional(static_cast<std::uint16_t>(*number)) : std::nullopt;
  }
  const auto* entry = ::getservbyname(std::string(text).c_str(), nullptr);
  return entry ? std::optional(ntohs(static_cast<std::uint16_t>(entry->s_port))) : std::nullopt;
}

// What stands between the brackets.
Parsed<void> parse_upper(std::string_view text, base::TrafficSelector& into) {
  const auto slash = text.find('/');
  const auto protocol_text = text.substr(0, slash);
  const auto protocol = parse_protocol(protocol_text);
  if (!protocol) {
    return std::unexpected(fmt::format("unknown protocol {}, expected a name such as tcp or a number", protocol_text));
  }
  into.protocol = *protocol;
  const auto ports = slash == std::string_view::npos ? std::string_view{} : text.substr(slash + 1);
  if (is_any(ports)) return {};
  if (ports == "opaque") return std::unexpected("opaque ports are not supported, expected a port, a range or any");
  // A service's name may hold a '-': only digits on both sides make a range.
  const auto dash = ports.find('-');
  const bool range = dash != std::string_view::npos && read_integer(ports.substr(0, dash)).has_value();
  const auto first = parse_port(range ? ports.substr(0, dash) : ports);
  const auto last = range ? parse_port(ports.substr(dash + 1)) : first;
  if (!first || !last || *last < *first) {
    return std::unexpected(fmt::format("unknown port {}, expected 0-65535, a range of them or a service", ports));
  }
  into.first_port = *first;
  into.last_port = *last;
  return {};
}

int base64_digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

// RFC 4648 4; padding may be left out, blanks may not be there.
std::optional<base::Secret> from_base64(std::string_view text) {
  const auto padding = text.size() - std::min(text.size(), text.find_last_not_of('=') + 1);
  text.remove_suffix(padding);
  if (padding > 2 || text.size() % 4 == 1 || (padding > 0 && (text.size() + padding) % 4 != 0)) return std::nullopt;
  base::Secret out(text.size() * 6 / 8);
  std::uint32_t bits = 0;
  unsigned count = 0;
  std::size_t at = 0;
  for (const char c : text) {
    const int digit = base64_digit(c);
    if (digit < 0) return std::nullopt;
    bits = (bits << 6U) | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out.bytes()[at++] = static_cast<std::uint8_t>(bits >> count);
    }
  }
  base::wipe(&bits, sizeof bits);
  return out;
}

}  // namespace

Parsed<std::vector<base::Prefix>> parse_addresses(std::string_view text) {
  if (text == "%any4") return std::vector{base::Prefix(base::Address::any(base::Family::ipv4), 0)};
  if (text == "%any6") return std::vector{base::Prefix(base::Address::any(base::Family::ipv6), 0)};
  if (const auto network = parse_network(text)) return network->prefixes();
  const bool like_a_name = text.find_first_not_of("0123456789abcdefABCDEF.:/-%") != std::string_view::npos;
  if (like_a_name)
    return std::unexpected(fmt::format("names such as {} are not looked up yet, expected an address", text));
  return std::unexpected(fmt::format("{} is no address, expected an address, a prefix, a range or %any", text));
}

Parsed<std::uint32_t> parse_number(std::string_view text) {
  if (text.starts_with("%unique")) {
    return std::unexpected(fmt::format(
        "{} numbers each SA anew, which only a script could follow and none is run; expected a number", text));
  }
  const bool hex = text.starts_with("0x") || text.starts_with("0X");
  const auto digits = hex ? text.substr(2) : text;
  std::uint32_t out = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out, hex ? 16 : 10);
  if (error != std::errc{} || end != digits.data() + digits.size()) {
    return std::unexpected(fmt::format("{} is no number of 32 bits, expected one, decimal or 0x hex", text));
  }
  return out;
}

Parsed<base::Mark> parse_mark(std::string_view text) {
  if (text.starts_with("%same")) {
    return std::unexpected("%same copies the mark of the policy, which is not supported; expected value/mask");
  }
  const auto slash = text.find('/');
  const auto value = parse_number(text.substr(0, slash));
  if (!value) return std::unexpected(value.error());
  base::Mark out{*value, 0xffffffff};
  if (slash != std::string_view::npos) {
    const auto mask = parse_number(text.substr(slash + 1));
    if (!mask) return std::unexpected(mask.error());
    out.mask = *mask;
  }
  out.value &= out.mask;
  return out;
}

Parsed<ike::TsConfig> parse_selector(std::string_view text) {
  ike::TsConfig out;
  auto network = text;
  std::string_view upper;
  if (const auto bracket = text.find('['); bracket != std::string_view::npos) {
    if (!text.ends_with(']')) return std::unexpected(fmt::format("{} lacks its ']', {}", text, selector_form));
    network = text.substr(0, bracket);
    upper = text.substr(bracket + 1, text.size() - bracket - 2);
  }
  while (network.ends_with(' ')) network.remove_suffix(1);
  if (network == "dynamic") {
    out.dynamic = true;
    out.ts.last = base::Address::broadcast_of(base::Family::ipv4);
  } else if (const auto parsed = parse_network(network)) {
    out.ts = *parsed;
  } else {
    return std::unexpected(fmt::format("{} is no traffic selector, {}", network, selector_form));
  }
  if (auto done = parse_upper(upper, out.ts); !done) return std::unexpected(done.error());
  return out;
}

Parsed<base::Secret> parse_secret(std::string_view text) {
  if (text.starts_with("0x")) {
    // Hex by hand: an ordinary buffer would keep a copy of the key.
    const auto digits = text.substr(2);
    base::Secret out(digits.size() / 2);
    for (std::size_t i = 0; i < out.size(); ++i) {
      auto octet = base::from_hex(digits.substr(2 * i, 2));
      if (!octet) return std::unexpected("the secret is not hex, expected an even count of hex digits after 0x");
      out.bytes()[i] = octet->front();
      base::wipe(octet->data(), 1);
    }
    if (digits.empty() || digits.size() % 2 != 0) {
      return std::unexpected("the secret is not hex, expected an even count of hex digits after 0x");
    }
    return out;
  }
  if (text.starts_with("0s")) {
    auto out = from_base64(text.substr(2));
    if (!out || out->empty()) return std::unexpected("the secret is not base64, expected base64 after 0s");
    return std::move(*out);
  }
  if (text.empty()) return std::unexpected("the secret is empty, expected a key");
  return base::Secret::copy_of(base::as_bytes(text));
}

}  // namespace espgate::control
