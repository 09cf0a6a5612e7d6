// SPDX-License-Identifier: Apache-2.0
#include <bpf/bpf.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/fd.h"
#include "loader/loader.h"
#include "maps/reader.h"
#include "tests/unit/report/schema_check.h"

namespace espgate {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Ran {
  int status = -1;
  std::string out, err;
};

// Namespaces of our own, once for the process; empty if it worked, else why not.
const std::string& namespaces() {
  static const std::string problem = [] {
    if (unshare(CLONE_NEWNS | CLONE_NEWNET) != 0) return fmt::format("unshare: {}", std::strerror(errno));
    if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
      return fmt::format("make mounts private: {}", std::strerror(errno));
    }
    return std::string();
  }();
  return problem;
}

class Cli : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!namespaces().empty()) GTEST_SKIP() << "needs root: " << namespaces();
    std::string name = (std::filesystem::temp_directory_path() / "espgate-cli-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
    std::filesystem::create_directory(bpffs());
    if (mount("bpf", bpffs().c_str(), "bpf", 0, nullptr) != 0) GTEST_SKIP() << "no bpffs: " << std::strerror(errno);
  }
  void TearDown() override {
    if (directory_.empty()) return;
    umount(bpffs().c_str());
    std::filesystem::remove_all(directory_);
  }

  [[nodiscard]] std::string bpffs() const { return directory_ + "/bpf"; }
  [[nodiscard]] static std::string content(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  Ran run(const std::string& words) const {
    const std::string command = fmt::format("{} --bpffs {} --vici unix://{}/no-daemon.vici {} >{}/out 2>{}/err",
                                            ESPGATE_PROGRAM, bpffs(), directory_, words, directory_, directory_);
    const int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, content(directory_ + "/out"), content(directory_ + "/err")};
  }

  static maps::SaRecord record(base::Direction direction, std::uint32_t spi) {
    maps::SaRecord sa;
    sa.child = {5};
    sa.uid = base::ChildUid::of("site-a", "net");
    sa.conn = "site-a";
    sa.child_name = "net";
    sa.direction = direction;
    sa.spi = {spi};
    sa.src = *base::Address::parse(direction == base::Direction::in ? "192.0.2.2" : "192.0.2.1");
    sa.dst = *base::Address::parse(direction == base::Direction::in ? "192.0.2.1" : "192.0.2.2");
    sa.set_suite({});
    sa.wanted = base::OffloadWanted::automatic;
    sa.reason_code = "offload-refused";
    sa.reason = "driver refused crypto mode: \"Cannot offload\" (EINVAL)";
    sa.installed_at = 1790000000;
    return sa;
  }

  // As the BPF programs would count on the first CPU.
  void count(std::uint32_t slot, std::uint32_t generation, std::uint64_t hw, std::uint64_t sw) const {
    const base::Fd map(bpf_obj_get((bpffs() + "/espgate/counters").c_str()));
    ASSERT_TRUE(map) << std::strerror(errno);
    espgate_cell cell{};
    cell.generation = generation;
    cell.hw_packets = hw;
    cell.hw_bytes = hw * 100;
    cell.sw_packets = sw;
    cell.sw_bytes = sw * 100;
    cell.offered_packets = hw;
    cell.offered_bytes = hw * 100;
    ASSERT_EQ(bpf_map_update_elem(map.get(), &slot, &cell, BPF_ANY), 0) << std::strerror(errno);
  }

  std::string directory_;
};

TEST_F(Cli, WithoutDaemonAndMapsItSaysHowToStart) {
  const Ran ran = run("sa show");
  EXPECT_EQ(ran.status, 2);
  EXPECT_THAT(ran.err, HasSubstr("systemctl start espgated"));
  EXPECT_THAT(ran.out, IsEmpty());
  const Ran as_json = run("-j conn show");
  EXPECT_EQ(as_json.status, 2);
  const json error = json::parse(as_json.out);
  EXPECT_THAT(test::schema_breaches(test::load_schema("error"), error), IsEmpty());
  EXPECT_EQ(error["error"]["code"], "daemon-not-running");
  EXPECT_EQ(json::parse(run("-j map show").out)["error"]["code"], "no-maps");
}

TEST_F(Cli, UsageErrorsExitWithOneAndHelpWithZero) {
  EXPECT_EQ(run("sa shwo").status, 1);
  EXPECT_EQ(json::parse(run("-j sa shwo").out)["error"]["code"], "usage");
  EXPECT_EQ(run("--color maybe sa show").status, 1);
  EXPECT_EQ(run("--no-such-option").status, 1);
  EXPECT_EQ(run("help").status, 0);
  EXPECT_THAT(run("--version").out, ::testing::StartsWith("espgate "));
}

