// SPDX-License-Identifier: Apache-2.0
#include "control/config/key_docs.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "control/command/roff.h"

namespace espgate::control {
namespace {

using command::roff;

std::string_view type_text(KeyType type) {
  switch (type) {
    case KeyType::section:
      return "section";
    case KeyType::text:
      return "text";
    case KeyType::boolean:
      return "yes or no";
    case KeyType::integer:
      return "number";
    case KeyType::number:
      return "number, with a fraction";
    case KeyType::duration:
      return "time: 90, 90s, 5m, 4h, 1d";
    case KeyType::size:
      return "octets: 10000, 10k, 1M, 2G";
    case KeyType::choice:
      return "one of";
    case KeyType::list:
      return "list";
    case KeyType::addresses:
      return "list of addresses";
    case KeyType::selectors:
      return "list of traffic selectors";
    case KeyType::proposals:
      return "list of proposals";
    case KeyType::identity:
      return "identity";
    case KeyType::secret:
      return "secret";
  }
  return "";
}

// Values that no type gives: what a key of this name looks like.
std::string_view known_example(std::string_view name) {
  static const std::map<std::string_view, std::string_view> examples{{"local_addrs", "192.0.2.1"},
                                                                     {"remote_addrs", "198.51.100.1"},
                                                                     {"proposals", "aes128gcm16-prfsha256-x25519"},
                                                                     {"esp_proposals", "aes128gcm16"},
                                                                     {"ah_proposals", "sha256"},
                                                                     {"local_ts", "10.1.0.0/16"},
                                                                     {"remote_ts", "10.2.0.0/16"},
                                                                     {"id", "gw-1.example.org"},
                                                                     {"id*", "gw-1.example.org"},
                                                                     {"auth", "psk"},
                                                                     {"certs", "gw-1.pem"},
                                                                     {"cacerts", "ca.pem"},
                                                                     {"cacert", "ca.pem"},
                                                                     {"file", "gw-1.pem"},
                                                                     {"crl_uris", "file:///etc/espgate/x509crl/ca.crl"},
                                                                     {"mark_in", "0x2a/0xffffffff"},
                                                                     {"mark_out", "0x2a/0xffffffff"},
                                                                     {"set_mark_in", "0x2a"},
                                                                     {"set_mark_out", "0x2a"},
                                                                     {"if_id_in", "42"},
                                                                     {"if_id_out", "42"},
                                                                     {"interfaces", "nic0, nic1"},
                                                                     {"spread", "1-3"},
                                                                     {"slots", "1024"},
                                                                     {"allow", "192.0.2.0/24"},
                                                                     {"addrs", "10.3.0.0/24"}};
  const auto found = examples.find(name);
  return found == examples.end() ? std::string_view() : found->second;
}

std::string_view value_example(KeyType type) {
  switch (type) {
    case KeyType::boolean:
      return "yes";
    case KeyType::integer:
      return "10";
    case KeyType::number:
      return "1.5";
    case KeyType::duration:
      return "90s";
    case KeyType::size:
      return "1G";
    case KeyType::addresses:
      return "192.0.2.0/24";
    case KeyType::selectors:
      return "10.1.0.0/16";
    case KeyType::proposals:
      return "aes128gcm16";
    case KeyType::identity:
      return "gw-1.example.org";
    case KeyType::secret:
      return "0sMDEyMzQ1Njc4OWFiY2RlZg==";
    default:
      return "name";
  }
}

std::string_view last_part(std::string_view path) { return path.substr(path.rfind('.') + 1); }

// "one of tunnel, transport", "time: ...; in s".
std::string form_of(const Key& key) {
  std::string out(type_text(key.type));
  if (key.type == KeyType::choice) {
    std::string choices(key.choices);
    for (std::size_t at = 0; (at = choices.find(' ', at)) != std::string::npos; at += 2) choices.replace(at, 1, ", ");
    out += " " + choices;
  }
  if (!key.unit.empty()) out += fmt::format("; in {}", key.unit);
  return out;
}

std::string status_of(const Key& key) {
  switch (key.status) {
    case KeyStatus::honoured:
      return "";
    case KeyStatus::ignored:
      return fmt::format("Accepted with a warning: {}.", key.why);
    case KeyStatus::refused:
      return fmt::format("Refused: {}.", key.why);
  }
  return "";
}

std::string markdown(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|' || c == '<' || c == '>' || c == '*' || c == '_') out += '\\';
    out += c;
  }
  return out;
}

std::string example_cell(const Key& key) {
  std::string example = key_example(key);
  std::replace(example.begin(), example.end(), '|', '/');
  return example.empty() ? "" : fmt::format("`{}`", example);
}

}  // namespace

