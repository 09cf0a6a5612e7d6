// SPDX-License-Identifier: Apache-2.0
// A file and what vici brought beside it, over reloads.
#include "control/config/store.h"

#include <gmock/gmock.h>

#include "tests/unit/config/config_testing.h"

namespace espgate::control {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string conn_text(const std::string& name, const std::string& more = "") {
  return name + " { remote_addrs = 198.51.100.1\n" + more +
         "\n local { auth = psk\n } remote { auth = psk\n } children { net { } } }\n";
}

Configuration file(const std::string& conns, const std::string& rest = "") {
  auto loaded = load_text("connections {\n" + conns + "}\n" + rest, "f");
  EXPECT_THAT(loaded.report.errors, IsEmpty());
  return std::move(*loaded.config);
}

std::unique_ptr<Section> section(const std::string& text) {
  Report report;
  auto tree = parse_text(text, "vici", false, report);
  EXPECT_TRUE(report.ok());
  return std::move(tree->sections.at(0));
}

std::vector<std::string> names(const Configuration& config) {
  std::vector<std::string> out;
  for (const auto& origin : config.origins) out.push_back(origin.name);
  return out;
}

const ike::ConnConfig& conn(const Configuration& config, std::size_t index) { return *config.ike->conns.at(index); }

TEST(Store, GivesTheFileAsItIs) {
  Store store;
  store.take_file(
      file(conn_text("b") + conn_text("a") + "shunt { children { lan { mode = pass\n start_action = trap\n } } }",
           "secrets { ike { secret = x\n } }\n gateway { half_open_limit = 7\n }"),
      {});
  const auto config = store.compose(nullptr);
  EXPECT_THAT(names(config), ElementsAre("b", "a", "shunt"));
  EXPECT_EQ(config.ike->conns.size(), 2U);
  EXPECT_EQ(config.plan.children.size(), 3U);
  EXPECT_EQ(config.ike->secrets.size(), 1U);
  EXPECT_EQ(config.gateway.half_open_limit, 7U);
}

TEST(Store, KeepsWhatRunsWhereNothingChanged) {
  Store store;
  store.take_file(file(conn_text("a") + conn_text("b")), {});
  auto running = store.compose(nullptr);
  // Somebody put its suites in another order.
  auto other = std::make_shared<ike::ConnConfig>(conn(running, 0));
  ike::Config ike = copy_of(*running.ike);
  ike.conns[0] = other;
  running.ike = std::make_shared<const ike::Config>(std::move(ike));

  EXPECT_THAT(store.load_conn(*section(conn_text("b", "dpd_delay = 5s"))).errors, IsEmpty());
  EXPECT_THAT(store.take_fresh(), ElementsAre("b"));
  const auto next = store.compose(&running);
  EXPECT_EQ(next.ike->conns.at(0), other);
  EXPECT_EQ(conn(next, 1).dpd_delay, std::chrono::seconds(5));
}

TEST(Store, AReloadTakesBackItsOwnAndKeepsVicis) {
  Store store;
  store.take_file(file(conn_text("a")), {});
  EXPECT_TRUE(store.load_conn(*section(conn_text("a", "dpd_delay = 5s"))).ok());
  EXPECT_TRUE(store.load_conn(*section(conn_text("v"))).ok());
  EXPECT_TRUE(store.load_conn(*section(conn_text("later"))).ok());
  EXPECT_FALSE(store.load_shared("s", "ike", base::as_bytes("secret"), {}));

  EXPECT_TRUE(store.take_file(file(conn_text("a") + conn_text("later")), {}).ok());
  const auto config = store.compose(nullptr);
  EXPECT_THAT(names(config), ElementsAre("a", "later", "v"));
  EXPECT_EQ(conn(config, 0).dpd_delay, std::chrono::seconds(0));
  EXPECT_THAT(store.conns(), ElementsAre("v"));
  EXPECT_EQ(config.origins.at(2).at.file, "vici");
  EXPECT_EQ(config.ike->secrets.size(), 1U);
}

TEST(Store, WhatVicisGetFromTheGatewayFollowsTheFile) {
  Store store;
  store.take_file(file(conn_text("a")), {});
  EXPECT_TRUE(store.load_conn(*section(conn_text("v"))).ok());
  store.take_file(file(conn_text("a"), "gateway { hw_offload = auto\n }"), {});
  const auto config = store.compose(nullptr);
  EXPECT_EQ(conn(config, 1).children.at(0).offload, base::OffloadWanted::automatic);
}

TEST(Store, OnesOfTheFileAreNotUnloaded) {
  Store store;
  store.take_file(file(conn_text("a"), "pools { p { addrs = 10.0.0.0/24\n } }"), {});
  EXPECT_THAT(*store.unload_conn("a"), HasSubstr("f:2:1"));
  EXPECT_THAT(*store.unload_conn("b"), HasSubstr("not found"));
  EXPECT_THAT(*store.unload_pool("p"), HasSubstr("pool p is in f:8:9"));
  EXPECT_THAT(*store.unload_authority("x"), HasSubstr("not found"));
}

}  // namespace
}  // namespace espgate::control
