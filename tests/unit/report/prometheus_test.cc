// SPDX-License-Identifier: Apache-2.0
#include "control/report/prometheus.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "tests/unit/report/sample.h"

namespace espgate::control::report {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

DaemonView daemon() {
  DaemonView view;
  view.ikes = {sample::ike()};
  view.conns = sample::conns();
  view.rejected = {{"bad-cookie", 5}};
  view.moves = {{"nic0", {4, 3}}};
  view.conns.push_back({"site-e", "never", "down", "vici", {}, {}, 0});
  view.conns[0].changed_at = 1790000000;
  view.conns[0].cert_expires_at = 1800000000;
  view.exchanges = {{"ike_auth", "initiator", "error", 3}};
  view.retransmits = 11;
  view.config_taken = false;
  view.rooms = {{"nic0", 64}, {"nic7", 2048}};
  return view;
}

TEST(Prometheus, TheSeriesThatArePromised) {
  Report report = sample::report();
  report.daemon = daemon();
  const std::string text = prometheus_text(report);
  for (const auto* line : {
           "espgate_build_info{version=\"0.1.0\"} 1\n",
           "espgate_up 1\n",
           "espgate_child_up{conn=\"site-a\",child=\"net\"} 1\n",
           "espgate_child_up{conn=\"site-c\",child=\"x\"} 0\n",      // half of it
           "espgate_child_up{conn=\"site-d\",child=\"past\"} 0\n",   // counted once
           "espgate_child_up{conn=\"site-e\",child=\"never\"} 0\n",  // configured
           "espgate_child_packets_total{conn=\"site-a\",child=\"net\",direction=\"in\",path=\"hardware\"} 1737\n",
           "espgate_child_packets_total{conn=\"site-a\",child=\"net\",direction=\"out\",path=\"software\"} 37\n",
           "espgate_child_bytes_total{conn=\"site-d\",child=\"past\",direction=\"out\",path=\"software\"} 600\n",
           "espgate_child_offload_info{conn=\"site-a\",child=\"net\",direction=\"out\",wanted=\"auto\",actual="
           "\"crypto\","
           "dev=\"nic0\",reason=\"\"} 1\n",
           "espgate_child_offload_info{conn=\"site-b\",child=\"lan\",direction=\"in\",wanted=\"auto\",actual=\"none\","
           "dev=\"\",reason=\"offload-refused\"} 1\n",
           "espgate_device_offload_slots{dev=\"nic0\",state=\"used\"} 2\n",
           "espgate_offload_fallbacks_total{dev=\"nic0\",reason=\"feature-off\"} 37\n",
           "espgate_class_packets_total{dev=\"nic0\",class=\"unknown-spi\",verdict=\"drop\"} 3\n",
           "espgate_shield_packets_total{dev=\"nic0\",event=\"cookie-sent\"} 5000\n",
           "espgate_device_offload_slots{dev=\"nic0\",state=\"known\"} 64\n",
           "espgate_device_offload_slots{dev=\"nic7\",state=\"used\"} 0\n",
           "espgate_child_last_change_timestamp_seconds{conn=\"site-a\",child=\"net\"} 1790000000\n",
           "espgate_child_hard_expiry_timestamp_seconds{conn=\"site-a\",child=\"net\"} 1790004000\n",
           "espgate_certificate_expiry_timestamp_seconds{conn=\"site-a\"} 1800000000\n",
           "espgate_ike_exchanges_total{exchange=\"ike_auth\",role=\"initiator\",result=\"error\"} 3\n",
           "espgate_ike_retransmits_total 11\n",
           "espgate_config_last_reload_success 0\n",
           "espgate_ike_sas{state=\"established\"} 1\n",
           "espgate_ike_sas{state=\"connecting\"} 0\n",
           "espgate_ike_rejected_total{reason=\"bad-cookie\"} 5\n",
           "espgate_steer_moves_total{dev=\"nic0\",move=\"promote\"} 4\n",
           "espgate_steer_moves_total{dev=\"nic0\",move=\"demote\"} 3\n",
       }) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(Prometheus, WithoutTheDaemonWhatItAloneKnowsIsMissingNotZero) {
  const std::string text = prometheus_text(sample::report());
  EXPECT_THAT(text, HasSubstr("espgate_up 0\n"));
  EXPECT_THAT(text, Not(HasSubstr("espgate_ike_sas")));
  EXPECT_THAT(text, HasSubstr("espgate_child_packets_total{conn=\"site-a\""));
}

// The classic text format: HELP and TYPE once per family and before its samples, families not interleaved, each series
// once, counters end in _total, no timestamps.
TEST(Prometheus, IsWellFormed) {
  Report report = sample::report();
  report.daemon = daemon();
  const std::regex sample_line(R"re(^([a-z_]+)(\{([a-z_]+="([^"\\\n]|\\.)*",?)*\})? (\S+)$)re");
  std::map<std::string, std::string> type;
  std::set<std::string> series, closed;
  std::string family;
  for (const auto& line : lines_of(prometheus_text(report))) {
    std::smatch match;
    if (line.starts_with("# HELP ") || line.starts_with("# TYPE ")) {
      const std::string name = line.substr(7, line.find(' ', 7) - 7);
      if (name != family) {
        EXPECT_TRUE(closed.insert(name).second) << "interleaved: " << line;
      }
      family = name;
      if (line.starts_with("# TYPE ")) {
        EXPECT_TRUE(type.emplace(name, line.substr(line.rfind(' ') + 1)).second) << line;
      }
      continue;
    }
    ASSERT_TRUE(std::regex_match(line, match, sample_line)) << line;
    EXPECT_EQ(match[1], family) << line;
    EXPECT_TRUE(series.insert(line.substr(0, line.rfind(' '))).second) << "twice: " << line;
    EXPECT_EQ(type[family] == "counter", family.ends_with("_total")) << line;
    EXPECT_NO_THROW(std::stod(match[5])) << line;
  }
  EXPECT_GE(type.size(), 10U);
}

TEST(Prometheus, NoLabelIsAnSpiOrAnAddress) {
  Report report = sample::report();
  report.daemon = daemon();
  const std::string text = prometheus_text(report);
  const std::set<std::string> allowed{"conn",   "child",   "direction", "path", "dev",   "reason",
                                      "class",  "verdict", "event",     "move", "state", "wanted",
                                      "actual", "version", "exchange",  "role", "result"};
  const std::regex label(R"re(([a-z_]+)=")re");
  for (auto at = std::sregex_iterator(text.begin(), text.end(), label); at != std::sregex_iterator(); ++at) {
    EXPECT_TRUE(allowed.contains((*at)[1])) << (*at)[1];
  }
  for (const auto* secret :
       {"c0ffee01", "c0ffee02", "00001001", "192.0.2.", "2001:db8", "0123456789abcdef", "AUTHENTIC"}) {
    EXPECT_THAT(text, Not(HasSubstr(secret)));
  }
}

TEST(Prometheus, ANameCannotBreakOutOfItsLabel) {
  Report report;
  ChildTotal total;
  total.conn = "a\"} 1\nevil_metric 1\n\\";
  total.child = "b";
  report.totals = {total};
  const std::string text = prometheus_text(report);
  EXPECT_THAT(text, HasSubstr(R"(conn="a\"} 1\\x0aevil_metric 1\\x0a\\",child="b")"));
  for (const auto& line : lines_of(text)) EXPECT_FALSE(line.starts_with("evil")) << line;
}

class Textfile : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "espgate-textfile-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  std::string content(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::filesystem::path directory_;
};

TEST_F(Textfile, ReplacesTheWholeFileAndLeavesNothingElse) {
  const std::string path = directory_ / "espgate.prom";
  ASSERT_TRUE(write_atomically(path, std::string(100000, 'x')));
  ASSERT_TRUE(write_atomically(path, "short\n"));
  EXPECT_EQ(content(path), "short\n");
  struct stat status{};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0644U);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_), {}), 1);
}

TEST_F(Textfile, AFailureLeavesTheOldTextAndNoTemporaryFile) {
  const std::string path = directory_ / "taken";
  std::filesystem::create_directory(path);  // rename cannot replace it
  const auto result = write_atomically(path, "text");
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().text(), HasSubstr("taken"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_), {}), 1);
  EXPECT_FALSE(write_atomically(directory_ / "no" / "such" / "folder.prom", "text"));
}

}  // namespace
}  // namespace espgate::control::report
