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

// As strongSwan: who asks for reauthentication alone gets no rekeying beside it, and over_time follows the later one.
void read_lifetimes(const SectionReader& from, ike::ConnConfig& conn) {
  auto& time = conn.time;
  conn.reauth = read(from, "reauth_time").value_or(0);
  time.rekey = read(from, "rekey_time").value_or(conn.reauth != 0 ? 0 : kIkeRekey);
  const auto last = std::max(time.rekey, conn.reauth);
  const auto over = read(from, "over_time").value_or(last / 10);
  time.life = last != 0 ? last + over : 0;
  time.jitter = read(from, "rand_time").value_or(std::min(over, last / 2));
}

}  // namespace espgate::control