std::string key_example(const Key& key) {
  if (key.type == KeyType::section) return "";
  std::string name(last_part(key.path));
  std::string_view value = known_example(name);
  if (value.empty()) value = key.default_value;
  if (value.empty() && key.type == KeyType::choice) value = key.choices.substr(0, key.choices.find(' '));
  if (value.empty()) value = value_example(key.type);
  if (name == "id*") name = "id-1";
  if (name == "<attr>") name = "dns";
  return fmt::format("{} = {}", name, value);
}

std::string key_reference() {
  std::string out =
      "# Configuration\n\n"
      "<!-- Made from the key table (control/config/keys_*.cc) by tools/docgen; the test docs_made compares. Do not "
      "edit. -->\n\n"
      "`/etc/espgate/espgate.conf` has swanctl.conf's grammar: sections `name { key = value }`, `#` comments, `include "
      "PATTERN`,\n"
      "references `name : other { }`, quoted values. `\\<conn>` stands for any name, `*` for any suffix. `espgated "
      "--check-config` finds\n"
      "every error in one run, with line and column; `espgate conn reload` takes a new file whole or not at all.\n\n"
      "`include %d/NAME` reads a credential of systemd's (`LoadCredential=`); where there are none that is a "
      "warning.\n";
  std::string_view section;
  for (const auto& key : all_keys()) {
    if (key.type == KeyType::section) {
      section = key.path;
      const auto status = status_of(key);
      out += fmt::format("\n## {}\n{}.{}{}\n\n| key | value | default | meaning | example |\n|---|---|---|---|---|\n",
                         markdown(key.path), markdown(key.description), status.empty() ? "" : " ", markdown(status));
      continue;
    }
    const auto status = status_of(key);
    out += fmt::format("| `{}` | {} | {} | {}.{}{} | {} |\n", last_part(key.path), markdown(form_of(key)),
                       key.default_value.empty() ? "" : fmt::format("`{}`", key.default_value),
                       markdown(key.description), status.empty() ? "" : " ", markdown(status), example_cell(key));
  }
  // A section without keys of its own needs no empty table.
  const std::string empty = "\n| key | value | default | meaning | example |\n|---|---|---|---|---|\n\n## ";
  for (auto at = out.find(empty); at != std::string::npos; at = out.find(empty, at))
    out.replace(at, empty.size(), "\n## ");
  if (out.ends_with(empty.substr(0, empty.size() - 4))) out.resize(out.size() - (empty.size() - 4));
  return out;
}

std::string key_man_page() {
  std::string out = fmt::format(
      ".\\\" SPDX-License-Identifier: Apache-2.0\n.\\\" Made from the key table (tools/docgen), do not edit.\n"
      ".TH ESPGATE.CONF 5 \"\" \"espgate {}\" \"espgate\"\n"
      ".SH NAME\nespgate.conf \\- configuration of espgated\n.SH DESCRIPTION\n"
      "The file /etc/espgate/espgate.conf has the grammar of swanctl.conf(5): sections, \\fIkey\\fR = \\fIvalue\\fR, # "
      "comments,\n"
      "\\fBinclude\\fR \\fIPATTERN\\fR, references and quoted values. <conn> stands for any name, * for any suffix. It "
      "holds secrets:\n"
      "one that others may read is refused. \\fBespgated \\-\\-check\\-config\\fR finds every error in one run, with "
      "line and column.\n"
      ".PP\n\\fBinclude %d/\\fINAME\\fR reads a credential of systemd (LoadCredential=); where there are none that is "
      "a "
      "warning.\n.SH KEYS\n",
      ESPGATE_VERSION);
  for (const auto& key : all_keys()) {
    const auto status = status_of(key);
    const auto tail = status.empty() ? "" : "\n" + roff(status);
    if (key.type == KeyType::section) {
      out += fmt::format(".SS {}\n{}.{}\n", roff(key.path), roff(key.description), tail);
      continue;
    }
    out += fmt::format(".TP\n\\fB{}\\fR ({}){}\n{}.{}\n.br\nExample: \\fB{}\\fR\n", roff(last_part(key.path)),
                       roff(form_of(key)),
                       key.default_value.empty() ? "" : fmt::format(", default \\fB{}\\fR", roff(key.default_value)),
                       roff(key.description), tail, roff(key_example(key)));
  }
  return out + ".SH SEE ALSO\n.BR espgated (8),\n.BR espgate (8),\n.BR swanctl.conf (5)\n";
}

}  // namespace espgate::control
