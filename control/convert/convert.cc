// SPDX-License-Identifier: Apache-2.0
#include "control/convert/convert.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <optional>
#include <set>

#include "control/convert/algorithms.h"

namespace espgate::control::convert {
namespace {

std::string name_of(std::string_view name) {
  std::string out(name);
  for (char& c : out) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '-' && c != '_') c = '-';
  }
  return out;
}

std::optional<std::uint64_t> seconds_of(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (error != std::errc{}) return std::nullopt;
  if (unit.empty() || unit == "s") return value;
  if (unit == "m") return value * 60;
  if (unit == "h") return value * 3600;
  if (unit == "d") return value * 86400;
  return std::nullopt;
}

bool is_yes(std::string_view word) { return word == "yes" || word == "true" || word == "1" || word == "insist"; }
bool is_no(std::string_view word) { return word == "no" || word == "false" || word == "0" || word == "never"; }

class ConnConverter {
 public:
  ConnConverter(const Conn& conn, std::vector<Remark>& remarks) : conn_(conn), remarks_(remarks) {}

  // The section, or nothing if this connection cannot be had.
  std::optional<std::string> convert() {
    if (!possible()) return std::nullopt;
    const std::string us = local_is_left() ? "left" : "right", peer = us == "left" ? "right" : "left";
    std::string out = fmt::format("  {} {{\n", name_of(conn_.name));
    out += ike(us, peer) + end("local", us) + end("remote", peer) + child(us, peer);
    rest();
    return out + "  }\n";
  }

 private:
  // The value of a key, which counts as carried over.
  std::string take(std::string_view key) {
    const auto found = conn_.settings.find(key);
    if (found == conn_.settings.end()) return "";
    used_.insert(std::string(key));
    return found->second.value;
  }
  std::string first_of(std::initializer_list<std::string_view> keys) {
    std::string out;
    for (const auto key : keys) {
      auto value = take(key);
      if (out.empty()) out = std::move(value);
    }
    return out;
  }
  std::size_t line_of(std::string_view key) const {
    const auto found = conn_.settings.find(key);
    return found == conn_.settings.end() ? conn_.line : found->second.line;
  }
  void remark(std::string_view key, std::string text) {
    remarks_.push_back({line_of(key), fmt::format("conn {}: {}", conn_.name, text)});
  }
  void put(std::string& out, int indent, std::string_view key, const std::string& value) {
    if (value.empty()) return;
    const bool quote = value.find_first_of("#{}\"=") != std::string::npos;
    out += fmt::format("{:{}}{} = {}\n", "", indent, key, quote ? fmt::format("\"{}\"", value) : value);
  }

  bool possible() {
    const auto exchange = take("keyexchange"), ikev2 = take("ikev2"),
               type = conn_.settings.contains("type") ? conn_.settings.at("type").value : "";
    if (type == "passthrough" || type == "pass" || type == "drop" || type == "reject") return true;
    if (exchange == "ikev1" || is_no(ikev2) || !take("aggressive").empty()) {
      remark(exchange.empty() ? "ikev2" : "keyexchange", "left out: IKEv1 is not spoken; change both ends to IKEv2");
      return false;
    }
    for (const auto* key : {"authby", "leftauth", "rightauth"}) {
      const auto found = conn_.settings.find(key);
      if (found == conn_.settings.end()) continue;
      const auto& how = found->second.value;
      if (how.starts_with("eap") || how.starts_with("xauth") || how == "null" || how == "never") {
        remark(key, fmt::format("left out: {}={}: psk and certificates are what there is", key, how));
        return false;
      }
    }
    if (take("auto") == "ignore") {
      remark("auto", "left out: auto=ignore");
      return false;
    }
    return true;
  }

  bool local_is_left() {
    const auto at = [&](const char* key) {
      const auto found = conn_.settings.find(key);
      return found == conn_.settings.end() ? std::string("%any") : found->second.value;
    };
    return !(at("right") == "%defaultroute" || (at("left") == "%any" && !at("right").starts_with("%any")));
  }

  std::string address(const std::string& side) {
    auto value = take(side);
    if (value == "%defaultroute" || value == "%any" || value == "%any6" || value.starts_with("%opportunistic"))
      return "";
    if (!value.empty() && value.front() == '%') {
      remark(side, fmt::format("{}={}: write the address", side, value));
      return "";
    }
    const bool name = std::ranges::any_of(value, [](unsigned char c) { return c > 'f' && c <= 'z'; });
    if (name) remark(side, fmt::format("{}={}: names are not looked up yet, write the address", side, value));
    return value;
  }

