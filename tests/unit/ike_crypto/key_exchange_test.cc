// SPDX-License-Identifier: Apache-2.0
#include "ike/crypto/key_exchange.h"

#include <gtest/gtest.h>

#include "tests/unit/ike_crypto/hex.h"

namespace espgate::ike::crypto {
namespace {

constexpr std::uint16_t kGroups[] = {kGroupX25519, kGroupX448,     kGroupEcp256,   kGroupEcp384,
                                     kGroupEcp521, kGroupModp2048, kGroupModp3072, kGroupModp4096};

class EachGroup : public testing::TestWithParam<std::uint16_t> {
 protected:
  SystemRng rng_;
  KeyExchange ours_ = KeyExchange::generate(GetParam(), rng_).value();
  KeyExchange theirs_ = KeyExchange::generate(GetParam(), rng_).value();
};

TEST_P(EachGroup, BothSidesAgree) {
  const auto* info = find_group(GetParam());
  EXPECT_EQ(ours_.public_value().size(), info->public_octets);
  EXPECT_NE(ours_.public_value(), theirs_.public_value());
  const auto a = ours_.derive(theirs_.public_value()).value();
  const auto b = theirs_.derive(ours_.public_value()).value();
  EXPECT_EQ(a.size(), info->shared_octets);
  EXPECT_EQ(text_of(a.view()), text_of(b.view()));
}

TEST_P(EachGroup, TheResponderAnswersAtOnce) {
  const auto answer = KeyExchange::answer(GetParam(), ours_.public_value(), rng_).value();
  EXPECT_EQ(answer.public_value.size(), find_group(GetParam())->answer_octets);
  EXPECT_EQ(text_of(ours_.derive(answer.public_value)->view()), text_of(answer.shared.view()));
  EXPECT_EQ(KeyExchange::answer(GetParam(), base::Bytes(3), rng_).error(), CryptoError::bad_public_value);
}

TEST_P(EachGroup, WrongLengthIsRefused) {
  auto value = theirs_.public_value();
  value.pop_back();
  EXPECT_EQ(ours_.derive(value).error(), CryptoError::bad_public_value);
  EXPECT_EQ(ours_.derive({}).error(), CryptoError::bad_public_value);
  value.resize(value.size() + 2);
  EXPECT_EQ(ours_.derive(value).error(), CryptoError::bad_public_value);
}

TEST_P(EachGroup, ZeroIsRefused) {
  const base::Bytes zero(find_group(GetParam())->public_octets);
  const auto result = ours_.derive(zero);
  ASSERT_FALSE(result);
  const bool montgomery = find_group(GetParam())->kind == GroupInfo::Kind::montgomery;
  EXPECT_EQ(result.error(), montgomery ? CryptoError::zero_shared : CryptoError::bad_public_value);
}

INSTANTIATE_TEST_SUITE_P(KeyExchange, EachGroup, testing::ValuesIn(kGroups),
                         [](const auto& param) { return std::string(find_group(param.param)->name); });

class EachKem : public testing::TestWithParam<std::uint16_t> {
 protected:
  void SetUp() override {
    if (!available(GetParam())) GTEST_SKIP() << library() << " has no ML-KEM";
  }
  SystemRng rng_;
};

TEST_P(EachKem, WhatIsEncapsulatedComesOut) {
  const auto* info = find_group(GetParam());
  const auto ours = KeyExchange::generate(GetParam(), rng_).value();
  EXPECT_EQ(ours.public_value().size(), info->public_octets);
  const auto answer = KeyExchange::answer(GetParam(), ours.public_value(), rng_).value();
  EXPECT_EQ(answer.public_value.size(), info->answer_octets);
  EXPECT_EQ(answer.shared.size(), info->shared_octets);
  EXPECT_EQ(text_of(ours.derive(answer.public_value)->view()), text_of(answer.shared.view()));
  const auto kept = KeyExchange::from_kept(GetParam(), ours.kept()->view(), ours.public_value());
  ASSERT_TRUE(kept);
  EXPECT_EQ(text_of(kept->derive(answer.public_value)->view()), text_of(answer.shared.view()));
}

TEST_P(EachKem, WhatCannotBeIsRefused) {
  const auto ours = KeyExchange::generate(GetParam(), rng_).value();
  auto answer = KeyExchange::answer(GetParam(), ours.public_value(), rng_).value();
  auto bad = ours.public_value();
  bad[0] = bad[1] = 0xff;  // a coefficient that is not below q: FIPS 203 7.2
  EXPECT_EQ(KeyExchange::answer(GetParam(), bad, rng_).error(), CryptoError::bad_public_value);
  bad = ours.public_value();
  bad.pop_back();
  EXPECT_EQ(KeyExchange::answer(GetParam(), bad, rng_).error(), CryptoError::bad_public_value);
  answer.public_value[5] ^= 1U;  // implicit rejection: another secret, no error (FIPS 203 6.3)
  EXPECT_NE(text_of(ours.derive(answer.public_value)->view()), text_of(answer.shared.view()));
  answer.public_value.pop_back();
  EXPECT_EQ(ours.derive(answer.public_value).error(), CryptoError::bad_public_value);
}

INSTANTIATE_TEST_SUITE_P(KeyExchange, EachKem, testing::Values(kGroupMlKem512, kGroupMlKem768, kGroupMlKem1024),
                         [](const auto& param) { return std::string(find_group(param.param)->name); });

TEST(KeyExchange, WhatOpensslDoesNotHaveIsAnError) {
  SystemRng rng;
  EXPECT_TRUE(available(kGroupX25519));
  EXPECT_FALSE(available(4711));
  EXPECT_EQ(library().substr(0, 9), "OpenSSL 3");
  EXPECT_EQ(KeyExchange::generate(kGroupMlKem768, rng).has_value(), available(kGroupMlKem768));
}

// RFC 7748 6.1.
TEST(KeyExchange, X25519KnownAnswer) {
  const auto alice =
      KeyExchange::from_private(kGroupX25519, hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"));
  const auto bob =
      KeyExchange::from_private(kGroupX25519, hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"));
  ASSERT_TRUE(alice && bob);
  EXPECT_EQ(text_of(alice->public_value()), "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
  EXPECT_EQ(text_of(bob->public_value()), "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
  const std::string shared = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742";
  EXPECT_EQ(text_of(alice->derive(bob->public_value()).value().view()), shared);
  EXPECT_EQ(text_of(bob->derive(alice->public_value()).value().view()), shared);
}

// Points of small order give an all-zero secret, whoever derives: u = 0, u = 1 and one of order 8.
TEST(KeyExchange, X25519SmallOrderIsRefused) {
  SeededRng rng(1);
  const auto ours = KeyExchange::generate(kGroupX25519, rng).value();
  for (const auto* point : {"0000000000000000000000000000000000000000000000000000000000000000",
                            "0100000000000000000000000000000000000000000000000000000000000000",
                            "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"}) {
    const auto result = ours.derive(hex(point));
    ASSERT_FALSE(result) << point;
    EXPECT_EQ(result.error(), CryptoError::zero_shared);
  }
}

TEST(KeyExchange, X25519FromSeedRepeats) {
  SeededRng a(5), b(5);
  EXPECT_EQ(KeyExchange::generate(kGroupX25519, a).value().public_value(),
            KeyExchange::generate(kGroupX25519, b).value().public_value());
}

TEST(KeyExchange, PointOffTheCurveIsRefused) {
  SystemRng rng;
  for (const auto group : {kGroupEcp256, kGroupEcp384, kGroupEcp521}) {
    const auto ours = KeyExchange::generate(group, rng).value();
    auto point = KeyExchange::generate(group, rng).value().public_value();
    point.back() ^= 1;
    EXPECT_EQ(ours.derive(point).error(), CryptoError::bad_public_value) << group;
    EXPECT_EQ(ours.derive(base::Bytes(point.size(), 0xff)).error(), CryptoError::bad_public_value) << group;
  }
}

// p of RFC 3526 3 ends in 64 one bits: p - 1 and p are easily made; so are 1 and what is above p.
TEST(KeyExchange, ModpBoundsAreRefused) {
  const auto p =
      hex("ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404dd"
          "ef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7ed"
          "ee386bfb5a899fa5ae9f24117c4b1fe649286651ece45b3dc2007cb8a163bf0598da48361c55d39a69163fa8fd24cf5f"
          "83655d23dca3ad961c62f356208552bb9ed529077096966d670c354e4abc9804f1746c08ca18217c32905e462e36ce3b"
          "e39e772c180e86039b2783a2ec07a28fb5c55df06f4c52c9de2bcbf6955817183995497cea956ae515d2261898fa0510"
          "15728e5a8aacaa68ffffffffffffffff");
  SystemRng rng;
  const auto ours = KeyExchange::generate(kGroupModp2048, rng).value();
  const auto refused = [&](base::Bytes value) { return !ours.derive(value).has_value(); };
  base::Bytes one(256);
  one.back() = 1;
  auto p_minus_1 = p;
  p_minus_1.back() = 0xfe;
  EXPECT_TRUE(refused(one));
  EXPECT_TRUE(refused(p_minus_1));
  EXPECT_TRUE(refused(p));
  EXPECT_TRUE(refused(base::Bytes(256, 0xff)));
  base::Bytes two(256);
  two.back() = 2;
  EXPECT_FALSE(refused(two));  // the smallest that may be
  auto p_minus_2 = p;
  p_minus_2.back() = 0xfd;
  EXPECT_FALSE(refused(p_minus_2));
}

TEST(KeyExchange, UnknownGroup) {
  SystemRng rng;
  EXPECT_EQ(KeyExchange::generate(2, rng).error(), CryptoError::unknown_algorithm);
  EXPECT_EQ(KeyExchange::from_private(kGroupEcp256, base::Bytes(32, 1)).error(), CryptoError::unknown_algorithm);
  EXPECT_EQ(KeyExchange::from_private(kGroupX25519, base::Bytes(31, 1)).error(), CryptoError::bad_key_length);
}

}  // namespace
}  // namespace espgate::ike::crypto
