// SPDX-License-Identifier: Apache-2.0
// Cookies (RFC 7296 2.6): what they are made of, secrets that go by, and a shield before the responder that makes and
// takes the same ones.
#include "ike/cookies.h"

#include <numeric>

#include "ike/wire/message.h"
#include "tests/sim/pair.h"

namespace espgate::sim {
namespace {

using ike::Reason;
using ike::wire::NotifyType;

const base::Bytes nonce(32, 1);
const auto address = base::Address::parse("192.0.2.1").value();
const ike::Cookies::Claim claim{nonce, address, {42}};

// Octets 0, 1, 2, ...
class CountingRng final : public ike::Rng {
 public:
  void fill(std::span<std::uint8_t> out) override { std::iota(out.begin(), out.end(), std::uint8_t{0}); }
};

// Made by another implementation of SipHash: the shield's have to be the same.
TEST(CookieJar, KnownAnswers) {
  CountingRng rng;
  ike::CookieSecrets secrets;
  secrets.rotate(rng);
  ike::Cookies jar;
  jar.set(secrets.clone());
  base::Bytes counting(32);
  std::iota(counting.begin(), counting.end(), std::uint8_t{0});
  const base::IkeSpi spi{0x0102030405060708};
  EXPECT_EQ(base::to_hex(jar.make({}, rng, {counting, address, spi})), "014e6f5dba94798451");
  const auto ipv6 = base::Address::parse("2001:db8::1").value();
  EXPECT_EQ(base::to_hex(jar.make({}, rng, {counting, ipv6, spi})), "01d04e6119b7cb9d8b");
}

TEST(CookieJar, SecretsOfItsOwnRotate) {
  ike::Cookies jar;
  ike::crypto::SeededRng rng(3);
  constexpr auto rotation = ike::CookieSecrets::kRotation;
  base::Instant now{std::chrono::hours(1)};
  const auto cookie = jar.make(now, rng, claim);
  EXPECT_EQ(cookie.size(), 9U);
  EXPECT_TRUE(jar.good(now, rng, claim, cookie));
  now += rotation;
  EXPECT_TRUE(jar.good(now, rng, claim, cookie)) << "the secret before counts, too";
  EXPECT_NE(jar.make(now, rng, claim), cookie);
  now += rotation;
  EXPECT_FALSE(jar.good(now, rng, claim, cookie));
  const auto late = jar.make(now, rng, claim);
  now += std::chrono::hours(5);
  EXPECT_FALSE(jar.good(now, rng, claim, late)) << "after a long silence none is left";
}

TEST(CookieJar, ACookieIsBoundToItsClaim) {
  ike::Cookies jar;
  ike::crypto::SeededRng rng(3);
  const auto cookie = jar.make({}, rng, claim);
  const base::Bytes other(32, 2);
  EXPECT_FALSE(jar.good({}, rng, {other, address, {42}}, cookie));
  EXPECT_FALSE(jar.good({}, rng, {nonce, base::Address::parse("192.0.2.2").value(), {42}}, cookie));
  EXPECT_FALSE(jar.good({}, rng, {nonce, address, {43}}, cookie));
  EXPECT_FALSE(jar.good({}, rng, claim, base::ByteView(cookie).first(8)));
  EXPECT_FALSE(jar.good({}, rng, claim, {}));
  auto numbered = cookie;
  ++numbered.front();
  EXPECT_FALSE(jar.good({}, rng, claim, numbered));
}

TEST(CookieJar, SecretsThatAreGivenStayUntilOthersAre) {
  ike::Cookies jar, shield;
  ike::crypto::SeededRng rng(3);
  ike::CookieSecrets secrets;
  secrets.rotate(rng);
  jar.set(secrets.clone());
  shield.set(secrets.clone());
  const auto cookie = shield.make({}, rng, claim);
  EXPECT_TRUE(jar.good(base::Instant{std::chrono::hours(9)}, rng, claim, cookie)) << "whoever gave them rotates them";
  secrets.rotate(rng);
  jar.set(secrets.clone());
  EXPECT_TRUE(jar.good({}, rng, claim, cookie));
  EXPECT_NE(jar.make({}, rng, claim), cookie);
  secrets.rotate(rng);
  jar.set(secrets.clone());
  EXPECT_FALSE(jar.good({}, rng, claim, cookie));
}

// b has a shield before it: it answers requests without a good cookie itself, and lets the others through.
class Shielded : public Pair {
 protected:
  void rotate() {
    secrets.rotate(rng);
    b.command(ike::SetCookieSecrets{secrets.clone()});
    shield.set(secrets.clone());
  }
  // `threshold`: of b itself.
  void load_with(std::uint32_t threshold) {
    a.load(config(for_a));
    auto strict = config(for_b);
    strict.cookie_threshold = threshold;
    b.load(std::move(strict));
    rotate();
    net.filter = [this](ike::Datagram& datagram) { return passes(datagram); };
  }
  bool passes(const ike::Datagram& datagram) {
    const auto message = ike::wire::parse_message(datagram.data);
    if (!message || message->header.exchange != ike::wire::ExchangeType::ike_sa_init || message->header.response) {
      return true;
    }
    const auto& header = message->header;
    const ike::Cookies::Claim of{ike::wire::find<ike::wire::NoncePayload>(message->payloads)->data, a.address(),
                                 header.spi_i};
    const auto* shown = ike::wire::find_notify(message->payloads, NotifyType::cookie);
    if (shown != nullptr && shield.good(net.now, rng, of, shown->data)) return true;
    ++challenged;
    auto reply = header;
    reply.response = true;
    reply.from_initiator = false;
    const auto notify = ike::wire::notify(NotifyType::cookie, shield.make(net.now, rng, of));
    if (before_the_answer) std::exchange(before_the_answer, {})();
    a.datagram({datagram.local, datagram.remote, false, ike::wire::write_message(reply, {notify})});
    return false;
  }
  // Somebody's request that got past the shield, and of whom nothing more is heard.
  void stranger_knocks() {
    Host stranger(net, "stranger", "203.0.113.1", 1000);
    stranger.load(config(for_a));
    net.filter = {};
    stranger.initiate("site", "net", b);
    auto request = stranger.sent.at(0).second;
    std::swap(request.local, request.remote);
    b.datagram(std::move(request));
    net.forget(stranger);
    net.filter = [this](ike::Datagram& datagram) { return passes(datagram); };
  }
  std::uint64_t rejected(Reason reason) {
    const auto all = b.listed().rejected;
    const auto it = all.find(reason);
    return it == all.end() ? 0 : it->second;
  }

