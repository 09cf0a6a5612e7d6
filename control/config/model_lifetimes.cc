// SPDX-License-Identifier: Apache-2.0
// Soft and hard limits with strongSwan's defaults: a hard limit is a tenth above its soft one, a soft one a tenth below
// its hard one, the jitter what lies between; 0 is "no limit".
#include <fmt/format.h>

#include <algorithm>

#include "control/config/model_parts.h"

namespace espgate::control {
namespace {

constexpr std::uint64_t kChildRekey = 3600, kIkeRekey = 4 * 3600;  // seconds

std::optional<std::uint64_t> read(const SectionReader& from, const std::string& key) {
  const auto* value = from.get(key);
  if (value == nullptr) return std::nullopt;
  if (key.ends_with("_time")) return read_duration(value->text);
  return key.ends_with("_bytes") ? read_size(value->text) : read_integer(value->text);
}

std::uint64_t tenths(std::uint64_t value, std::uint64_t count) { return value / 10 * count + value % 10 * count / 10; }

ike::Lifetime child_lifetime(const SectionReader& from, const std::string& kind, std::uint64_t standard,
                             Report& report) {
  const auto rekey = read(from, "rekey_" + kind), life = read(from, "life_" + kind);
  ike::Lifetime out;
  out.rekey =
      rekey.value_or(life ? (standard != 0 ? std::min(standard, tenths(*life, 9)) : tenths(*life, 9)) : standard);
  if (life == 0U && !rekey) out.rekey = standard;
  out.life = life.value_or(tenths(out.rekey, 11));
  if (out.life != 0 && out.life < out.rekey) {
    report.warning(from.get("life_" + kind)->value_at,
                   fmt::format("life_{} comes before rekey_{}: the child is closed instead of rekeyed", kind, kind));
  }
  out.jitter = read(from, "rand_" + kind).value_or(out.life > out.rekey ? out.life - out.rekey : 0);
  return out;
}

}  // namespace

void read_lifetimes(const SectionReader& from, ike::ChildConfig& child, Report& report) {
  child.time = child_lifetime(from, "time", kChildRekey, report);
  child.bytes = child_lifetime(from, "bytes", 0, report);
  child.packets = child_lifetime(from, "packets", 0, report);
}

// Reauthentication is not there yet: where only that was asked for, the IKE SA is rekeyed at the time instead.
void read_lifetimes(const SectionReader& from, ike::ConnConfig& conn) {
  const auto rekey = read(from, "rekey_time"), reauth = read(from, "reauth_time");
  auto& time = conn.time;
  time.rekey = rekey.value_or(reauth.value_or(0) != 0 ? *reauth : kIkeRekey);
  const auto over = read(from, "over_time").value_or(time.rekey / 10);
  time.life = time.rekey != 0 ? time.rekey + over : 0;
  time.jitter = read(from, "rand_time").value_or(std::min(over, time.rekey / 2));
}

}  // namespace espgate::control
