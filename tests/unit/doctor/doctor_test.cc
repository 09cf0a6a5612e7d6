// SPDX-License-Identifier: Apache-2.0
// The doctor's rules: each sees what it is about, is silent otherwise, and says what to do.
#include <gmock/gmock.h>

#include <functional>

#include "control/doctor/advice.h"
#include "control/doctor/diagnose.h"
#include "ike/reason.h"
#include "tests/unit/report/schema_check.h"

namespace espgate::control::doctor {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::int64_t kNow = 1'790'000'000;
constexpr std::int64_t kDay = 86400;

// A gateway at which nothing is wrong.
Facts healthy() {
  Facts facts;
  facts.now = kNow;
  facts.clock_synchronised = true;
  facts.our_version = "0.1.0";
  facts.kernel_trouble = "";
  for (const auto* name : {"esp4", "esp6", "esp4_offload", "esp6_offload"}) facts.modules[name] = Module::loaded;
  facts.modules["xfrm_user"] = Module::loadable;
  facts.btf = true;
  facts.lockdown = "none";
  facts.sysctls = {{"net.ipv4.ip_forward", "1"}, {"net.ipv4.conf.all.rp_filter", "0"}};
  facts.devices = {{"nic0", true, 1500, true, "0", "0", "0"}, {"nic1", true, 1500, std::nullopt, "0", "0", "0"}};
  facts.disks = {{"/var/lib/espgate", 1U << 30U, 1000}};
  ChildFacts child{"site-a", "net", true, false, true, false, Way{"nic0", {}, {"nic0"}}, "192.0.2.1", "nic0", {}};
  child.to_nets["10.2.0.0/16"] = {"nic0", {}, {"nic0"}};
  facts.config = ConfigFacts{"espgate.conf", {}, {}, 1280, {child}, {}};
  report::DaemonView daemon;
  daemon.version = "espgate 0.1.0";
  facts.report.daemon = daemon;
  return facts;
}

// What is said of `check`, "level subject: text -> next step" each.
std::vector<std::string> said(const Facts& facts, const std::string& check) {
  std::vector<std::string> out;
  for (const auto& each : diagnose(facts).findings) {
    if (each.check != check) continue;
    out.push_back(std::string(to_string(each.level)) + " " + each.subject + ": " + each.text + " -> " + each.next_step);
  }
  return out;
}

TEST(Doctor, AHealthyMachineHasNoFindings) {
  const auto diagnosis = diagnose(healthy());
  EXPECT_EQ(diagnosis.worst(), Level::ok) << diagnosis_text(diagnosis, false);
  EXPECT_THAT(diagnosis.unmade, IsEmpty());
}

// The kernel looks at no reverse path for what it has decrypted.
TEST(Doctor, TheNetworkBehindThePeerMayBeRoutedByAnyDevice) {
  auto facts = healthy();
  facts.sysctls["net.ipv4.conf.all.rp_filter"] = "1";
  facts.config->children[0].to_nets["10.2.0.0/16"] = {"nic1", {}, {"nic1"}};
  EXPECT_THAT(said(facts, "rp-filter"), IsEmpty());
}

struct Case {
  const char* name;
  std::function<void(Facts&)> spoil;
  const char *check, *word;  // that the finding must have, among its words
};

class Illness : public ::testing::TestWithParam<Case> {};

TEST_P(Illness, IsFoundAndNothingElse) {
  Facts facts = healthy();
  GetParam().spoil(facts);
  const auto found = said(facts, GetParam().check);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_THAT(found.front(), HasSubstr(GetParam().word));
  const auto diagnosis = diagnose(facts);
  EXPECT_EQ(diagnosis.findings.size(), 1U) << diagnosis_text(diagnosis, false);
  EXPECT_FALSE(diagnosis.findings.front().next_step.empty());
}

report::ConnRow refused(const char* code, const char* notify, const char* step = "IKE_AUTH") {
  return {"site-a", "net", "down", "f:1", report::LastError{kNow - 9, step, code, "said so", notify}, {}, 3};
}

Case conn(const char* name, const char* code, const char* notify, const char* word, const char* step = "IKE_AUTH") {
  return {name, [=](Facts& f) { f.report.daemon->conns = {refused(code, notify, step)}; }, "connections", word};
}

Case expiry(const char* name, std::int64_t from, std::int64_t until, const char* word) {
  return {name, [=](Facts& f) { f.config->certificates = {{"site-a", "CN=gw", true, kNow + from, kNow + until}}; },
          "certificates", word};
}

INSTANTIATE_TEST_SUITE_P(
    Doctor, Illness,
    ::testing::Values(
        Case{"daemon", [](Facts& f) { f.daemon_trouble = "not running"; }, "daemon", "journalctl"},
        Case{"version", [](Facts& f) { f.our_version = "0.2.0"; }, "daemon", "restart"},
        Case{"no_esp", [](Facts& f) { f.kernel_trouble = "no ESP"; }, "kernel", "no ESP"},
        Case{"no_module", [](Facts& f) { f.modules["esp6"] = Module::absent; }, "modules", "error esp6"},
        Case{"offload_module", [](Facts& f) { f.modules["esp4_offload"] = Module::loadable; }, "modules",
             "modprobe esp4_offload"},
        Case{"no_btf", [](Facts& f) { f.btf = false; }, "accounting", "BTF"},
        Case{"lockdown", [](Facts& f) { f.lockdown = "confidentiality"; }, "accounting", "lockdown"},
        conn("wrong_psk", "peer-refused", "AUTHENTICATION_FAILED", "compare the secret"),
        conn("wrong_psk_ours", "auth-failed", "", "secrets of both ends differ"),
        conn("no_proposal", "no-proposal", "NO_PROPOSAL_CHOSEN", "esp_proposals of both ends"),
        conn("selectors", "ts-unacceptable", "TS_UNACCEPTABLE", "local_ts must overlap"),
        conn("silent", "timeout", "", "UDP 500 and 4500", "IKE_SA_INIT"),
        conn("silent_after_init", "timeout", "", "goes on by UDP 4500"),
        expiry("expired", -400 * kDay, -2 * kDay, "expired 2 days ago"),
        expiry("expires", -400 * kDay, 9 * kDay, "expires in 9 days"),
        expiry("not_yet", kDay / 2, 400 * kDay, "not valid before"),
        Case{"no_route", [](Facts& f) { f.config->children[0].to_nets["10.2.0.0/16"] = {"", "unreachable", {}}; },
             "route", "no route to 10.2.0.0/16"},
        Case{"rp_filter",
             [](Facts& f) {
               f.sysctls["net.ipv4.conf.all.rp_filter"] = "1";
               f.config->children[0].arrives_by = "nic1";
             },
             "rp-filter", "rp_filter=2"},
        Case{"forwarding", [](Facts& f) { f.sysctls["net.ipv4.ip_forward"] = "0"; }, "forwarding", "ip_forward=1"},
        Case{"feature_off", [](Facts& f) { f.devices[0].esp_hw_offload = false; }, "offload",
             "ethtool -K nic0 esp-hw-offload on"},
        Case{"other_device",
             [](Facts& f) {
               f.config->children[0].to_peer = {"nic1", {}, {"nic1"}};
               f.config->children[0].strict = true;
             },
             "offload", "error site-a/net: packets to the peer leave by nic1, which cannot offload ESP"},
        Case{"small_mtu",
             [](Facts& f) {
               f.devices[0].mtu = 1400;
               f.config->fragment_size = 1500;
             },
             "mtu", "gateway.fragment_size = 1400"},
        Case{"too_big", [](Facts& f) { f.too_big = 7; }, "mtu", "maxseg size set rt mtu"},
        Case{"unknown_spi", [](Facts& f) { f.xfrm_stat["XfrmInNoStates"] = 3; }, "packets", "3 packets"},
        Case{"disable_xfrm", [](Facts& f) { f.devices[0].disable_xfrm = "1"; }, "sysctl", "in the clear"},
        Case{"larval", [](Facts& f) { f.sysctls["net.core.xfrm_larval_drop"] = "1"; }, "sysctl", "first packet"},
        Case{"clock", [](Facts& f) { f.clock_synchronised = false; }, "clock", "timedatectl"},
        Case{"disk", [](Facts& f) { f.disks[0].free_octets = 4096; }, "space", "nearly full"},
        Case{"charon", [](Facts& f) { f.other_daemons = {"charon (7)"}; }, "other-daemons", "charon (7)"},
        Case{"textfile", [](Facts& f) { f.textfile_age = 900; }, "textfile", "export prometheus textfile"}),
    [](const auto& each) { return std::string(each.param.name); });

TEST(Doctor, WhatCouldNotBeLookedAtIsSaid) {
  Facts facts = healthy();
  facts.config.reset();
  facts.config_trouble = "espgate.conf: Permission denied";
  facts.kernel_trouble.reset();
  const auto diagnosis = diagnose(facts);
  EXPECT_THAT(diagnosis.findings, IsEmpty());
  EXPECT_THAT(diagnosis_text(diagnosis, false), HasSubstr("not checked route: espgate.conf: Permission denied"));
  EXPECT_THAT(diagnosis_text(diagnosis, false), HasSubstr("not checked kernel: needs CAP_NET_ADMIN"));
}

TEST(Doctor, TheWorstComesFirstAndJsonFitsItsSchema) {
  Facts facts = healthy();
  facts.clock_synchronised = false;
  facts.btf = false;
  facts.kernel_trouble.reset();
  facts.report.daemon->conns = {refused("timeout", "")};
  const auto diagnosis = diagnose(facts);
  ASSERT_EQ(diagnosis.findings.size(), 3U);
  EXPECT_EQ(diagnosis.findings.front().level, Level::error);
  EXPECT_EQ(diagnosis.findings.back().level, Level::note);
  for (const auto& each : {diagnosis, Diagnosis{}}) {
    const auto json = nlohmann::json::parse(diagnosis_json(each, false));
    EXPECT_THAT(test::schema_breaches(test::load_schema("doctor"), json), IsEmpty());
  }
}

TEST(Doctor, WhatAPeerChoseCannotMoveTheCursor) {
  Facts facts = healthy();
  auto row = refused("timeout", "");
  row.last_error->text = "\x1b[2J";
  facts.report.daemon->conns = {row};
  EXPECT_EQ(diagnosis_text(diagnose(facts), false).find('\x1b'), std::string::npos);
}

// A code that the engine does not have, or a failure of a set-up without advice, would go unseen otherwise.
TEST(Doctor, FailuresOfASetUpHaveAdvice) {
  using ike::Reason;
  const auto general = advice_for("no such code", "");
  for (const auto reason :
       {Reason::auth_failed, Reason::no_config, Reason::no_secret, Reason::bad_certificate, Reason::no_proposal,
        Reason::ts_unacceptable, Reason::invalid_ke, Reason::install_refused, Reason::install_timeout, Reason::timeout,
        Reason::peer_deleted, Reason::peer_refused, Reason::no_additional_sas, Reason::expired, Reason::not_unique}) {
    EXPECT_NE(advice_for(ike::code(reason), ""), general) << ike::code(reason);
  }
}

}  // namespace
}  // namespace espgate::control::doctor
