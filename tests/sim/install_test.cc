// SPDX-License-Identifier: Apache-2.0
// The kernel's answer is part of the negotiation: refused, late and never, in both roles.
#include "tests/sim/pair.h"

namespace espgate::sim {
namespace {

using ::espgate::ike::Event;
using ::espgate::ike::Reason;

TEST_F(Pair, TheReplyWaitsForTheInstallation) {
  load();
  b.install_delay = milliseconds(1500);
  const auto id = a.initiate("site", "net", b);
  net.run(milliseconds(1000));
  EXPECT_EQ(b.sent.size(), 1U) << "no IKE_AUTH response yet";
  ASSERT_TRUE(net.run_until([&] { return a.result(id) != nullptr; }));
  EXPECT_TRUE(a.succeeded(id));
  expect_agreement(a, b);
}

TEST_F(Pair, RetransmissionsAreSwallowedWhileInstalling) {
  for_a.psk = for_b.psk;
  auto impatient = config(for_a);
  impatient.retransmission.timeout = milliseconds(200);
  a.load(std::move(impatient));
  b.load(config(for_b));
  b.install_delay = milliseconds(1500);
  const auto id = a.initiate("site", "net", b);
  ASSERT_TRUE(net.run_until([&] { return a.result(id) != nullptr; }));
  EXPECT_TRUE(a.succeeded(id));
  EXPECT_EQ(b.installs, 1U);
  EXPECT_GT(a.sent.size(), 2U);
  net.run(seconds(1));
  EXPECT_EQ(b.sad.size(), 1U);
}

TEST_F(Pair, RefusedAtTheResponder) {
  load();
  b.install = Install::refuse;
  const auto why = failure(a, a.initiate("site", "net", b));
  EXPECT_EQ(why.code, Reason::no_proposal);
  EXPECT_EQ(why.peer_notify, "NO_PROPOSAL_CHOSEN");
  const auto* seen = b.last(Event::Kind::child_failed);
  ASSERT_NE(seen, nullptr);
  EXPECT_EQ(seen->failure->code, Reason::install_refused);
  EXPECT_NE(seen->failure->text.find("Cannot offload"), std::string::npos) << "the driver's words reach the log";
  EXPECT_EQ(b.count(Event::Kind::ike_up), 1U);
  EXPECT_TRUE(b.removed.empty()) << "what was refused need not be removed";
  EXPECT_EQ(a.installs, 0U);
  expect_nothing_left();  // our side closes an IKE SA without a child
}

TEST_F(Pair, RefusedAtTheInitiator) {
  load();
  a.install = Install::refuse;
  const auto why = failure(a, a.initiate("site", "net", b));
  EXPECT_EQ(why.code, Reason::install_refused);
  EXPECT_NE(why.text.find("Cannot offload"), std::string::npos);
  net.run(seconds(2));
  EXPECT_TRUE(b.sad.empty()) << "the peer was told";
  EXPECT_TRUE(a.list().empty());
  EXPECT_TRUE(b.list().empty());
  expect_nothing_left();
}

TEST_F(Pair, LateAtTheResponder) {
  load();
  b.install = Install::late;
  const auto id = a.initiate("site", "net", b);
  const auto why = failure(a, id);
  EXPECT_EQ(why.peer_notify, "NO_PROPOSAL_CHOSEN");
  EXPECT_LT(net.now - Instant{}, seconds(4));
  EXPECT_EQ(b.removed.size(), 1U);
  net.run(seconds(30));  // the answer comes after all
  EXPECT_TRUE(b.sad.empty());
  EXPECT_EQ(b.count(Event::Kind::child_up), 0U);
  EXPECT_EQ(b.last(Event::Kind::child_failed)->failure->code, Reason::install_timeout);
  expect_nothing_left();
}

TEST_F(Pair, NeverAtTheInitiator) {
  load();
  a.install = Install::never;
  EXPECT_EQ(failure(a, a.initiate("site", "net", b)).code, Reason::install_timeout);
  EXPECT_EQ(a.removed.size(), 1U);
  expect_nothing_left();
}

TEST_F(Pair, NeverForAFurtherChildIsATemporaryFailure) {
  for_a.children.push_back({"lab", {"10.11.0.0/16", "10.12.0.0/16"}});
  for_b = mirrored(for_a);
  establish();
  b.install = Install::never;
  const auto why = failure(a, a.initiate("site", "lab", b));
  EXPECT_EQ(why.peer_notify, "TEMPORARY_FAILURE");
  EXPECT_EQ(a.sad.size(), 1U);
  EXPECT_EQ(b.sad.size(), 1U);
  b.install = Install::accept;
  const auto again = a.initiate("site", "lab", b);
  ASSERT_TRUE(net.run_until([&] { return a.result(again) != nullptr; }));
  EXPECT_TRUE(a.succeeded(again));
  expect_agreement(a, b);
}

TEST_F(Pair, ClosedWhileInstalling) {
  load();
  b.install_delay = milliseconds(1000);
  a.initiate("site", "net", b);
  net.run(milliseconds(500));
  const auto id = b.terminate({{}, "site", {}, {}, {}, true});
  EXPECT_TRUE(b.succeeded(id));
  EXPECT_EQ(b.removed.size(), 1U);
  EXPECT_TRUE(b.sad.empty());
  expect_nothing_left();
}

}  // namespace
}  // namespace espgate::sim