  std::string ike(const std::string& us, const std::string& peer) {
    std::string out;
    put(out, 4, "local_addrs", address(us));
    put(out, 4, "remote_addrs", address(peer));
    algorithms(out, 4, "proposals", {"ike"}, Kind::ike);
    put(out, 4, "rekey_time", time("ikelifetime"));
    if (is_yes(take("reauth"))) {
      if (const auto life = conn_.settings.find("ikelifetime"); life != conn_.settings.end())
        put(out, 4, "reauth_time", life->second.value);
    }
    const auto delay = take("dpddelay");
    if (!delay.empty()) put(out, 4, "dpd_delay", delay);
    if (!take("dpdtimeout").empty())
      remark("dpdtimeout", "dpdtimeout: in IKEv2 retransmissions decide (gateway.retransmit_*)");
    const auto encap = first_of({"forceencaps", "encapsulation"});
    if (is_yes(encap)) put(out, 4, "encap", "yes");
    const auto fragmentation = take("fragmentation");
    if (!fragmentation.empty())
      put(out, 4, "fragmentation", is_no(fragmentation) ? "no" : fragmentation == "accept" ? "accept" : "yes");
    const auto tries = take("keyingtries");
    if (!tries.empty()) put(out, 4, "keyingtries", tries == "%forever" ? "0" : tries);
    const auto unique = first_of({"uniqueids"});
    if (!unique.empty()) put(out, 4, "unique", is_no(unique) ? "no" : unique == "keep" ? "keep" : "replace");
    return out;
  }

  std::string end(std::string_view section, const std::string& side) {
    std::string out = fmt::format("    {} {{\n", section);
    const auto own = take(side + "auth"),
               both = conn_.settings.contains("authby") ? conn_.settings.at("authby").value : "";
    used_.insert("authby");
    const auto& how = own.empty() ? both : own;
    put(out, 6, "auth", how == "secret" || how == "psk" ? "psk" : "pubkey");
    auto id = take(side + "id");
    if (id == "%fromcert" || id == "%cert" || id == "%any") id.clear();
    if (id.starts_with("@") && !id.starts_with("@#") && !id.starts_with("@@")) id.erase(0, 1);
    put(out, 6, "id", id);
    if (const auto cert = take(side + "cert"); !cert.empty()) {
      put(out, 6, "certs", cert);
      remark(side + "cert",
             fmt::format("{}cert={}: put the certificate into x509/ and its key into private/", side, cert));
    }
    if (const auto ca = first_of({side + "ca", side + "ca2"}); !ca.empty() && ca != "%same") {
      remark(side + "ca",
             fmt::format("{}ca={}: put its certificate into x509ca/ and name the file in cacerts", side, ca));
    }
    (void)take(side + "sendcert");
    if (const auto key = first_of({side + "sigkey", side + "rsasigkey", side + "ckaid"});
        !key.empty() && key != "%cert") {
      remark(side + "rsasigkey", fmt::format("{}: raw keys are not supported, certificates are", side + "rsasigkey"));
    }
    return out + "    }\n";
  }

  std::string selectors(const std::string& side) {
    auto nets = first_of({side + "subnets", side + "subnet"});
    std::ranges::replace(nets, ';', ',');
    if (nets.find(',') == std::string::npos) std::ranges::replace(nets, ' ', ',');
    if (nets.starts_with("vhost:") || nets.starts_with("%")) {
      if (nets != "%dynamic") remark(side + "subnet", fmt::format("{}subnet={}: write the network", side, nets));
      nets.clear();
    }
    const auto ports = take(side + "protoport");
    if (ports.empty()) return nets;
    std::string out;
    std::string_view left(nets);
    if (left.empty()) left = "dynamic";
    while (!left.empty()) {
      const auto comma = std::min(left.find(','), left.size());
      out += fmt::format("{}{}[{}]", out.empty() ? "" : ", ", left.substr(0, comma), ports);
      left.remove_prefix(std::min(comma + 1, left.size()));
    }
    return out;
  }

  std::string time(std::string_view key) {
    auto value = take(key);
    if (!value.empty() && !seconds_of(value)) {
      remark(key, fmt::format("{}={}: no time", key, value));
      return "";
    }
    return value;
  }

  void algorithms(std::string& out, int indent, std::string_view key, std::initializer_list<std::string_view> keys,
                  Kind kind) {
    for (const auto each : keys) {
      const auto value = take(each);
      if (value.empty()) continue;
      if (auto words = proposals(value, kind)) {
        put(out, indent, key, *words);
      } else {
        remark(each, fmt::format("{}={}: '{}' is not supported, the default is offered", each, value, words.error()));
      }
      return;
    }
  }

