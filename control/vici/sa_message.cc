// SPDX-License-Identifier: Apache-2.0
// IKE SAs and their children as messages: strongSwan's keys, and ours behind them.
#include <fmt/format.h>

#include <algorithm>

#include "control/vici/command_parts.h"

namespace espgate::control::vici {
namespace {

std::int64_t seconds_since(base::Instant then, base::Instant now) {
  return std::max<std::int64_t>(0, std::chrono::duration_cast<std::chrono::seconds>(now - then).count());
}

std::uint64_t age(base::Instant then, const Daemon& daemon) {
  return static_cast<std::uint64_t>(seconds_since(then, daemon.now()));
}

std::uint64_t left_until(base::Instant then, const Daemon& daemon) {
  return static_cast<std::uint64_t>(seconds_since(daemon.now(), then));
}

// Ours: numbers only.
std::vector<std::string> texts(const std::vector<base::TrafficSelector>& selectors) {
  std::vector<std::string> out;
  for (const auto& ts : selectors) out.push_back(ts.text());
  return out;
}

void put_suite(Message& out, const base::EspSuite& suite) {
  const bool chacha = suite.cipher == base::EspCipher::chacha20_poly1305;
  if (!suite.ah()) out.set("encr-alg", chacha ? "CHACHA20_POLY1305" : suite.aead() ? "AES_GCM_16" : "AES_CBC");
  if (!chacha && !suite.ah()) out.number("encr-keysize", suite.key_bits);
  switch (suite.auth) {
    case base::EspAuth::none:
      break;
    case base::EspAuth::hmac_sha2_256_128:
      out.set("integ-alg", "HMAC_SHA2_256_128");
      break;
    case base::EspAuth::hmac_sha2_384_192:
      out.set("integ-alg", "HMAC_SHA2_384_192");
      break;
    case base::EspAuth::hmac_sha2_512_256:
      out.set("integ-alg", "HMAC_SHA2_512_256");
      break;
  }
  if (suite.esn) out.set("esn", "1");
}

// Bytes, packets and the time since the last one, as strongSwan names them.
void put_usage(Message& out, const DirectionCounters& counters, std::string_view direction) {
  out.number(fmt::format("bytes-{}", direction), counters.hw_bytes + counters.sw_bytes);
  out.number(fmt::format("packets-{}", direction), counters.hw_packets + counters.sw_packets);
  if (counters.idle_seconds) out.number(fmt::format("use-{}", direction), *counters.idle_seconds);
}

// What was wanted of the NIC, what it does, and why not more.
Message offload_message(const ike::OffloadState& state, const DirectionCounters* counters) {
  Message out;
  out.set("actual", base::to_string(state.actual));
  if (!state.device.empty()) out.set("device", state.device);
  if (!state.reason_code.empty()) out.set("reason-code", state.reason_code).set("reason", state.reason);
  if (!counters) return out;
  out.number("hw-packets", counters->hw_packets).number("hw-bytes", counters->hw_bytes);
  out.number("sw-packets", counters->sw_packets).number("sw-bytes", counters->sw_bytes);
  return out.set("exact", counters->exact);
}

void put_offload(Message& out, const ike::ChildView& child, const std::optional<ChildCounters>& counters) {
  out.section("in", offload_message(child.in, counters ? &counters->in : nullptr));
  out.section("out", offload_message(child.out, counters ? &counters->out : nullptr));
}

Message child_sa(const ike::ChildView& child, const Daemon& daemon) {
  const auto counters = daemon.counters(child.id);
  Message out;
  out.set("name", child.name).number("uniqueid", child.id.value);
  out.number("reqid", counters ? counters->reqid : 0);
  out.set("state", child.state).set("mode", child.mode == base::SaMode::tunnel ? "TUNNEL" : "TRANSPORT");
  if (child.state != "INSTALLING") {
    out.set("protocol", child.suite.ah() ? "AH" : "ESP");
    if (child.encap) out.set("encap", "yes");
    out.set("spi-in", child.spi_in.text()).set("spi-out", child.spi_out.text());
    put_suite(out, child.suite);
    const auto known = counters.value_or(ChildCounters{});
    put_usage(out, known.in, "in");
    put_usage(out, known.out, "out");
    out.number("install-time", age(child.installed_at, daemon));
    if (child.rekey_at) out.number("rekey-time", left_until(*child.rekey_at, daemon));
    if (child.expires_at) out.number("life-time", left_until(*child.expires_at, daemon));
    if (!child.group.empty()) out.set("dh-group", child.group);
    for (const auto& [key, name] : child.additional) out.set(key, name);
  }
  out.list("local-ts", selector_texts(child.local_ts)).list("remote-ts", selector_texts(child.remote_ts));
  auto& offload = out.open("offload");
  offload.set("wanted", base::to_string(child.offload));
  put_offload(offload, child, counters);
  return out;
}

// The IKE SA without its children.
Message ike_sa(const ike::IkeView& ike, const Daemon& daemon) {
  Message out;
  out.number("uniqueid", ike.id.value).set("version", "2").set("state", ike.state);
  out.set("local-host", ike.local.address.text()).number("local-port", ike.local.port);
  out.set("local-id", ike.local_id);
  out.set("remote-host", ike.remote.address.text()).number("remote-port", ike.remote.port);
  out.set("remote-id", ike.remote_id);
  if (ike.initiator) out.set("initiator", "yes");
  out.set("initiator-spi", ike.spi_i.text()).set("responder-spi", ike.spi_r.text());
  if (ike.nat_local) out.set("nat-local", "yes");
  if (ike.nat_remote) out.set("nat-remote", "yes");
  if (ike.nat_local || ike.nat_remote) out.set("nat-any", "yes");
  const auto put_if = [&](std::string_view key, const std::string& value) {
    if (!value.empty()) out.set(key, value);
  };
  put_if("encr-alg", ike.encr_alg);
  put_if("encr-keysize", ike.encr_keysize);
  put_if("integ-alg", ike.integ_alg);
  put_if("prf-alg", ike.prf_alg);
  put_if("dh-group", ike.dh_group);
  for (const auto& [key, name] : ike.additional) out.set(key, name);
  if (ike.ppk) out.set("ppk", "yes");
  if (ike.established_at != base::Instant{}) out.number("established", age(ike.established_at, daemon));
  if (ike.rekey_at) out.number("rekey-time", left_until(*ike.rekey_at, daemon));
  return out;
}

}  // namespace

Message sa_message(const ike::IkeView& ike, const Daemon& daemon) {
  auto body = ike_sa(ike, daemon);
  auto& children = body.open("child-sas");
  for (const auto& child : ike.children) {
    children.section(fmt::format("{}-{}", child.name, child.id.value), child_sa(child, daemon));
  }
  return Message().section(ike.conn, std::move(body));
}

Message updown_message(const ike::IkeView& ike, const Daemon& daemon, bool up) {
  Message out;
  if (up) out.set("up", "yes");
  auto sa = sa_message(ike, daemon);
  return out.section(ike.conn, sa.entries().front().section());
}

Message child_message(const ike::IkeView& ike, const ike::ChildView& child, const Daemon& daemon) {
  Message out;
  out.set("conn", ike.conn).set("child", child.name).number("unique-id", child.id.value);
  out.number("ike-unique-id", ike.id.value).set("state", child.state).set("mode", base::to_string(child.mode));
  auto suite = child.suite;
  suite.esn = false;
  out.set("suite", suite.name()).set("esn", child.suite.esn).set("encap", child.encap);
  out.set("spi-in", child.spi_in.text()).set("spi-out", child.spi_out.text());
  out.set("local", ike.local.address.text()).set("remote", ike.remote.address.text());
  out.set("wanted", base::to_string(child.offload));
  if (child.installed_at != base::Instant{}) {
    const auto at = daemon.epoch_now() - seconds_since(child.installed_at, daemon.now());
    out.set("established-at", std::to_string(at));
  }
  const auto put_moment = [&](std::string_view key, const std::optional<base::Instant>& at) {
    if (!at) return;
    const auto left = std::chrono::duration_cast<std::chrono::seconds>(*at - daemon.now()).count();
    out.set(key, std::to_string(daemon.epoch_now() + left));
  };
  put_moment("rekey-at", child.rekey_at);
  put_moment("expires-at", child.expires_at);
  put_offload(out, child, daemon.counters(child.id));
  return out.list("local-ts", texts(child.local_ts)).list("remote-ts", texts(child.remote_ts));
}

}  // namespace espgate::control::vici
