// SPDX-License-Identifier: Apache-2.0
// Negotiations that must fail: the right notify, a sentence for the operator on both sides, and nothing left.
#include "ike/wire/message.h"
#include "tests/sim/pair.h"

namespace espgate::sim {
namespace {

using ::espgate::ike::Event;
using ::espgate::ike::Reason;

TEST_F(Pair, WrongSecretAtTheResponder) {
  for_b.psk = "something else";
  load();
  const auto why = failure(a, a.initiate("site", "net", b));
  EXPECT_EQ(why.code, Reason::auth_failed);
  EXPECT_EQ(why.step, "IKE_AUTH");
  EXPECT_EQ(why.peer_notify, "AUTHENTICATION_FAILED");
  EXPECT_NE(why.text.find("shared secret"), std::string::npos) << why.text;
  const auto* seen = b.last(Event::Kind::ike_failed);
  ASSERT_NE(seen, nullptr);
  EXPECT_EQ(seen->failure->code, Reason::auth_failed);
  EXPECT_NE(seen->failure->text.find("wrong PSK"), std::string::npos) << seen->failure->text;
  EXPECT_EQ(seen->failure->text.find("something else"), std::string::npos) << "no secrets in texts";
  EXPECT_EQ(b.installs, 0U);
  expect_nothing_left();
}

TEST_F(Pair, WrongSecretOfTheResponderSeenByTheInitiator) {
  load();
  const auto id = a.initiate("site", "net", b);
  net.run(milliseconds(25));  // IKE_AUTH is on its way; now the secret changes on our side
  for_a.psk = "something else";
  a.load(config(for_a));
  const auto why = failure(a, id);
  EXPECT_EQ(why.code, Reason::auth_failed);
  EXPECT_NE(why.text.find("wrong PSK"), std::string::npos) << why.text;
  net.run(seconds(1));
  ASSERT_NE(b.last(Event::Kind::ike_down), nullptr);
  EXPECT_EQ(b.last(Event::Kind::ike_down)->failure->peer_notify, "AUTHENTICATION_FAILED");
  EXPECT_EQ(a.installs, 0U);
  expect_nothing_left();
}

TEST_F(Pair, NoSecretAtTheResponder) {
  for_b.psk.clear();
  load();
  EXPECT_EQ(failure(a, a.initiate("site", "net", b)).code, Reason::auth_failed);
  EXPECT_EQ(b.last(Event::Kind::ike_failed)->failure->code, Reason::no_secret);
  expect_nothing_left();
}

TEST_F(Pair, NoSecretAtTheInitiatorSaysSoBeforeAsking) {
  for_a.psk.clear();
  load();
  const auto why = failure(a, a.initiate("site", "net", b));
  EXPECT_EQ(why.code, Reason::no_secret);
  EXPECT_NE(why.text.find("no shared secret"), std::string::npos);
  expect_nothing_left();
}

TEST_F(Pair, AResponderThatIsNotTheOneAskedForRefuses) {
  for_a.peer_id = "b.example.org";
  for_b.own_id = "mallory.example.org";
  load();
  net.run(seconds(1));
  const auto why = failure(a, a.initiate("site", "net", b));
  EXPECT_EQ(why.code, Reason::auth_failed);
  EXPECT_EQ(b.last(Event::Kind::ike_failed)->failure->code, Reason::no_config);
  expect_nothing_left();
}

TEST_F(Pair, TheResponderShowsAnotherIdentityThanTheOneWanted) {
  // A pattern is not asked for as IDr, so the responder only shows its name in the answer.
  for_a.peer_id = "*.example.org";
  for_b.own_id = "b.example.net";
  load();
  const auto why = failure(a, a.initiate("site", "net", b));
  EXPECT_EQ(why.code, Reason::auth_failed);
  EXPECT_NE(why.text.find("b.example.net"), std::string::npos) << why.text;
  net.run(seconds(1));
  // The responder thought that all was well and was told otherwise (RFC 7296 2.21.2).
  ASSERT_NE(b.last(Event::Kind::ike_down), nullptr);
  EXPECT_EQ(b.last(Event::Kind::ike_down)->failure->peer_notify, "AUTHENTICATION_FAILED");
  expect_nothing_left();
}

TEST_F(Pair, UnknownIdentity) {
  for_a.own_id = "a.example.org";
  for_b.peer_id = "someone.example.org";
  load();
  const auto why = failure(a, a.initiate("site", "net", b));
  EXPECT_EQ(why.code, Reason::auth_failed);
  const auto* seen = b.last(Event::Kind::ike_failed);
  ASSERT_NE(seen, nullptr);
  EXPECT_EQ(seen->failure->code, Reason::no_config);
  EXPECT_NE(seen->failure->text.find("a.example.org"), std::string::npos) << seen->failure->text;
  expect_nothing_left();
}

TEST_F(Pair, NoConnectionForTheAddress) {
  load();
  b.load({});
  const auto why = failure(a, a.initiate("site", "net", b));
  EXPECT_EQ(why.code, Reason::no_proposal);
  EXPECT_EQ(b.last(Event::Kind::peer_refused)->failure->code, Reason::no_config);
  expect_nothing_left();
}

TEST_F(Pair, NoIkeProposalInCommon) {
  for_b.ike = "aes256-sha512-modp2048";
  load();
  const auto why = failure(a, a.initiate("site", "net", b));
  EXPECT_EQ(why.code, Reason::no_proposal);
  EXPECT_EQ(why.step, "IKE_SA_INIT");
  EXPECT_EQ(why.peer_notify, "NO_PROPOSAL_CHOSEN");
  EXPECT_EQ(b.last(Event::Kind::peer_refused)->failure->code, Reason::no_proposal);
  expect_nothing_left();
}

TEST_F(Pair, NoEspProposalInCommon) {
  for_b.esp = "aes256-sha256";
  load();
  const auto why = failure(a, a.initiate("site", "net", b));
  EXPECT_EQ(why.code, Reason::no_proposal);
  EXPECT_EQ(why.step, "IKE_AUTH");
  EXPECT_EQ(why.peer_notify, "NO_PROPOSAL_CHOSEN");
  EXPECT_EQ(b.installs, 0U);
  EXPECT_EQ(a.count(Event::Kind::ike_up), 1U) << "the IKE SA was fine";
  expect_nothing_left();
}

TEST_F(Pair, NoSelectorsInCommon) {
  for_b.children = {{"net", {"172.16.0.0/12", "10.1.0.0/16"}}};
  load();
  const auto why = failure(a, a.initiate("site", "net", b));
  EXPECT_EQ(why.code, Reason::ts_unacceptable);
  EXPECT_EQ(why.peer_notify, "TS_UNACCEPTABLE");
  EXPECT_EQ(b.last(Event::Kind::peer_refused)->failure->code, Reason::ts_unacceptable);
  expect_nothing_left();
}

TEST_F(Pair, UnknownNamesAreNotFound) {
  load();
  EXPECT_EQ(failure(a, a.initiate("elsewhere", "", b)).code, Reason::not_found);
  EXPECT_EQ(failure(a, a.initiate("site", "nothing", b)).code, Reason::not_found);
  EXPECT_EQ(failure(a, a.terminate({{}, "elsewhere", {}, {}, {}, false})).code, Reason::not_found);
  EXPECT_EQ(failure(a, a.terminate({})).code, Reason::not_found);
  EXPECT_TRUE(a.sent.empty());
}

}  // namespace
}  // namespace espgate::sim
