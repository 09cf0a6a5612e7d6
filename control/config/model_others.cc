// SPDX-License-Identifier: Apache-2.0
// The `pools` and `authorities` sections.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "control/config/model_parts.h"
#include "control/config/parse_values.h"

namespace espgate::control {
namespace {

constexpr int kMostHostBits = 31;  // a pool of more is cut, as strongSwan does

std::uint64_t low_bits(const base::Address& address, int count) {
  std::uint64_t out = 0;
  for (const auto octet : address.octets().last(4)) out = out << 8U | octet;
  return out & ((std::uint64_t{1} << static_cast<unsigned>(count)) - 1);
}

// A prefix gives what lies behind the address written, but for the first and the last one where there are more than
// two.
std::uint64_t size_of(const base::Address& from, std::uint8_t length) {
  const int bits = std::min(8 * base::octets(from.family()) - length, kMostHostBits);
  const auto all = std::uint64_t{1} << static_cast<unsigned>(bits);
  const auto first = low_bits(from, bits);
  if (bits < 2) return all - first;
  return first == all - 1 ? 1 : all - 1 - std::max<std::uint64_t>(first, 1);
}

bool read_addresses(std::string_view text, Pool& into) {
  if (const auto slash = text.find('/'); slash != std::string_view::npos) {
    const auto from = base::Address::parse(text.substr(0, slash));
    const auto prefix = base::Prefix::parse(text);
    if (!from || !prefix) return false;
    into.base = *from;
    into.size = size_of(*from, prefix->length());
    return true;
  }
  const auto prefixes = parse_addresses(text);
  if (!prefixes) return false;
  into.base = prefixes->front().address();
  for (const auto& prefix : *prefixes) {
    const int bits = std::min(8 * base::octets(prefix.family()) - prefix.length(), kMostHostBits);
    into.size += std::uint64_t{1} << static_cast<unsigned>(bits);
  }
  return true;
}

bool is_attribute(std::string_view name) {
  static constexpr std::array names{"address", "dns",    "nbns",          "dhcp",         "netmask",
                                    "server",  "subnet", "split_include", "split_exclude"};
  return std::ranges::find(names, name) != names.end() || read_integer(name).value_or(UINT64_MAX) <= UINT16_MAX;
}

// Numbered ones hold anything.
bool is_attribute_value(std::string_view name, std::string_view text) {
  return read_integer(name) || base::Prefix::parse(text).has_value();
}

void read_attribute(const Value& value, Pool& into, Report& report) {
  if (!is_attribute(value.key)) {
    return report.error(value.at, fmt::format("unknown attribute {} of a pool, expected dns, nbns, dhcp, netmask, "
                                              "server, subnet, split_include, split_exclude, address or a number",
                                              value.key));
  }
  std::vector<std::string> items;
  for (auto& item : value.list()) {
    if (!is_attribute_value(value.key, item.text)) {
      report.error(item.at,
                   fmt::format("{} = {} is not possible, expected an address or a prefix", value.key, item.text));
    }
    items.push_back(std::move(item.text));
  }
  into.attributes.emplace_back(value.key, std::move(items));
}

std::vector<std::string> texts(const SectionReader& from, std::string_view key) {
  std::vector<std::string> out;
  if (const auto* value = from.get(key)) {
    for (auto& item : value->list()) out.push_back(std::move(item.text));
  }
  return out;
}

}  // namespace

std::optional<Pool> build_pool(const Section& section, Report& report) {
  const auto errors = report.errors.size();
  Pool out;
  out.name = section.name;
  out.at = section.at;
  const auto* addrs = section.value("addrs");
  if (addrs == nullptr || !addrs->set) {
    report.error(section.at, fmt::format("pool {} has no addresses, expected addrs = a prefix or a range", out.name));
  } else if (!read_addresses(addrs->text, out)) {
    report.error(addrs->value_at, fmt::format("addrs = {} is not possible, expected a prefix or a range", addrs->text));
  }
  for (const auto& value : section.values) {
    if (value.key != "addrs" && value.set) read_attribute(value, out, report);
  }
  return report.errors.size() == errors ? std::optional(std::move(out)) : std::nullopt;
}

void build_pools(const Section* section, Configuration& config, Report& report) {
  if (section == nullptr) return;
  for (const auto& sub : section->sections) {
    if (auto pool = build_pool(*sub, report)) config.pools.push_back(std::move(*pool));
  }
}

Authority build_authority(const Section& section, Credentials& credentials, Report& report) {
  Authority out;
  SectionReader from(section, report);
  out.name = section.name;
  out.at = section.at;
  out.cert = credentials.load_authority(section);
  out.crl_uris = texts(from, "crl_uris");
  out.ocsp_uris = texts(from, "ocsp_uris");
  out.cert_uri_base = from.text("cert_uri_base", "");
  return out;
}

void build_authorities(const Section* section, Configuration& config, Credentials& credentials, Report& report) {
  if (section == nullptr) return;
  for (const auto& sub : section->sections) {
    config.authorities.push_back(build_authority(*sub, credentials, report));
  }
}

}  // namespace espgate::control
