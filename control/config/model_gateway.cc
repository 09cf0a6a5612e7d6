// SPDX-License-Identifier: Apache-2.0
// The `gateway` and `secrets` sections.
#include <fmt/format.h>
#include <net/if.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "control/config/model_parts.h"
#include "control/config/parse_values.h"
#include "sad/suite_order.h"

namespace espgate::control {

const Value* SectionReader::get(std::string_view key) const {
  const auto* value = section_.value(key);
  return value && value->set ? value : nullptr;
}

std::string_view SectionReader::text(std::string_view key, std::string_view otherwise) const {
  const auto* value = get(key);
  return value ? std::string_view(value->text) : otherwise;
}

bool SectionReader::flag(std::string_view key, bool otherwise) const {
  const auto* value = get(key);
  return value ? read_boolean(value->text).value_or(otherwise) : otherwise;
}

base::Duration SectionReader::duration(std::string_view key, std::chrono::seconds otherwise) const {
  const auto* value = get(key);
  if (const auto seconds = value ? read_duration(value->text) : std::nullopt) return std::chrono::seconds(*seconds);
  return otherwise;
}

std::uint32_t SectionReader::integer(std::string_view key, std::uint32_t otherwise, std::uint32_t least,
                                     std::uint32_t most) {
  const auto* value = get(key);
  const auto read = value ? read_integer(value->text) : std::nullopt;
  if (!read) return otherwise;
  if (*read >= least && *read <= most) return static_cast<std::uint32_t>(*read);
  report_.error(value->value_at, fmt::format("{} = {} is out of range, expected {} to {}", key, *read, least, most));
  return otherwise;
}

double SectionReader::number(std::string_view key, double otherwise, double least, double most) {
  const auto* value = get(key);
  const auto read = value ? read_number(value->text) : std::nullopt;
  if (!read) return otherwise;
  if (*read >= least && *read <= most) return *read;
  report_.error(value->value_at, fmt::format("{} = {} is out of range, expected {} to {}", key, *read, least, most));
  return otherwise;
}

base::OffloadWanted read_offload(std::string_view text) {
  if (text == "auto") return base::OffloadWanted::automatic;
  if (text == "packet") return base::OffloadWanted::packet;
  if (text == "crypto") return base::OffloadWanted::crypto;
  return read_boolean(text).value_or(false) ? base::OffloadWanted::crypto : base::OffloadWanted::no;
}

namespace {

std::vector<std::string> read_interfaces(const Value& value, Report& report) {
  std::vector<std::string> out;
  const auto items = value.list();
  for (const auto& item : items) {
    if (item.text == "auto") {
      if (items.size() > 1) report.error(item.at, "auto stands beside names, expected either");
    } else if (item.text == "lo") {
      report.error(item.at, "lo offloads nothing and is never worked on, expected another device");
    } else if (item.text.size() >= IFNAMSIZ || item.text.find_first_of("/ \t:") != std::string::npos) {
      report.error(
          item.at,
          fmt::format("{} is no device name, expected at most {} characters without / and :", item.text, IFNAMSIZ - 1));
    } else {
      out.push_back(item.text);
    }
  }
  return out;
}

base::Duration from_seconds(double seconds) {
  return base::Duration(static_cast<base::Duration::rep>(std::llround(seconds * 1e9)));
}

void read_retransmission(SectionReader& from, ike::Retransmission& into) {
  constexpr double hour = 3600;
  into.tries = from.integer("retransmit_tries", into.tries, 0, 100);
  into.base = from.number("retransmit_base", into.base, 1, 10);
  into.timeout = from_seconds(from.number("retransmit_timeout", 4, 0.01, hour));
  into.limit = from_seconds(from.number("retransmit_limit", 0, 0, hour));
}

steer::Config read_steering(const Section& section, Report& report) {
  constexpr std::uint32_t most = 1U << 24;
  steer::Config out;
  SectionReader from(section, report);
  if (const auto* slots = from.get("slots"); slots && slots->text != "learned") {
    const auto number = read_integer(slots->text);
    if (!number || *number > most) {
      report.error(slots->value_at, fmt::format("slots = {} is neither learned nor a number of slots, expected 0 to {}",
                                                slots->text, most));
    }
    out.slots = static_cast<std::uint32_t>(number.value_or(0));
  }
  out.reserve = from.integer("reserve", out.reserve, 0, most);
  out.interval = std::max<base::Duration>(from.duration("interval", std::chrono::seconds(10)), std::chrono::seconds(1));
  out.factor = from.number("factor", out.factor, 1, 100);
  out.cooldown = from.integer("cooldown", out.cooldown, 0, 10'000);
  out.budget_share = from.number("budget", out.budget_share * 100, 0, 100) / 100;
  return out;
}

constexpr std::uint64_t kMostCpu = 4095;

std::vector<std::uint32_t> read_spread(const Value& value, Report& report) {
  std::vector<std::uint32_t> out;
  for (const auto& item : value.list()) {
    if (item.text == "none") continue;
    const auto cpu = read_integer(item.text);
    if (cpu && *cpu <= kMostCpu) {
      out.push_back(static_cast<std::uint32_t>(*cpu));
    } else {
      report.error(item.at, fmt::format("{} is no CPU, expected none or numbers from 0 to {}", item.text, kMostCpu));
    }
  }
  if (out.size() > ESPGATE_MAX_SPREAD)
    report.error(value.value_at,
                 fmt::format("spread names {} CPUs, expected at most {}", out.size(), ESPGATE_MAX_SPREAD));
  return out;
}

// Everybody on the list is no shield at all.
Parsed<std::vector<base::Prefix>> parse_allowed(const std::string& text) {
  auto out = parse_addresses(text);
  if (out && std::ranges::any_of(*out, [](const auto& prefix) { return prefix.length() == 0; })) {
    return std::unexpected(fmt::format("{} is everybody, expected fewer; mode = off lets all pass", text));
  }
  return out;
}

ShieldOptions read_shield(const Section& section, Report& report) {
  constexpr std::uint32_t most = 10'000'000;
  ShieldOptions out;
  SectionReader from(section, report);
  const auto mode = from.text("mode", "off");
  out.mode = mode == "native" ? ShieldMode::native : mode == "generic" ? ShieldMode::generic : ShieldMode::off;
  out.dispatcher = from.flag("dispatcher", false);
  if (const auto* key = section.value("dispatcher"); out.dispatcher && out.mode == ShieldMode::generic)
    report.error(key->value_at,
                 "a dispatcher is attached natively, expected mode = native or off beside dispatcher = yes");
  auto& rules = out.rules;
  rules.active = out.mode != ShieldMode::off;
  rules.drop_unknown = from.text("unknown_spi", "count") == "drop";
  rules.cookie_rate = from.integer("cookie_rate", rules.cookie_rate, 0, most);
  rules.fragment_rate = from.integer("fragment_rate", rules.fragment_rate, 0, most);
  rules.source_rate = from.integer("source_rate", rules.source_rate, 0, most);
  if (const auto* allow = from.get("allow")) each(*allow, report, out.allow, parse_allowed);
  return out;
}

// Of IKE, or a post-quantum preshared key.
void build_secret(const Section& section, std::vector<ike::SharedSecret>& into, Report& report) {
  ike::SharedSecret out;
  out.name = section.name;
  for (const auto& value : section.values) {
    if (!value.set || !value.key.starts_with("id")) continue;
    if (auto id = ike::Identity::parse(value.text)) {
      out.owners.push_back(std::move(*id));
    } else {
      report.error(value.value_at, fmt::format("{} is no identity that is supported, expected an address, a name, "
                                               "an email address or keyid:",
                                               value.text));
    }
  }
  const auto* secret = section.value("secret");
  if (!secret || !secret->set) {
    return report.error(section.at, fmt::format("{} has no key, expected secret = ...", section.name));
  }
  auto key = parse_secret(secret->text);
  if (!key) return report.error(secret->value_at, key.error());
  out.key = std::move(*key);
  into.push_back(std::move(out));
}

}  // namespace

void build_gateway(const Section* section, Configuration& config, ike::Config& ike, Report& report) {
  if (!section) return;
  SectionReader from(*section, report);
  auto& out = config.gateway;
  if (const auto* interfaces = from.get("interfaces")) out.interfaces = read_interfaces(*interfaces, report);
  out.hw_offload = read_offload(from.text("hw_offload", "no"));
  out.esp_floor = from.integer("esp_floor", out.esp_floor, sad::kLeastFloor, sad::kMostFloor);
  out.offload_without_esn = from.flag("offload_without_esn", out.offload_without_esn);
  out.probe = from.flag("probe", out.probe);
  out.workers = from.integer("workers", out.workers, 1, 64);
  out.max_sas = from.integer("max_sas", out.max_sas, 1, 2'000'000);
  if (const auto* spread = from.get("spread")) out.spread = read_spread(*spread, report);
  out.on_stop = from.text("on_stop", "close") == "keep" ? OnStop::keep : OnStop::close;
  out.half_open_limit = from.integer("half_open_limit", out.half_open_limit, 0, 1'000'000);
  ike.cookie_threshold = from.integer("cookie_threshold", ike.cookie_threshold, 0, 1'000'000);
  ike.half_open_per_source = from.integer("half_open_per_source", ike.half_open_per_source, 0, 1'000'000);
  ike.fragment_size = from.integer("fragment_size", ike.fragment_size, 512, 65535);
  out.install_routes = from.flag("install_routes", out.install_routes);
  out.routing_table = from.integer("routing_table", out.routing_table, 1, 0x7fffffff);
  out.routing_table_priority = from.integer("routing_table_prio", out.routing_table_priority, 0, 32767);
  ike.half_open_timeout = from.duration("half_open_timeout", std::chrono::seconds(30));
  ike.keep_alive = from.duration("keep_alive", std::chrono::seconds(20));
  ike.install_timeout = from.duration("install_timeout", std::chrono::seconds(2));
  read_retransmission(from, ike.retransmission);
  if (const auto* steering = section->section("steer")) out.steer = read_steering(*steering, report);
  if (const auto* shield = section->section("shield")) out.shield = read_shield(*shield, report);
  if (const auto* spread = section->value("spread"); out.shield.dispatcher && !out.spread.empty())
    report.error(spread->value_at,
                 "a program in a dispatcher cannot spread, expected none beside shield.dispatcher = yes");
}

std::vector<base::Prefix> shield_allowed(const Configuration& config) {
  std::set<base::Prefix> out(config.gateway.shield.allow.begin(), config.gateway.shield.allow.end());
  for (const auto& conn : config.ike->conns) {
    for (const auto& remote : conn->remote_addrs) {
      if (remote.length() != 0) out.insert(remote);
    }
  }
  return {out.begin(), out.end()};
}

void build_secrets(const Section* section, ike::Config& ike, Report& report) {
  if (!section) return;
  for (const auto& sub : section->sections) {
    if (sub->name.starts_with("ike")) build_secret(*sub, ike.secrets, report);
    if (sub->name.starts_with("ppk")) build_secret(*sub, ike.ppks, report);
  }
}

}  // namespace espgate::control