TEST_F(Cli, AProbeIsPlannedWithoutTheKernelAndRefusedInOneSentence) {
  const Ran plan = run("-j offload probe dev lo --plan");
  ASSERT_EQ(plan.status, 0) << plan.out << plan.err;
  const json rows = json::parse(plan.out);
  EXPECT_THAT(test::schema_breaches(test::load_schema("offload-probe"), rows), IsEmpty());
  EXPECT_EQ(rows.size(), 112U);
  EXPECT_THAT(run("offload probe dev lo --plan").out, HasSubstr("112 rows, none tried\n"));

  const Ran nowhere = run("-j offload probe dev nosuch");
  EXPECT_EQ(nowhere.status, 2);
  EXPECT_EQ(json::parse(nowhere.out)["error"]["code"], "no-device");
  EXPECT_EQ(run("offload probe").status, 1);

  // Where there is ESP, lo is silently software; where there is none, one sentence says what is missing.
  const Ran tried = run("-j offload probe dev lo");
  const json answer = json::parse(tried.out);
  if (tried.status == 0) {
    EXPECT_EQ(answer.size(), rows.size());
    EXPECT_EQ(answer[0]["result"], "silent-software");
  } else {
    EXPECT_EQ(tried.status, 2);
    EXPECT_THAT(std::string(answer["error"]["code"]), ::testing::AnyOf("no-esp", "no-xfrm", "no-permission"));
    EXPECT_THAT(std::string(answer["error"]["text"]), ::testing::Not(HasSubstr("--kernel null")));
  }
}

TEST_F(Cli, ShowsWhatIsPinnedWithTheDaemonDead) {
  loader::Options options;
  options.bpffs = bpffs();
  auto loader = loader::Loader::open(options);
  if (!loader) GTEST_SKIP() << "maps cannot be pinned here: " << loader.error().text();
  if (!loader->capabilities().accounting) GTEST_SKIP() << "no accounting here";
  const auto in = loader->assign(0, record(base::Direction::in, 0xc0ffee01));
  const auto out = loader->assign(1, record(base::Direction::out, 0xc0ffee02));
  ASSERT_TRUE(in && out);
  count(0, *in, 0, 12);
  count(1, *out, 700, 37);

  const Ran ran = run("-j sa show");
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("espgated"));
  const json rows = json::parse(ran.out);
  EXPECT_THAT(test::schema_breaches(test::load_schema("sa-show"), rows), IsEmpty());
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0]["conn"], "site-a");
  EXPECT_TRUE(rows[0]["unique_id"].is_null());
  EXPECT_EQ(rows[0]["in"]["spi"], "c0ffee01");
  EXPECT_EQ(rows[0]["in"]["sw"]["packets"], 12);
  EXPECT_EQ(rows[0]["in"]["offload"]["effective"], "sw");
  EXPECT_EQ(rows[0]["in"]["offload"]["reason_code"], "offload-refused");
  EXPECT_EQ(rows[0]["out"]["hw"]["bytes"], 70000);
  EXPECT_EQ(rows[0]["out"]["offload"]["effective"], "mixed");

  EXPECT_EQ(json::parse(run("-j sa show spi c0ffee02").out).size(), 1U);
  EXPECT_EQ(json::parse(run("-j sa show spi c0ffee03").out).size(), 0U);
  EXPECT_THAT(run("sa show").out, HasSubstr("in, out: driver refused crypto mode"));
  for (const auto* table : {"map", "prog", "stats", "shield", "flow", "policy", "offload"}) {
    const Ran shown = run(fmt::format("-j {} show", table));
    EXPECT_EQ(shown.status, 0) << table << ": " << shown.out << shown.err;
    EXPECT_THAT(test::schema_breaches(test::load_schema(fmt::format("{}-show", table)), json::parse(shown.out)),
                IsEmpty())
        << table;
  }
}

TEST_F(Cli, PrometheusCountersDoNotFallWhenAnSaIsRetired) {
  loader::Options options;
  options.bpffs = bpffs();
  auto loader = loader::Loader::open(options);
  if (!loader) GTEST_SKIP() << "maps cannot be pinned here: " << loader.error().text();
  if (!loader->capabilities().accounting) GTEST_SKIP() << "no accounting here";
  const auto generation = loader->assign(1, record(base::Direction::out, 0xc0ffee02));
  ASSERT_TRUE(generation);
  count(1, *generation, 700, 37);
  const std::string series =
      "espgate_child_packets_total{conn=\"site-a\",child=\"net\",direction=\"out\",path=\"hardware\"} ";
  EXPECT_THAT(run("export prometheus").out, HasSubstr(series + "700\n"));
  ASSERT_TRUE(loader->release(1));
  const std::string file = directory_ + "/espgate.prom";
  ASSERT_EQ(run("export prometheus textfile " + file).status, 0);
  EXPECT_THAT(content(file), HasSubstr(series + "700\n"));
  EXPECT_THAT(content(file), HasSubstr("espgate_child_up{conn=\"site-a\",child=\"net\"} 0\n"));
  EXPECT_THAT(content(file), HasSubstr("espgate_up 0\n"));
}

}  // namespace
}  // namespace espgate
