// SPDX-License-Identifier: Apache-2.0
// Synthetic rows for the renderers' tests: one child wholly in hardware, one refused, one half gone.
#pragma once

#include "control/report/views.h"

namespace espgate::control::report::sample {

inline base::Address address(const char* text) { return *base::Address::parse(text); }

inline Side side(std::uint32_t spi, const char* src, const char* dst) {
  Side side;
  side.spi = {spi};
  side.src = address(src);
  side.dst = address(dst);
  side.wanted = base::OffloadWanted::automatic;
  side.exact = true;
  return side;
}

// site-a/net: aes128gcm16, held by nic0 both ways; outbound some packets fell back.
inline ChildRow offloaded() {
  ChildRow row;
  row.conn = "site-a";
  row.child = "net";
  row.uid = base::ChildUid::of("site-a", "net");
  row.suite = "aes128gcm16";
  row.esn = true;
  row.in = side(0xc0ffee01, "192.0.2.2", "192.0.2.1");
  row.in->actual = base::OffloadActual::crypto;
  row.in->device = "nic0";
  row.in->hw = {737, 1048576};
  row.in->kernel = Count{737, 1048576};
  row.out = side(0xc0ffee02, "192.0.2.1", "192.0.2.2");
  row.out->actual = base::OffloadActual::crypto;
  row.out->device = "nic0";
  row.out->hw = {700, 1000000};
  row.out->sw = {37, 48576};
  row.out->kernel = Count{57, 1048576};
  row.unique_id = 7;
  row.state = "INSTALLED";
  row.established_at = 1790000000;
  row.rekey_at = 1790003600;
  row.expires_at = 1790004000;
  return row;
}

// site-b/lan: the driver refused the suite; the daemon is not asked, a number is beyond 2^53.
inline ChildRow refused() {
  ChildRow row;
  row.conn = "site-b";
  row.child = "lan";
  row.uid = base::ChildUid::of("site-b", "lan");
  row.mode = base::SaMode::transport;
  row.suite = "aes256-sha256";
  row.encap = true;
  row.in = side(0x1001, "2001:db8::2", "2001:db8::1");
  row.in->sw = {12, 9007199254740993};
  row.in->errors = {1, 2, 3};
  row.out = side(0x1002, "2001:db8::1", "2001:db8::2");
  for (auto* each : {&row.in, &row.out}) {
    (*each)->reason_code = "offload-refused";
    (*each)->reason = "driver refused crypto mode: \"Cannot offload authenticated xfrm states\" (EINVAL)";
  }
  row.out->exact = false;
  return row;
}

// site-c/x: only inbound is in the ledger, and the kernel lost it.
inline ChildRow half() {
  ChildRow row;
  row.conn = "site-c";
  row.child = "x";
  row.uid = base::ChildUid::of("site-c", "x");
  row.suite = "aes256gcm16";
  row.in = side(0x2001, "192.0.2.9", "192.0.2.1");
  row.in->wanted = base::OffloadWanted::no;
  row.in->in_kernel = false;
  return row;
}

inline SaTable table() { return {{offloaded(), refused(), half()}, {}}; }

inline Report report() {
  Report report;
  report.sas = table();
  ChildTotal a{"site-a", "net", base::ChildUid::of("site-a", "net"), {}, {}};
  a.hw = {Count{1737, 2048576}, Count{1700, 2000000}};
  a.sw = {Count{0, 0}, Count{37, 48576}};
  ChildTotal gone{"site-d", "past", base::ChildUid::of("site-d", "past"), {}, {}};
  gone.sw = {Count{5, 500}, Count{6, 600}};
  report.totals = {a, gone};
  report.fallbacks = {{"nic0", "feature-off", 37}};
  report.classes = {{"nic0", "esp", "pass", {800, 1200000}}, {"nic0", "unknown-spi", "drop", {3, 300}}};
  report.shield = {{"nic0", "cookie-sent", 5000}, {"nic0", "cookie-good", 12}};
  return report;
}

inline IkeRow ike() {
  IkeRow row;
  row.unique_id = 7;
  row.conn = "site-a";
  row.state = "ESTABLISHED";
  row.role = "initiator";
  row.local = "192.0.2.1:4500";
  row.remote = "192.0.2.2:4500";
  row.local_id = "gw-a";
  row.remote_id = "evil\x1b[2Jgw";
  row.spi_i = "0123456789abcdef";
  row.spi_r = "fedcba9876543210";
  row.suite = "AES_GCM_16-128/PRF_HMAC_SHA2_256/CURVE_25519";
  row.nat_remote = true;
  row.established_at = 1790000000;
  row.children = 1;
  return row;
}

inline std::vector<ConnRow> conns() {
  ConnRow up{"site-a", "net", "up", "/etc/espgate/espgate.conf:12", {}, {}, 0};
  ConnRow down{"site-b", "lan", "down", "vici", {}, 1790000060, 3};
  down.last_error =
      LastError{1789999990, "IKE_AUTH", "auth-failed", "the peer says our identity is wrong", "AUTHENTICATION_FAILED"};
  return {up, down};
}

inline std::vector<PolicyRow> policies() {
  return {{"site-a", "net", "out", "10.1.0.0/16 -> 10.2.0.0/16", "child", "allow", 1000,
           "tunnel 192.0.2.1 -> 192.0.2.2", true},
          {"site-a", "net", "out", "10.1.0.0/16 -> 10.2.0.0/16", "floor", "block", 9000, "", false},
          {"", "", "in", "::/0 -> ::/0 proto 58 sport 135", "bypass", "allow", 1, "", std::nullopt}};
}

inline std::vector<DeviceRow> devices() {
  DeviceKnown known;
  known.record = {"nic0", {"simnic", "1", "2.0", "6.12"}, {}, 33, {}};
  for (const auto direction : {base::Direction::in, base::Direction::out}) {
    auto row = sad::usual_row(xfrm::OffloadKind::crypto, direction);
    known.record.entries.push_back({row, {sad::ProbeResult::taken, 0, {}, {}}, sad::Learned::probe, false, 1790000000});
    row.suite.key_bits = 256;
    known.record.entries.push_back(
        {row, {sad::ProbeResult::refused, EINVAL, "No 256", {}}, sad::Learned::install, true, 1790000100});
  }
  known.record.distrusted = {
      {base::EspSuite{}, xfrm::OffloadKind::crypto, base::Direction::in, "5 of 9 packets failed", 1790000130}};
  known.state = "done";
  known.state_text = "all is known";
  known.carries = {"bond0"};
  known.disagreement = "under bond0: they differ";
  known.floor = 128;
  known.offers = {{"aes128gcm16", "hardware", "nic0 takes it"}, {"aes256gcm16", "software", "nic0 refuses it"}};
  return {{"nic0", "simnic", true, true, false, 1, 1, 2, {"offload-refused"}, "1", "2.0", known},
          {"vlan7", "", false, std::nullopt, false, 0, 0, 0, {}, "", "", std::nullopt}};
}

inline std::vector<StatsRow> stats() {
  return {{"nic0", "xdp native", {{"nic0", "esp", "pass", {800, 1200000}}, {"nic0", "unknown-spi", "drop", {3, 300}}}},
          {"nic1", "nothing", {}}};
}

inline ShieldView shield() {
  return {ShieldRules{true, false, 200, 100, 0},
          {{"nic0", "native", {{"nic0", "init-passed", 0}, {"nic0", "cookie-sent", 5000}, {"nic0", "cookie-good", 12}}},
           {"nic1", "none", {{"nic1", "init-passed", 0}}}}};
}

inline std::vector<ProgramRow> programs() {
  return {{17, "shield", "xdp", {"nic0 native", "nic1 native"}, 1000, 250000}, {18, "tc_egress", "tc", {}, 0, 0}};
}

inline std::vector<MapRow> maps() {
  return {{5, "sa_slot", "hash", 4096, 4096, 524288}, {6, "meta", "array", 1, 1, 64}};
}

inline std::vector<FlowRow> flows() {
  return {{"site-a", "net", "out", "10.1.0.2:40000", "10.2.0.2:5201", "tcp", {700, 1000000}, {37, 48576}},
          {"", "", "in", "10.2.0.2", "10.1.0.2", "icmp", {0, 0}, {5, 420}}};
}

}  // namespace espgate::control::report::sample
