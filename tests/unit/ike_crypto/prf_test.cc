// SPDX-License-Identifier: Apache-2.0
#include "ike/crypto/prf.h"

#include <gtest/gtest.h>

#include "ike/crypto/rng.h"
#include "tests/unit/ike_crypto/hex.h"

namespace espgate::ike::crypto {
namespace {

// RFC 4231 4.3, test case 2.
constexpr std::string_view kKey = "Jefe", kData = "what do ya want for nothing?";

TEST(Prf, KnownAnswers) {
  const auto run = [](std::uint16_t id) {
    return text_of(Prf::make(id).value().compute(base::as_bytes(kKey), {base::as_bytes(kData)}).value().view());
  };
  EXPECT_EQ(run(kPrfHmacSha256), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(run(kPrfHmacSha384),
            "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649");
  EXPECT_EQ(run(kPrfHmacSha512),
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fd"
            "caeab1a34d4a6b4b636e070a38bce737");
}

TEST(Prf, PartsAreJoined) {
  const auto prf = Prf::make(kPrfHmacSha256).value();
  const auto whole = prf.compute(base::as_bytes(kKey), {base::as_bytes(kData)}).value();
  const auto parts =
      prf.compute(base::as_bytes(kKey), {base::as_bytes(kData.substr(0, 5)), {}, base::as_bytes(kData.substr(5))});
  EXPECT_EQ(text_of(whole.view()), text_of(parts.value().view()));
}

TEST(Prf, EmptyKeyIsAKey) {
  const auto prf = Prf::make(kPrfHmacSha256).value();
  // HMAC-SHA-256 of nothing under no key.
  EXPECT_EQ(text_of(prf.compute({}, {}).value().view()),
            "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST(Prf, PlusIsChained) {
  const auto prf = Prf::make(kPrfHmacSha256).value();
  const auto key = hex("000102"), seed = hex("a0a1");
  const std::uint8_t one = 1, two = 2;
  const auto t1 = prf.compute(key, {seed, {&one, 1}}).value();
  const auto t2 = prf.compute(key, {t1.view(), seed, {&two, 1}}).value();
  const auto both = prf.plus(key, {seed}, 50).value();
  EXPECT_EQ(text_of(both.view()), (text_of(t1.view()) + text_of(t2.view())).substr(0, 100));
}

// Contexts are used again: what one key and one digest left behind must not show with the next.
TEST(Prf, OneAfterTheOther) {
  const auto run = [](const char* digest, base::ByteView key) {
    return text_of(hmac(digest, key, {base::as_bytes(kData)}).value().view());
  };
  const base::Bytes longer(200, 0xaa);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(run("SHA256", base::as_bytes(kKey)), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    EXPECT_EQ(run("SHA512", base::as_bytes(kKey)),
              "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fd"
              "caeab1a34d4a6b4b636e070a38bce737");
    EXPECT_NE(run("SHA256", longer), run("SHA256", {}));
    EXPECT_EQ(run("SHA256", {}),
              text_of(Prf::make(kPrfHmacSha256).value().compute({}, {base::as_bytes(kData)}).value().view()));
  }
  EXPECT_FALSE(hmac("no digest", longer, {}).has_value());
  EXPECT_EQ(run("SHA256", base::as_bytes(kKey)), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(Prf, Limits) {
  const auto prf = Prf::make(kPrfHmacSha256).value();
  EXPECT_EQ(prf.plus(hex("00"), {}, 0).value().size(), 0U);
  EXPECT_EQ(prf.plus(hex("00"), {}, 255 * 32).value().size(), 255U * 32);
  EXPECT_EQ(prf.plus(hex("00"), {}, 255 * 32 + 1).error(), CryptoError::too_long);
  EXPECT_EQ(Prf::make(4).error(), CryptoError::unknown_algorithm);
}

TEST(Sha1, KnownAnswer) {
  EXPECT_EQ(text_of(sha1({base::as_bytes("a"), base::as_bytes("bc")}).value()),
            "a9993e364706816aba3e25717850c26c9cd0d89d");
}

TEST(Rng, SeededRepeatsAndSystemDoesNot) {
  SeededRng a(7), b(7), c(8);
  const auto first = a.bytes(33);
  EXPECT_EQ(first, b.bytes(33));
  EXPECT_NE(first, c.bytes(33));
  EXPECT_NE(first, a.bytes(33));
  SystemRng system;
  EXPECT_NE(system.bytes(32), system.bytes(32));
}

}  // namespace
}  // namespace espgate::ike::crypto