  ike::crypto::SeededRng rng{7};
  ike::CookieSecrets secrets;
  ike::Cookies shield;
  int challenged = 0;
  std::function<void()> before_the_answer;
};

TEST_F(Shielded, TheResponderSeesOnlyTheSecondRequest) {
  load_with(30);
  const auto id = a.initiate("site", "net", b);
  ASSERT_TRUE(net.run_until([&] { return a.result(id) != nullptr; }));
  EXPECT_TRUE(a.succeeded(id));
  EXPECT_EQ(challenged, 1);
  EXPECT_EQ(a.sent.size(), 3U) << "bare, with the cookie, IKE_AUTH";
  EXPECT_EQ(b.sent.size(), 2U);
  expect_agreement(a, b);
}

TEST_F(Shielded, AResponderThatIsBusyTakesTheShieldsCookie) {
  load_with(1);
  stranger_knocks();
  ASSERT_EQ(b.listed().half_open, 1U);
  const auto id = a.initiate("site", "net", b);
  ASSERT_TRUE(net.run_until([&] { return a.result(id) != nullptr; }));
  EXPECT_TRUE(a.succeeded(id));
  EXPECT_EQ(challenged, 1) << "and it is not asked for another one";
  EXPECT_EQ(a.sent.size(), 3U);
  EXPECT_EQ(rejected(Reason::bad_cookie) + rejected(Reason::cookie_wanted), 0U);
}

TEST_F(Shielded, ACookieOutlivesOneRotation) {
  load_with(1);
  stranger_knocks();
  before_the_answer = [this] { rotate(); };
  const auto id = a.initiate("site", "net", b);
  ASSERT_TRUE(net.run_until([&] { return a.result(id) != nullptr; }));
  EXPECT_TRUE(a.succeeded(id));
  EXPECT_EQ(challenged, 1);
}

TEST_F(Shielded, AfterTwoRotationsAnotherIsAskedFor) {
  load_with(1);
  stranger_knocks();
  int answered = 0;
  net.filter = [&](ike::Datagram& datagram) {
    const auto message = ike::wire::parse_message(datagram.data);
    const bool request =
        message && message->header.exchange == ike::wire::ExchangeType::ike_sa_init && !message->header.response;
    // The cookie of the first answer is on its way back.
    if (request && ++answered == 2) {
      rotate();
      rotate();
    }
    return passes(datagram);
  };
  const auto id = a.initiate("site", "net", b);
  ASSERT_TRUE(net.run_until([&] { return a.result(id) != nullptr; }));
  EXPECT_TRUE(a.succeeded(id));
  EXPECT_EQ(challenged, 2);
  EXPECT_EQ(a.sent.size(), 4U) << "bare, with the stale cookie, with a fresh one, IKE_AUTH";
}

TEST_F(Shielded, ResponderAndShieldMayBeOneRotationApart) {
  load_with(1);
  stranger_knocks();
  secrets.rotate(rng);
  shield.set(secrets.clone());  // b has not heard of it yet
  const auto id = a.initiate("site", "net", b);
  ASSERT_TRUE(net.run_until([&] { return a.result(id) != nullptr; }));
  EXPECT_TRUE(a.succeeded(id)) << "b answers with a cookie of the secret before, and the shield takes it";
  EXPECT_EQ(rejected(Reason::bad_cookie), 1U);
  EXPECT_EQ(a.sent.size(), 4U);
}

TEST_F(Shielded, BelowTheThresholdAWrongCookieIsNone) {
  load_with(30);
  net.filter = {};
  b.command(ike::SetCookieSecrets{secrets.clone()});
  net.filter = [&](ike::Datagram& datagram) {
    auto message = ike::wire::parse_message(datagram.data);
    if (!message || message->header.exchange != ike::wire::ExchangeType::ike_sa_init || message->header.response ||
        challenged++ > 0) {
      return true;
    }
    auto reply = message->header;
    reply.response = true;
    reply.from_initiator = false;
    const auto wrong = ike::wire::notify(NotifyType::cookie, base::Bytes(9, 0x55));
    a.datagram({datagram.local, datagram.remote, false, ike::wire::write_message(reply, {wrong})});
    return false;
  };
  const auto id = a.initiate("site", "net", b);
  ASSERT_TRUE(net.run_until([&] { return a.result(id) != nullptr; }));
  EXPECT_TRUE(a.succeeded(id));
  EXPECT_EQ(rejected(Reason::bad_cookie), 0U);
}

}  // namespace
}  // namespace espgate::sim
