// SPDX-License-Identifier: Apache-2.0
// IKE SAs that begin without a child (RFC 6023).
#include "tests/sim/pair.h"

namespace espgate::sim {
namespace {

using enum ike::Childless;

class ChildlessTest : public Pair {
 protected:
  void load_with(ike::Childless at_a, ike::Childless at_b) {
    for_a.adjust = [=](ike::ConnConfig& conn) { conn.childless = at_a; };
    for_b.adjust = [=](ike::ConnConfig& conn) { conn.childless = at_b; };
    load();
  }
  bool up() {
    const auto id = a.initiate("site", "", b);
    net.run_until([&] { return a.result(id) != nullptr; });
    net.run(seconds(1));
    return a.succeeded(id) && a.list().size() == 1 && a.list().at(0).children.size() == 1;
  }
};

TEST_F(ChildlessTest, PreferredTheChildComesWithAnExchangeOfItsOwn) {
  for_a.esp = for_b.esp = "aes128gcm16-x25519";
  load_with(prefer, allow);
  ASSERT_TRUE(up());
  EXPECT_EQ(a.list().at(0).children.at(0).group, "CURVE_25519") << "in IKE_AUTH there is no key exchange for it";
  EXPECT_EQ(b.list().at(0).children.size(), 1U);
}

TEST_F(ChildlessTest, PreferredWithAPeerThatDoesNotKnowIt) {
  for_a.esp = for_b.esp = "aes128gcm16-x25519";
  load_with(prefer, never);
  ASSERT_TRUE(up());
  EXPECT_EQ(a.list().at(0).children.at(0).group, "");
}

TEST_F(ChildlessTest, ForcedWithAPeerThatDoesNotKnowIt) {
  load_with(force, never);
  const auto why = failure(a, a.initiate("site", "", b));
  EXPECT_NE(why.text.find("childless = force"), std::string::npos) << why.text;
  EXPECT_TRUE(a.list().empty());
}

TEST_F(ChildlessTest, ForcedAtTheResponderAChildAtOnceIsRefused) {
  load_with(allow, force);
  const auto why = failure(a, a.initiate("site", "", b));
  EXPECT_EQ(why.peer_notify, "INVALID_SYNTAX");
  net.run(seconds(1));
  EXPECT_TRUE(b.sad.empty());
  const auto* refused = b.last(ike::Event::Kind::ike_failed);
  ASSERT_NE(refused, nullptr);
  EXPECT_NE(refused->failure->text.find("wants a child at once"), std::string::npos) << refused->failure->text;
}

TEST_F(ChildlessTest, SeveralChildrenAndARekeyOfSuchAnIkeSa) {
  for_a.children.push_back({"more", {"10.3.0.0/16", "10.4.0.0/16"}});
  for_b = mirrored(for_a);
  load_with(prefer, force);
  const auto first = a.initiate("site", "net", b);
  const auto second = a.initiate("site", "more", b);
  ASSERT_TRUE(net.run_until([&] { return a.result(first) != nullptr && a.result(second) != nullptr; }));
  EXPECT_TRUE(a.succeeded(first) && a.succeeded(second));
  a.rekey({{}, "site", {}, {}, {}});
  net.run(seconds(5));
  ASSERT_EQ(b.list().size(), 1U);
  EXPECT_EQ(b.list().at(0).children.size(), 2U);
}

}  // namespace
}  // namespace espgate::sim
