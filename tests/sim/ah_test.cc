// SPDX-License-Identifier: Apache-2.0
// AH children (RFC 4302): offered, chosen, rekeyed and deleted by their own protocol number.
#include "ike/wire/message.h"
#include "tests/sim/pair.h"

namespace espgate::sim {
namespace {

using ike::Protocol;

class Ah : public Pair {
 protected:
  // Each side's proposals for its one child, in order.
  void propose(const std::vector<ike::Proposal>& at_a, const std::vector<ike::Proposal>& at_b) {
    for_a.adjust = [=](ike::ConnConfig& conn) { conn.children.front().esp_proposals = at_a; };
    for_b.adjust = [=](ike::ConnConfig& conn) { conn.children.front().esp_proposals = at_b; };
  }
  static std::vector<ike::Proposal> ah(std::string_view text) { return proposals(Protocol::ah, text); }
  static std::vector<ike::Proposal> both(const std::vector<ike::Proposal>& first,
                                         const std::vector<ike::Proposal>& second) {
    auto out = first;
    out.insert(out.end(), second.begin(), second.end());
    return out;
  }
};

TEST_F(Ah, IsAgreedWithAnIntegrityKeyAlone) {
  propose(ah("sha256"), ah("sha384-sha256"));
  establish();
  ASSERT_EQ(a.sad.size(), 1U);
  const auto& child = a.sad.begin()->second;
  EXPECT_TRUE(child.suite.ah());
  EXPECT_EQ(child.suite.name(), "ah-sha256");
  EXPECT_EQ(child.keys.cipher_in.size(), 0U);
  EXPECT_EQ(child.keys.auth_in.size(), 32U);
  expect_agreement(a, b);
}

TEST_F(Ah, EachHashHasItsKeyLength) {
  for (const auto& [word, octets] : {std::pair{"sha384", 48U}, std::pair{"sha512", 64U}}) {
    propose(ah(word), ah(word));
    establish();
    EXPECT_EQ(a.sad.begin()->second.keys.auth_out.size(), octets);
    const auto id = a.terminate({{}, "site", {}, {}, {}, false});
    ASSERT_TRUE(net.run_until([&] { return a.result(id) != nullptr; }));
    net.run(seconds(1));
    EXPECT_TRUE(b.sad.empty());
  }
}

TEST_F(Ah, IsRekeyedFromBothEndsWithPfsAndTheOldOneIsDeleted) {
  propose(ah("sha256-x25519"), ah("sha256-x25519"));
  establish();
  for (auto* host : {&a, &b}) {
    const auto before = host->sad.begin()->first;
    const auto id = host->rekey({{}, "site", "net", {}, {}});
    ASSERT_TRUE(net.run_until([&] { return host->result(id) != nullptr; }));
    EXPECT_TRUE(host->succeeded(id));
    expect_settled();
    EXPECT_NE(host->sad.begin()->first, before);
    EXPECT_TRUE(host->sad.begin()->second.suite.ah());
  }
}

TEST_F(Ah, OneChildIsDeletedAndTheOtherStays) {
  for_a.children = {{"net", {"10.1.0.0/16", "10.2.0.0/16"}}, {"lab", {"10.11.0.0/16", "10.12.0.0/16"}}};
  for_b = mirrored(for_a);
  propose(ah("sha256"), ah("sha256"));
  establish();
  const auto second = a.initiate("site", "lab", b);
  ASSERT_TRUE(net.run_until([&] { return a.result(second) != nullptr; }));
  EXPECT_TRUE(a.succeeded(second));
  const auto id = b.terminate({{}, "site", "net", {}, {}, false});
  ASSERT_TRUE(net.run_until([&] { return b.result(id) != nullptr; }));
  net.run(seconds(1));
  for (auto* host : {&a, &b}) {
    ASSERT_EQ(host->sad.size(), 1U) << host->name();
    EXPECT_FALSE(host->sad.begin()->second.suite.ah()) << "the ESP one is left";
  }
  expect_agreement(a, b);
}

TEST_F(Ah, EspComesFirstIfBothAreOfferedAndAhIfThePeerHasNoOther) {
  const auto esp = proposals(Protocol::esp, "aes128gcm16");
  propose(both(esp, ah("sha256")), both(esp, ah("sha256")));
  establish();
  EXPECT_FALSE(a.sad.begin()->second.suite.ah());
  const auto id = a.terminate({{}, "site", {}, {}, {}, false});
  ASSERT_TRUE(net.run_until([&] { return a.result(id) != nullptr; }));
  net.run(seconds(1));
  propose(both(esp, ah("sha256")), ah("sha256"));
  establish();
  EXPECT_TRUE(a.sad.begin()->second.suite.ah());
  expect_agreement(a, b);
}

TEST_F(Ah, AndEspHaveNothingInCommon) {
  propose(ah("sha256"), proposals(Protocol::esp, "aes128gcm16"));
  load();
  EXPECT_EQ(failure(a, a.initiate("site", "net", b)).peer_notify, "NO_PROPOSAL_CHOSEN");
  expect_nothing_left();
}

TEST_F(Ah, DoesNotPassAForcedNat) {
  for_a.encap = for_b.encap = true;
  propose(ah("sha256"), ah("sha256"));
  load();
  EXPECT_EQ(failure(a, a.initiate("site", "net", b)).peer_notify, "NO_PROPOSAL_CHOSEN");
  expect_nothing_left();
}

}  // namespace
}  // namespace espgate::sim