  std::string child(const std::string& us, const std::string& peer) {
    std::string out = fmt::format("    children {{\n      {} {{\n", name_of(conn_.name));
    put(out, 8, "local_ts", selectors(us));
    put(out, 8, "remote_ts", selectors(peer));
    const auto protocol = take("phase2");
    algorithms(out, 8, protocol == "ah" ? "ah_proposals" : "esp_proposals", {"esp", "phase2alg", "ah"}, Kind::esp);
    lifetimes(out);
    const auto type = take("type");
    if (type == "transport") put(out, 8, "mode", "transport");
    if (type == "passthrough" || type == "pass") put(out, 8, "mode", "pass");
    if (type == "drop" || type == "reject") put(out, 8, "mode", "drop");
    const auto offload = first_of({"nic-offload", "nic_offload", "hw_offload"});
    if (!offload.empty()) put(out, 8, "hw_offload", is_yes(offload) ? "crypto" : is_no(offload) ? "no" : offload);
    start(out, type);
    dpd(out);
    auto window = first_of({"replay-window", "replay_window"});
    put(out, 8, "replay_window", window);
    marks(out);
    return out + "      }\n    }\n";
  }

  // Soft limits are the hard ones less the margin, as both daemons have it.
  void lifetimes(std::string& out) {
    const auto margin = seconds_of(first_of({"margintime", "rekeymargin"})).value_or(540);
    (void)first_of({"rekeyfuzz"});
    const auto life = first_of({"lifetime", "keylife", "salifetime", "ipsec-lifetime"});
    if (is_no(take("rekey"))) {
      put(out, 8, "rekey_time", "0");
      put(out, 8, "life_time", life);
      return;
    }
    const auto seconds = seconds_of(life);
    if (!seconds) return;
    put(out, 8, "rekey_time", fmt::format("{}", *seconds > 2 * margin ? *seconds - margin : *seconds * 9 / 10));
    put(out, 8, "life_time", fmt::format("{}", *seconds));
  }

  void start(std::string& out, const std::string& type) {
    const auto when = take("auto");
    const bool shunt = type == "passthrough" || type == "pass" || type == "drop" || type == "reject";
    if (shunt || when == "route" || when == "ondemand") return put(out, 8, "start_action", "trap");
    if (when == "start" || when == "up") return put(out, 8, "start_action", "start");
    if (when == "keep") remark("auto", "auto=keep: taken for auto=add");
  }

  void dpd(std::string& out) {
    const auto action = take("dpdaction");
    if (action == "hold") put(out, 8, "dpd_action", "trap");
    if (action == "restart" || action == "restart_by_peer") put(out, 8, "dpd_action", "restart");
    const auto close = take("closeaction");
    if (close == "hold" || close == "trap") put(out, 8, "close_action", "trap");
    if (close == "restart" || close == "start") put(out, 8, "close_action", "start");
  }

  void marks(std::string& out) {
    const auto both = take("mark");
    for (const auto& [key, names] :
         {std::pair{"mark_in", std::array{"mark_in", "mark-in"}}, {"mark_out", std::array{"mark_out", "mark-out"}}}) {
      auto value = first_of({names[0], names[1]});
      if (value.empty()) value = both;
      if (value.starts_with("%") || value == "-1") {
        remark(key, fmt::format("{}={}: a value is what is taken", key, value));
      } else {
        put(out, 8, key, value);
      }
    }
  }

  // What nobody took.
  void rest() {
    static const std::set<std::string_view> without_effect{"left", "right",    "pfs",  "mobike",
                                                           "esn",  "compress", "auto", "authby"};
    for (const auto& [key, setting] : conn_.settings) {
      if (used_.contains(key)) continue;
      if (key == "pfs" && !is_no(setting.value)) {
        remark(key,
               "pfs=yes: name the group in esp_proposals, such as aes128gcm16-x25519; without one no PFS is asked for");
      } else if (key == "mobike" && is_no(setting.value)) {
        continue;
      } else if (key == "compress" && is_no(setting.value)) {
        continue;
      } else if (!without_effect.contains(key) || key == "mobike" || key == "esn" || key == "compress") {
        remark(key, fmt::format("{}={}: not carried over", key, setting.value));
      }
    }
  }

  const Conn& conn_;
  std::vector<Remark>& remarks_;
  std::set<std::string> used_;
};

}  // namespace

Converted convert(std::string_view ipsec_conf) {
  auto parsed = parse_ipsec_conf(ipsec_conf);
  Converted out;
  out.remarks = std::move(parsed.remarks);
  out.text =
      "# Converted by `espgate config convert`; secrets are not in an ipsec.conf: write them below.\n\nconnections {\n";
  for (const auto& conn : parsed.conns) {
    if (auto section = ConnConverter(conn, out.remarks).convert()) {
      out.text += *section;
      ++out.conns;
    } else {
      ++out.left_out;
    }
  }
  out.text += "}\n\nsecrets {\n  # ike-peer {\n  #   id-1 = IDENTITY\n  #   secret = \"...\"\n  # }\n}\n";
  std::ranges::stable_sort(out.remarks, {}, &Remark::line);
  return out;
}

}  // namespace espgate::control::convert
