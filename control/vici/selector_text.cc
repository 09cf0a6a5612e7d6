// SPDX-License-Identifier: Apache-2.0
#include <netdb.h>
#include <netinet/in.h>

#include <string>

#include "control/vici/command_parts.h"

namespace espgate::control::vici {
namespace {

std::string name_of(std::uint8_t protocol) {
  const auto* entry = ::getprotobynumber(protocol);
  return entry != nullptr ? entry->p_name : std::to_string(protocol);
}

// What RFC 7296 calls opaque, and strongSwan, too.
bool opaque(const base::TrafficSelector& ts) { return ts.first_port == 65535 && ts.last_port == 0; }

std::string ports_of(const base::TrafficSelector& ts) {
  if (opaque(ts)) return "OPAQUE";
  if (ts.first_port != ts.last_port) return std::to_string(ts.first_port) + "-" + std::to_string(ts.last_port);
  const auto* entry = ::getservbyport(htons(ts.first_port), ts.protocol != 0 ? name_of(ts.protocol).c_str() : nullptr);
  return entry != nullptr ? entry->s_name : std::to_string(ts.first_port);
}

}  // namespace

std::string selector_text(const base::TrafficSelector& ts) {
  const auto plain = ts.text();
  auto addresses = plain.substr(0, plain.find('['));
  const bool any_port = ts.first_port == 0 && ts.last_port == 65535;
  if (ts.protocol == 0 && any_port) return addresses;
  auto out = addresses + "[" + (ts.protocol != 0 ? name_of(ts.protocol) : "0");
  if (!any_port) out += "/" + ports_of(ts);
  return out + "]";
}

std::vector<std::string> selector_texts(const std::vector<base::TrafficSelector>& selectors) {
  std::vector<std::string> out;
  for (const auto& ts : selectors) out.push_back(selector_text(ts));
  return out;
}

}  // namespace espgate::control::vici
