// SPDX-License-Identifier: Apache-2.0
// Post-quantum preshared keys (RFC 8784): who has one, who insists, and what becomes of it.
#include "tests/sim/pair.h"

namespace espgate::sim {
namespace {

using Kind = ike::Event::Kind;

struct Ppk {
  std::string id = "ppk-one", key = "thirty-two octets of pure entropy";
  bool required = false;
};

class PpkTest : public Pair {
 protected:
  static ike::Config with(const Side& side, const std::optional<Ppk>& ppk, bool has_secret = true) {
    auto wanted = side;
    if (ppk) {
      wanted.adjust = [&](ike::ConnConfig& conn) {
        if (!ppk->id.empty()) conn.ppk_id = identity(ppk->id);
        conn.ppk_required = ppk->required;
      };
    }
    auto out = config(wanted);
    if (ppk && has_secret) {
      const auto owner = identity(ppk->id.empty() ? "ppk-one" : ppk->id);
      out.ppks.push_back({"ppk", {owner}, base::Secret::copy_of(base::as_bytes(ppk->key))});
    }
    return out;
  }
  bool up() {
    const auto id = a.initiate("site", "", b);
    net.run_until([&] { return a.result(id) != nullptr; });
    net.run(seconds(1));
    return a.succeeded(id) && a.list().size() == 1 && b.list().size() == 1;
  }
  std::string failed() {
    const auto why = failure(a, a.initiate("site", "", b));
    net.run(seconds(1));
    EXPECT_TRUE(a.list().empty());
    EXPECT_TRUE(a.sad.empty());
    EXPECT_TRUE(b.sad.empty());
    return why.text;
  }
  std::string refused_by_b() {
    const auto* event = b.last(Kind::ike_failed);
    return event != nullptr && event->failure ? event->failure->text : std::string("nothing");
  }
};

TEST_F(PpkTest, BothHaveItAndItIsUsedAlsoAfterRekeys) {
  a.load(with(for_a, Ppk{.required = true}));
  b.load(with(for_b, Ppk{.required = true}));
  ASSERT_TRUE(up());
  EXPECT_TRUE(a.list().at(0).ppk);
  EXPECT_TRUE(b.list().at(0).ppk);
  const auto rekeyed = a.rekey({{}, "site", {}, {}, {}});
  net.run_until([&] { return a.result(rekeyed) != nullptr; });
  net.run(seconds(2));
  ASSERT_EQ(a.list().size(), 1U);
  EXPECT_TRUE(a.list().at(0).ppk);
  EXPECT_TRUE(b.list().at(0).ppk);
}

TEST_F(PpkTest, AResponderThatTakesAnyOfItsKeys) {
  a.load(with(for_a, Ppk{}));
  b.load(with(for_b, Ppk{.id = "", .required = true}));
  ASSERT_TRUE(up());
  EXPECT_TRUE(b.list().at(0).ppk);
}

TEST_F(PpkTest, WithoutItWhereThePeerKnowsNone) {
  a.load(with(for_a, Ppk{}));
  b.load(config(for_b));
  ASSERT_TRUE(up());
  EXPECT_FALSE(a.list().at(0).ppk);
  EXPECT_FALSE(b.list().at(0).ppk);
}

TEST_F(PpkTest, WithoutItWhereThePeerLacksThisOne) {
  a.load(with(for_a, Ppk{}));
  b.load(with(for_b, Ppk{.id = "another"}));
  ASSERT_TRUE(up());
  EXPECT_FALSE(a.list().at(0).ppk);
  EXPECT_FALSE(b.list().at(0).ppk);
}

TEST_F(PpkTest, WhoInsistsRefusesAPeerWithoutIt) {
  a.load(with(for_a, Ppk{.required = true}));
  b.load(config(for_b));
  EXPECT_NE(failed().find("requires a post-quantum preshared key"), std::string::npos);
}

TEST_F(PpkTest, AResponderThatInsistsRefusesAPeerWithoutIt) {
  a.load(config(for_a));
  b.load(with(for_b, Ppk{.required = true}));
  (void)failed();
  EXPECT_NE(refused_by_b().find("the peer names none"), std::string::npos) << refused_by_b();
}

TEST_F(PpkTest, WhoInsistsRefusesAPeerThatLacksThisOne) {
  a.load(with(for_a, Ppk{.required = true}));
  b.load(with(for_b, Ppk{.id = "another"}));
  (void)failed();
  EXPECT_NE(refused_by_b().find("'ppk-one' is not among the secrets"), std::string::npos) << refused_by_b();
}

TEST_F(PpkTest, WhoInsistsAndHasNoneSaysSo) {
  a.load(with(for_a, Ppk{.required = true}, false));
  b.load(with(for_b, Ppk{}));
  EXPECT_NE(failed().find("'ppk-one', which is not among the secrets"), std::string::npos);
}

TEST_F(PpkTest, OneIdWithTwoKeysIsRefused) {
  for (const bool required : {false, true}) {
    a.load(with(for_a, Ppk{.required = required}));
    b.load(with(for_b, Ppk{.key = "the same name, quite another key"}));
    (void)failed();
    EXPECT_EQ(b.last(Kind::ike_failed)->failure->code, ike::Reason::auth_failed) << required;
  }
}

}  // namespace
}  // namespace espgate::sim
