// SPDX-License-Identifier: Apache-2.0
// Traps, shunts, marks, interfaces, uniqueness: from the text to ike::Config and sad::Plan.
#include <gmock/gmock.h>

#include "tests/unit/config/config_testing.h"

namespace espgate::control {
namespace {

using ::testing::ElementsAre;
using testing::texts;

std::string with(const std::string& child, const std::string& conn = "remote_addrs = 192.0.2.2\n") {
  return "connections { a {\n" + conn + "local { auth = psk }\n remote { auth = psk }\n children { net {\n" + child +
         "\n} } } }\nsecrets { ike-a { secret = \"x\" } }\n";
}

Loaded loaded(const std::string& text) { return load_text(text, "f"); }

TEST(Traps, FollowFromStartAction) {
  for (const auto* word : {"trap", "route", "trap|start"}) {
    const auto got = loaded(with(std::string("start_action = ") + word + "\n local_ts = 10.1.0.0/16"));
    ASSERT_TRUE(got.config) << texts(got.report.errors).at(0);
    EXPECT_TRUE(got.report.warnings.empty()) << texts(got.report.warnings).at(0);
    const auto& child = got.config->plan.children.at(0);
    EXPECT_TRUE(child.trap) << word;
    EXPECT_EQ(child.remote->text(), "192.0.2.2");
    EXPECT_FALSE(child.local);
    EXPECT_EQ(ike::starts(got.config->ike->conns[0]->children[0].start_action), word == std::string("trap|start"));
  }
  const auto started = loaded(with("start_action = start\n dpd_action = hold\n close_action = trap"));
  EXPECT_FALSE(started.config->plan.children.at(0).trap);
  const auto& child = started.config->ike->conns[0]->children[0];
  EXPECT_EQ(child.dpd_action, ike::StartAction::trap);
  EXPECT_EQ(child.close_action, ike::StartAction::trap);
}

TEST(Traps, NeedAPeerToCall) {
  EXPECT_THAT(texts(loaded(with("start_action = trap", "")).report.errors),
              ElementsAre("f:5:16: start_action = trap needs a peer to call, expected an address among the "
                          "remote_addrs of a"));
}

TEST(Shunts, ArePoliciesWithoutIke) {
  const auto got = loaded(
      "connections { lan { children { here { mode = pass\n local_ts = 10.1.0.0/16\n remote_ts = 10.1.0.0/16\n"
      "start_action = trap } there { mode = drop\n remote_ts = 10.9.0.0/16\n local_ts = 10.1.0.0/16 } } } }\n");
  ASSERT_TRUE(got.config) << texts(got.report.errors).at(0);
  EXPECT_TRUE(got.config->ike->conns.empty()) << "nobody has to authenticate";
  ASSERT_EQ(got.config->plan.children.size(), 2U);
  EXPECT_EQ(got.config->plan.children[0].treatment, sad::Treatment::pass);
  EXPECT_TRUE(got.config->plan.children[0].trap);
  EXPECT_EQ(got.config->plan.children[1].treatment, sad::Treatment::drop);
  EXPECT_FALSE(got.config->plan.children[1].trap);
  EXPECT_EQ(got.config->origins.at(0).children.at("here").text(), "f:1:32");
  EXPECT_THAT(texts(got.report.warnings), ElementsAre("f:4:23: there does nothing: it passes or drops traffic from "
                                                      "the load on with start_action = trap"));
}

TEST(Shunts, StandBesideChildrenAndAreNotStarted) {
  const auto got = loaded(with("} lan { mode = pass\n start_action = trap\n local_ts = 10.1.0.0/16"));
  ASSERT_TRUE(got.config) << texts(got.report.errors).at(0);
  EXPECT_EQ(got.config->ike->conns.at(0)->children.size(), 1U);
  EXPECT_EQ(got.config->plan.children.size(), 2U);
  EXPECT_THAT(texts(loaded(with("mode = drop\n start_action = start")).report.errors),
              ElementsAre("f:7:17: net passes or drops traffic, there is nothing to start, expected start_action = "
                          "trap"));
}

TEST(Handling, ReadsMarksInterfacesAndHeaderBits) {
  const auto got =
      loaded(with("priority = 7\n mark_in = 16\n mark_in_sa = yes\n mark_out = 0x1f/0xf0\n"
                  "set_mark_in = 3/0xff\n if_id_out = 0x20\n copy_df = no\n copy_ecn = no\n"
                  "copy_dscp = in",
                  "remote_addrs = 192.0.2.2\n if_id_in = 5\n if_id_out = 6\n"));
  ASSERT_TRUE(got.config) << texts(got.report.errors).at(0);
  EXPECT_TRUE(got.report.warnings.empty());
  sad::Handling wanted;
  wanted.priority = 7;
  wanted.mark_in = {16, 0xffffffff};
  wanted.mark_in_sa = true;
  wanted.mark_out = {0x10, 0xf0};
  wanted.set_mark_in = {3, 0xff};
  wanted.if_id_in = 5;
  wanted.if_id_out = 0x20;
  wanted.copy_df = wanted.copy_ecn = wanted.copy_dscp_out = false;
  wanted.copy_dscp_in = true;
  EXPECT_EQ(got.config->plan.children.at(0).handling, wanted);
}

TEST(Handling, RefusesWhatNobodyCouldFollow) {
  EXPECT_THAT(
      texts(loaded(with("mark_out = %unique\n if_id_in = many\n set_mark_in = %same\n mark_in = 1/x")).report.errors),
      ElementsAre("f:6:12: mark_out: %unique numbers each SA anew, which only a script could follow and none "
                  "is run; expected a number",
                  "f:7:13: if_id_in: many is no number of 32 bits, expected one, decimal or 0x hex",
                  "f:8:16: set_mark_in: %same copies the mark of the policy, which is not supported; expected "
                  "value/mask",
                  "f:9:12: mark_in: x is no number of 32 bits, expected one, decimal or 0x hex"));
}

TEST(AhProposals, StandAloneOrBehindEsp) {
  const auto protocols = [](const std::string& child) {
    std::vector<ike::Protocol> out;
    const auto got = loaded(with(child));
    EXPECT_TRUE(got.config);
    for (const auto& one : got.config->ike->conns[0]->children[0].esp_proposals) out.push_back(one.protocol);
    return out;
  };
  using enum ike::Protocol;
  EXPECT_EQ(protocols("ah_proposals = sha256, sha512"), (std::vector{ah, ah}));
  EXPECT_EQ(protocols("ah_proposals = sha256\n esp_proposals = aes128gcm16"), (std::vector{esp, ah}));
  EXPECT_EQ(protocols("esp_proposals = aes128gcm16"), std::vector{esp});
}

TEST(UniqueKey, IsReadAsStrongSwanDoes) {
  using enum ike::Unique;
  for (const auto& [word, policy] :
       {std::pair{"no", no}, std::pair{"never", never}, std::pair{"keep", keep}, std::pair{"replace", replace}}) {
    const auto got = loaded(with("", std::string("unique = ") + word + "\n"));
    ASSERT_TRUE(got.config);
    EXPECT_EQ(got.config->ike->conns[0]->unique, policy);
    EXPECT_TRUE(got.report.warnings.empty());
  }
  EXPECT_EQ(loaded(with("")).config->ike->conns[0]->unique, no) << "the default";
}

}  // namespace
}  // namespace espgate::control
