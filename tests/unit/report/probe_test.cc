// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <cerrno>

#include "control/report/probe.h"
#include "tests/unit/report/schema_check.h"

namespace espgate::control::report {
namespace {

using nlohmann::json;
using sad::ProbeAnswer;
using sad::ProbeResult;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using xfrm::OffloadKind;

const ProbeAnswer kTaken{ProbeResult::taken, 0, {}, {}};

ProbeAnswer refused(const std::string& words) { return {ProbeResult::refused, EINVAL, words, {}}; }

template <class Judge>
ProbedDevice probed(const std::string& name, Judge&& judge) {
  ProbedDevice out;
  out.device = name;
  out.driver = "simnic";
  out.up = true;
  out.esp_hw_offload = true;
  for (const auto& row : sad::probe_plan()) out.answers.push_back(judge(row));
  return out;
}

// GCM with 16 octets only, crypto only, no ESN, windows up to 64, nothing in UDP.
ProbeAnswer picky(const sad::ProbeRow& row) {
  if (row.mode == OffloadKind::packet) return refused("No packet mode");
  if (row.suite.cipher != base::EspCipher::aes_gcm_16) return {ProbeResult::refused, EINVAL, {}, {"nic0: bad"}};
  if (row.encap) return {ProbeResult::silent_software, 0, {}, {}};
  if (row.suite.esn) return refused("No ESN");
  if (row.replay_window > 128) return refused("Window too large");
  return kTaken;
}

ProbeView view_of(std::vector<ProbedDevice> devices, const std::string& asked = "nic0") {
  return {asked, sad::probe_plan(), std::move(devices), std::chrono::microseconds(42'400)};
}

std::vector<std::string> lines_of(const std::string& suite, OffloadKind mode, const ProbedDevice& device) {
  std::vector<std::string> out;
  for (const auto& group : probe_groups(sad::probe_plan(), device.answers)) {
    if (group.suite == suite && group.mode == mode) {
      out.push_back(group.when + ": " + std::string(sad::to_string(group.answer.result)));
    }
  }
  return out;
}

TEST(ProbeGroups, OneLineWhereAllCameOutAlike) {
  const auto groups = probe_groups(sad::probe_plan(), probed("nic0", [](const auto&) { return kTaken; }).answers);
  EXPECT_EQ(groups.size(), 14U);  // suites x modes
  std::size_t rows = 0;
  for (const auto& group : groups) {
    EXPECT_EQ(group.when, "always");
    rows += group.rows;
  }
  EXPECT_EQ(rows, sad::probe_plan().size());
}

TEST(ProbeGroups, NameWhatTellsThemApart) {
  const auto device = probed("nic0", picky);
  EXPECT_THAT(lines_of("aes256gcm16", OffloadKind::crypto, device), ElementsAre("no esn: taken", "esn: refused"));
  EXPECT_THAT(lines_of("aes128-sha256", OffloadKind::crypto, device), ElementsAre("always: refused"));
  const auto usual = lines_of("aes128gcm16", OffloadKind::crypto, device);
  EXPECT_THAT(usual, testing::UnorderedElementsAre("esn: refused", "no esn, not in UDP, window 256: refused",
                                                   "no esn, in UDP: silent-software",
                                                   HasSubstr("no esn, not in UDP, window 128 or out")));
}

TEST(ProbeGroups, CountEveryRowOnceWhateverTheAnswers) {
  std::size_t n = 0;
  const auto device = probed("nic0", [&](const auto&) { return ++n * 2654435761U >> 7 & 1 ? kTaken : refused("x"); });
  std::size_t rows = 0;
  for (const auto& group : probe_groups(sad::probe_plan(), device.answers)) rows += group.rows;
  EXPECT_EQ(rows, sad::probe_plan().size());
}

TEST(ProbeText, SaysWhatWasTakenAndQuotesRefusals) {
  const auto text = probe_text(view_of({probed("nic0", picky)}), false);
  EXPECT_THAT(text, HasSubstr("nic0: driver simnic, link up; the feature esp-hw-offload is on (a hint, no more)\n"));
  EXPECT_THAT(text, HasSubstr("EINVAL  No ESN\n"));
  EXPECT_THAT(text, HasSubstr("Invalid argument, without a word of why; kernel log: \"nic0: bad\"\n"));
  EXPECT_THAT(text, HasSubstr("112 rows: 18 taken, 8 silently in software, 86 refused\n"));
  EXPECT_THAT(text, HasSubstr("took 42 ms\n"));
  EXPECT_THAT(text, Not(HasSubstr("stands on")));
  EXPECT_THAT(text, Not(HasSubstr("disagree")));
}

TEST(ProbeText, AFullDeviceIsNamed) {
  const auto full = [](const auto&) { return ProbeAnswer{ProbeResult::refused, ENOSPC, "No space", {}}; };
  EXPECT_THAT(probe_text(view_of({probed("nic0", full)}), false), HasSubstr("SA table is full"));
}

TEST(ProbeText, MembersThatDisagreeAreNamed) {
  const auto view = view_of({probed("nic0", picky), probed("nic1", [](const auto&) { return kTaken; })}, "bond0");
  EXPECT_EQ(probe_disagreements(view), 94U);
  const auto text = probe_text(view, false);
  EXPECT_THAT(text, testing::StartsWith("bond0 stands on nic0, nic1, which were tried\n"));
  EXPECT_THAT(text, HasSubstr("nic0, nic1 disagree on 94 of 112 rows: what is offloaded on bond0 depends on"));
  const auto agreeing = view_of({probed("nic0", picky), probed("nic1", picky)}, "bond0");
  EXPECT_FALSE(probe_disagreement_text(agreeing));
}

TEST(ProbeText, APlanHasALineForEachRow) {
  auto view = view_of({probed("nic0", picky)});
  view.devices.front().answers.clear();
  const auto text = probe_plan_text(view, false);
  EXPECT_EQ(static_cast<std::size_t>(std::ranges::count(text, '\n')), view.rows.size() + 2);
  EXPECT_THAT(text, HasSubstr("112 rows, none tried\n"));
}

TEST(ProbeJson, IsWhatTheSchemaPromises) {
  const auto schema = test::load_schema("offload-probe");
  auto view = view_of({probed("nic0", picky)});
  const json rows = json::parse(probe_json(view, false));
  EXPECT_THAT(test::schema_breaches(schema, rows), IsEmpty());
  ASSERT_EQ(rows.size(), view.rows.size());
  EXPECT_EQ(rows[0], json::parse(R"({"dev": "nic0", "suite": "aes128gcm16", "mode": "crypto", "dir": "in",
    "sa_mode": "tunnel", "family": "ipv4", "esn": false, "encap": false, "replay_window": 128, "result": "taken",
    "errno": null, "reason": null})"));
  EXPECT_EQ(rows[1]["errno"], "EINVAL");
  EXPECT_EQ(rows[1]["reason"], "No ESN");

  view.devices.front().answers.clear();
  const json planned = json::parse(probe_json(view, true));
  EXPECT_THAT(test::schema_breaches(schema, planned), IsEmpty());
  ASSERT_EQ(planned.size(), rows.size());
  EXPECT_TRUE(planned[1]["result"].is_null());
}

TEST(ProbeJson, TheReportHasDriverFirmwareAndKernel) {
  auto bare = probed("nic1", picky);
  bare.esp_hw_offload.reset();
  bare.driver.clear();
  auto device = probed("nic0", picky);
  device.firmware = "22.31.1014";
  device.pci_id = "15b3:101d";
  const json report =
      json::parse(probe_report_json({"0.1.0", "6.12.9", "#1 SMP", "x86_64"}, {device, bare}, sad::probe_plan(), true));
  EXPECT_THAT(test::schema_breaches(test::load_schema("offload-report"), report), IsEmpty());
  EXPECT_EQ(report["kernel"]["release"], "6.12.9");
  EXPECT_EQ(report["devices"][0]["firmware"], "22.31.1014");
  EXPECT_TRUE(report["devices"][1]["driver"].is_null());
  EXPECT_EQ(report["devices"][0]["probe"].size(), sad::probe_plan().size());
}

}  // namespace
}  // namespace espgate::control::report
