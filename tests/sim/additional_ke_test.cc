// SPDX-License-Identifier: Apache-2.0
// Additional key exchanges (RFC 9370): in IKE_INTERMEDIATE (RFC 9242) and IKE_FOLLOWUP_KE, with classical groups, and
// with ML-KEM where OpenSSL has it.
#include <set>

#include "ike/crypto/key_exchange.h"
#include "ike/wire/header.h"
#include "tests/sim/pair.h"

namespace espgate::sim {
namespace {

using ike::wire::ExchangeType;
using Kind = ike::Event::Kind;
using Names = std::vector<std::pair<std::string, std::string>>;

constexpr char kOne[] = "aes128gcm16-prfsha256-x25519-ke1_ecp256";
constexpr char kThree[] = "aes256gcm16-prfsha384-x25519-ke1_ecp256-ke2_x448-ke7_modp2048";
constexpr char kEsp[] = "aes128gcm16-x25519-ke1_ecp256-ke3_x448";

class AdditionalKe : public Pair {
 protected:
  void speak(const std::string& ike, const std::string& esp = "aes128gcm16") {
    for_a.ike = for_b.ike = ike;
    for_a.esp = for_b.esp = esp;
  }
  std::size_t requests(const Host& host, ExchangeType type) {
    std::set<std::uint32_t> ids;
    for (const auto& [at, datagram] : host.sent) {
      const auto header = ike::wire::peek_header(datagram.data);
      if (header && header->exchange == type && !header->response) ids.insert(header->message_id);
    }
    return ids.size();
  }
  bool done(Host& host, ike::RequestId id) {
    return net.run_until([&] { return host.result(id) != nullptr; }) && host.succeeded(id);
  }
  void rekey_both_ways(const ike::Rekey& what) {
    for (auto* host : {&a, &b}) {
      EXPECT_TRUE(done(*host, host->rekey(what))) << host->name();
      net.run(seconds(10));
    }
    expect_settled();
  }
};

TEST_F(AdditionalKe, OneBeforeIkeAuth) {
  speak(kOne);
  establish();
  expect_settled();
  EXPECT_EQ(requests(a, ExchangeType::ike_intermediate), 1U);
  for (auto* host : {&a, &b}) {
    EXPECT_EQ(host->list()[0].additional, (Names{{"ake1", "ECP_256"}}));
    EXPECT_EQ(host->list()[0].suite, "AES_GCM_16-128/PRF_HMAC_SHA2_256/CURVE_25519/KE1_ECP_256");
  }
}

TEST_F(AdditionalKe, SeveralInTheOrderOfTheirTypes) {
  speak(kThree);
  establish();
  expect_settled();
  EXPECT_EQ(requests(a, ExchangeType::ike_intermediate), 3U);
  EXPECT_EQ(b.list()[0].additional, (Names{{"ake1", "ECP_256"}, {"ake2", "CURVE_448"}, {"ake7", "MODP_2048"}}));
}

TEST_F(AdditionalKe, TheSameMethodAsTheFirstIsNoneTwice) {
  speak("aes128gcm16-prfsha256-x25519-ke1_x25519");
  establish();
  expect_settled();
}

TEST_F(AdditionalKe, WithCbcAndHmac) {
  speak("aes256-sha512-modp2048-ke1_x448-ke2_ecp521");
  establish();
  expect_settled();
}

TEST_F(AdditionalKe, InFragments) {
  speak("aes128gcm16-prfsha256-x25519-ke1_modp4096");
  for (auto* host : {&a, &b}) {
    auto small = config(host == &a ? for_a : for_b);
    small.fragment_size = 400;
    host->load(std::move(small));
  }
  ASSERT_TRUE(done(a, a.initiate("site", "", b)));
  expect_settled();
  std::size_t fragments = 0;
  for (const auto& [at, datagram] : a.sent) {
    const auto header = ike::wire::peek_header(datagram.data);
    fragments += header->exchange == ExchangeType::ike_intermediate && header->next == ike::wire::PayloadType::skf;
  }
  EXPECT_GE(fragments, 2U);
}

TEST_F(AdditionalKe, OverABadNetwork) {
  speak(kThree, kEsp);
  net.weather = {.loss = 20, .duplicate = 20, .garble = 5, .delay = milliseconds(30), .jitter = milliseconds(60)};
  establish();
  rekey_both_ways({{}, "site", "net", {}, {}});
  rekey_both_ways({{}, "site", {}, {}, {}});
}

TEST_F(AdditionalKe, WithCookieAndAnotherFirstGroup) {
  for_a.ike = "aes128gcm16-prfsha256-x25519-ecp384-ke1_ecp256";
  for_b.ike = "aes128gcm16-prfsha256-ecp384-ke1_ecp256";
  a.load(config(for_a));
  auto wary = config(for_b);
  wary.cookie_threshold = 1;
  b.load(std::move(wary));
  ASSERT_TRUE(done(a, a.initiate("site", "", b)));
  expect_settled();
}

TEST_F(AdditionalKe, MayBeLeftOutWhereBothSaySo) {
  for_a.ike = "aes128gcm16-prfsha256-x25519-ke1_ecp256-ke1_none";
  establish();
  expect_settled();
  EXPECT_EQ(requests(a, ExchangeType::ike_intermediate), 0U);
  EXPECT_TRUE(b.list()[0].additional.empty());
}

TEST_F(AdditionalKe, IsWantedByOneSideAlone) {
  for (const bool by_a : {true, false}) {
    for_a.ike = by_a ? kOne : Side{}.ike;
    for_b.ike = by_a ? Side{}.ike : kOne;
    load();
    EXPECT_EQ(failure(a, a.initiate("site", "", b)).code, ike::Reason::no_proposal);
  }
  expect_nothing_left();
}

TEST_F(AdditionalKe, AConnectionThatInsistsIsNotReachedByAnothersProposal) {
  for_b.peer_id = "strict";
  for_b.ike = kOne;
  auto strict = config(for_b);
  Side lax = for_b;
  lax.peer_id = "lax";
  lax.ike = Side{}.ike;
  strict.conns.push_back(config(lax).conns.front());
  b.load(std::move(strict));
  for_a.own_id = "strict";
  a.load(config(for_a));
  EXPECT_EQ(failure(a, a.initiate("site", "", b)).code, ike::Reason::auth_failed);
  expect_nothing_left();
}

TEST_F(AdditionalKe, WithAPostQuantumPresharedKey) {
  speak(kOne);
  const auto with_ppk = [](Side side) {
    side.adjust = [](ike::ConnConfig& conn) {
      conn.ppk_id = identity("one");
      conn.ppk_required = true;
    };
    auto out = config(side);
    out.ppks.push_back(
        {"ppk", {identity("one")}, base::Secret::copy_of(base::as_bytes("thirty-two octets of pure entropy"))});
    return out;
  };
  a.load(with_ppk(for_a));
  b.load(with_ppk(for_b));
  ASSERT_TRUE(done(a, a.initiate("site", "", b)));
  EXPECT_TRUE(b.list()[0].ppk);
  expect_settled();
}

TEST_F(AdditionalKe, ChildrenLaterEachWithItsOwn) {
  speak(kOne, kEsp);
  for_a.adjust = for_b.adjust = [](ike::ConnConfig& conn) { conn.childless = ike::Childless::force; };
  establish();
  expect_settled();
  EXPECT_EQ(requests(a, ExchangeType::ike_followup_ke), 2U);
  for (auto* host : {&a, &b}) {
    EXPECT_EQ(host->list()[0].children[0].additional, (Names{{"ake1", "ECP_256"}, {"ake3", "CURVE_448"}}));
  }
}

TEST_F(AdditionalKe, InRekeysOfTheChild) {
  speak(kOne, kEsp);
  establish();
  EXPECT_TRUE(a.list()[0].children[0].additional.empty()) << "the first child has no key exchange of its own";
  rekey_both_ways({{}, "site", "net", {}, {}});
  EXPECT_EQ(requests(a, ExchangeType::ike_followup_ke), 2U);
  EXPECT_EQ(requests(b, ExchangeType::ike_followup_ke), 2U);
  EXPECT_EQ(a.list()[0].children[0].additional.size(), 2U);
}

TEST_F(AdditionalKe, InRekeysOfTheIkeSa) {
  speak(kThree);
  establish();
  const auto before = a.list()[0].spi_i;
  rekey_both_ways({{}, "site", {}, {}, {}});
  EXPECT_NE(a.list()[0].spi_i, before);
  EXPECT_EQ(requests(a, ExchangeType::ike_followup_ke), 3U);
  EXPECT_EQ(b.list()[0].additional.size(), 3U);
}

TEST_F(AdditionalKe, BothRekeyAtOnce) {
  speak(kOne, kEsp);
  establish();
  for (const bool child : {true, false}) {
    for (int shift = -30; shift <= 30; shift += 5) {
      const ike::Rekey what{{}, "site", child ? "net" : "", {}, {}};
      auto& first = shift < 0 ? a : b;
      auto& second = shift < 0 ? b : a;
      first.rekey(what);
      net.run(milliseconds(std::abs(shift)));
      second.rekey(what);
      net.run(seconds(60));
      expect_settled();
      if (HasFailure()) FAIL() << (child ? "child " : "IKE SA ") << shift << " ms";
    }
  }
}

TEST_F(AdditionalKe, AResponderThatWaitsInVainForgets) {
  speak(kOne, kEsp);
  establish();
  net.filter = [](ike::Datagram& datagram) {
    const auto header = ike::wire::peek_header(datagram.data);
    return header->exchange != ExchangeType::ike_followup_ke;
  };
  const auto id = a.rekey({{}, "site", "net", {}, {}});
  net.run(seconds(15));
  EXPECT_EQ(a.result(id), nullptr);
  net.run(seconds(10));  // 20 s are over, and the peer says so
  net.filter = nullptr;
  EXPECT_EQ(failure(a, id).code, ike::Reason::not_found);
  expect_settled();
  EXPECT_TRUE(done(a, a.rekey({{}, "site", "net", {}, {}})));
  expect_settled();
}

// Two that keep records, with an IKE SA and a child.
struct Mortals {
  Mortals(auto of_left, auto of_right) {
    left.load(std::move(of_left));
    right.load(std::move(of_right));
    const auto up = left.initiate("site", "", right);
    wire.run_until([&] { return left.result(up) != nullptr; });
    wire.run(seconds(1));
  }
  static ike::Engine::Options keeps() {
    ike::Engine::Options out;
    out.records = true;
    return out;
  }
  Net wire{};
  Host left{wire, "left", "192.0.2.11", 31, keeps()};
  Host right{wire, "right", "198.51.100.12", 32, keeps()};
};

TEST_F(AdditionalKe, AnInitiatorThatDiesAmidThemGoesOn) {
  for (const bool child : {true, false}) {
    speak(kOne, kEsp);
    Mortals world(config(for_a), config(for_b));
    auto& [wire, left, right] = world;
    left.rekey({{}, "site", child ? "net" : "", {}, {}});
    wire.run_until([&] { return requests(left, ExchangeType::ike_followup_ke) > 0; });
    left.kill(milliseconds(100));
    wire.run(seconds(60));
    expect_agreement(left, right);
    ASSERT_EQ(left.list().size(), 1U);
    EXPECT_EQ(left.sad.size(), 1U);
    EXPECT_EQ(left.list()[0].spi_i, right.list().at(0).spi_i);
    EXPECT_EQ(left.count(Kind::ike_down), 0U);
    EXPECT_EQ(left.ivs_reused, 0U);
    EXPECT_EQ(left.list()[0].children.at(0).additional.size(), child ? 2U : 0U) << "the rekey went on";
  }
}

TEST_F(AdditionalKe, AResponderThatDiesAmidThemSaysThatItForgot) {
  speak(kOne, kEsp);
  Mortals world(config(for_a), config(for_b));
  auto& [wire, left, right] = world;
  const auto id = left.rekey({{}, "site", "net", {}, {}});
  wire.run_until([&] { return requests(left, ExchangeType::ike_followup_ke) > 0; });
  right.kill(milliseconds(100));
  wire.run_until([&] { return left.result(id) != nullptr; });
  EXPECT_EQ(left.failed(id), ike::Reason::not_found);
  wire.run(seconds(10));
  expect_agreement(left, right);
}

class MlKem : public AdditionalKe, public ::testing::WithParamInterface<const char*> {};

TEST_P(MlKem, InTheHandshakeAndInRekeys) {
  if (!ike::crypto::available(ike::crypto::kGroupMlKem768)) {
    GTEST_SKIP() << ike::crypto::library() << " has no ML-KEM";
  }
  const std::string method = GetParam();
  speak("aes256gcm16-prfsha384-x25519-ke1_" + method, "aes256gcm16-x25519-ke1_" + method);
  establish();
  rekey_both_ways({{}, "site", "net", {}, {}});
  rekey_both_ways({{}, "site", {}, {}, {}});
  EXPECT_EQ(b.list()[0].additional.size(), 1U);
}

TEST_P(MlKem, AsTheOnlyKeyExchange) {
  if (!ike::crypto::available(ike::crypto::kGroupMlKem768)) {
    GTEST_SKIP() << ike::crypto::library() << " has no ML-KEM";
  }
  speak(std::string("aes256gcm16-prfsha384-") + GetParam(), std::string("aes256gcm16-") + GetParam());
  establish();
  rekey_both_ways({{}, "site", "net", {}, {}});
  rekey_both_ways({{}, "site", {}, {}, {}});
}

INSTANTIATE_TEST_SUITE_P(All, MlKem, ::testing::Values("mlkem512", "mlkem768", "mlkem1024"));

}  // namespace
}  // namespace espgate::sim
