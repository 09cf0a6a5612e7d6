// SPDX-License-Identifier: Apache-2.0
#include "ike/crypto/sk_cipher.h"

#include <gtest/gtest.h>

#include "ike/crypto/prf.h"
#include "tests/unit/ike_crypto/hex.h"

namespace espgate::ike::crypto {
namespace {

base::Bytes joined(std::initializer_list<base::Bytes> parts) {
  base::Bytes out;
  for (const auto& part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

IkeSuite gcm(std::uint16_t bits) { return {kEncrAesGcm16, bits, kIntegNone, kPrfHmacSha256, kGroupX25519}; }
IkeSuite cbc(std::uint16_t bits, std::uint16_t integ) {
  return {kEncrAesCbc, bits, integ, kPrfHmacSha256, kGroupX25519};
}

SkCipher cipher_of(const IkeSuite& suite) {
  return SkCipher::make(suite, base::Bytes(suite.encr_key_octets(), 0x41), base::Bytes(suite.integ_key_octets(), 0x42))
      .value();
}

// Test cases 4 and 16 of the GCM specification (McGrew, Viega): 12 octets of IV, of which four are our salt.
struct GcmCase {
  const char *key, *sealed, *tag;
};
class GcmKnownAnswer : public testing::TestWithParam<GcmCase> {};

TEST_P(GcmKnownAnswer, Opens) {
  const auto key = hex(GetParam().key);
  const auto aad = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
  const auto iv = hex("facedbaddecaf888");
  const auto suite = gcm(static_cast<std::uint16_t>(8 * key.size()));
  const auto cipher = SkCipher::make(suite, joined({key, hex("cafebabe")}), {}).value();
  auto message = joined({aad, iv, hex(GetParam().sealed), hex(GetParam().tag)});
  EXPECT_EQ(text_of(cipher.open(message, aad.size()).value()),
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525"
            "b16aedf5aa0de657ba637b39");
  message.front() ^= 1;
  EXPECT_EQ(cipher.open(message, aad.size()).error(), CryptoError::bad_integrity);
}

INSTANTIATE_TEST_SUITE_P(
    SkCipher, GcmKnownAnswer,
    testing::Values(GcmCase{"feffe9928665731c6d6a8f9467308308",
                            "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5a"
                            "ac84aa051ba30b396a0aac973d58e091",
                            "5bc94fbc3221a5db94fae95ae7121a47"},
                    GcmCase{"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
                            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b10"
                            "56828838c5f61e6393ba7a0abcc9f662",
                            "76fc6ece0f4e1768cddf8853bb2d551b"}));

// RFC 7634 B: an IKE message with SK payload; key, salt, IV, AAD and octets of the appendix.
TEST(SkCipher, ChaCha20KnownAnswer) {
  const IkeSuite suite{kEncrChaCha20Poly1305, 256, kIntegNone, kPrfHmacSha256, kGroupX25519};
  const auto key = hex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
  const auto cipher = SkCipher::make(suite, joined({key, hex("a0a1a2a3")}), {}).value();
  const auto aad = hex("c0c1c2c3c4c5c6c7d0d1d2d3d4d5d6d72e202500000000090000004529000029");
  const auto iv = hex("1011121314151617");
  auto message = joined({aad, iv, hex("610394701f8d017f7c12924889"), hex("6b71bfe25236efd7cdc67066906315b2")});
  EXPECT_EQ(text_of(cipher.open(message, aad.size()).value()), "0000000c000040010000000a00");
  message.back() ^= 1;
  EXPECT_EQ(cipher.open(message, aad.size()).error(), CryptoError::bad_integrity);
  EXPECT_FALSE(
      SkCipher::make({kEncrChaCha20Poly1305, 128, kIntegNone, kPrfHmacSha256, kGroupX25519}, base::Bytes(20), {}));
}

// RFC 3602 4, case 1, under an HMAC of its own (RFC 4231 vouches for that in prf_test).
TEST(SkCipher, CbcKnownAnswer) {
  const auto suite = cbc(128, kIntegSha256);
  const base::Bytes integ_key(32, 0x55);
  const auto cipher = SkCipher::make(suite, hex("06a9214036b8a15b512e03d534120006"), integ_key).value();
  const auto covered =
      joined({hex("00112233"), hex("3dafba429d9eb430b422da802c9fac41"), hex("e353779c1079aeb82708942dbe77181a")});
  const auto mac = hmac("SHA256", integ_key, {covered}).value();
  const auto icv = mac.part(0, 16);
  const auto plain = cipher.open(joined({covered, {icv.begin(), icv.end()}}), 4).value();
  EXPECT_EQ(base::as_text(plain), "Single block msg");
}

const IkeSuite kSuites[] = {gcm(128),
                            gcm(192),
                            gcm(256),
                            cbc(128, kIntegSha256),
                            cbc(192, kIntegSha384),
                            cbc(256, kIntegSha512),
                            cbc(256, kIntegSha256)};

class EachSuite : public testing::TestWithParam<IkeSuite> {
 protected:
  static constexpr std::size_t kOffset = 32;  // of the IV
  base::Bytes seal(const base::Bytes& plain) {
    base::ByteWriter message;
    message.put(header_);
    EXPECT_TRUE(cipher_.seal(message, plain, rng_));
    return message.take();
  }
  SeededRng rng_{3};
  SkCipher cipher_ = cipher_of(GetParam());
  const base::Bytes header_ = base::Bytes(kOffset, 0x77);
  const base::Bytes plain_ = base::Bytes(48, 0x5a);
};

TEST_P(EachSuite, SealsAndOpens) {
  const auto message = seal(plain_);
  EXPECT_EQ(message.size(), kOffset + cipher_.sealed_octets(plain_.size()));
  EXPECT_EQ(cipher_.open(message, kOffset).value(), plain_);
}

TEST_P(EachSuite, NoTwoIvsAreEqual) {
  const auto a = seal(plain_), b = seal(plain_);
  const auto iv = [&](const base::Bytes& message) { return text_of(base::ByteView(message).subspan(kOffset, 8)); };
  EXPECT_NE(iv(a), iv(b));
}

TEST_P(EachSuite, EveryBitCounts) {
  const auto message = seal(plain_);
  for (std::size_t i = 0; i < message.size(); ++i) {
    auto changed = message;
    changed[i] ^= 0x10;
    EXPECT_EQ(cipher_.open(changed, kOffset).error(), CryptoError::bad_integrity) << "octet " << i;
  }
}

TEST_P(EachSuite, EveryCutIsRefused) {
  const auto message = seal(plain_);
  for (std::size_t size = 0; size < message.size(); ++size) {
    EXPECT_EQ(cipher_.open(base::ByteView(message).first(size), kOffset).error(), CryptoError::bad_integrity) << size;
  }
}

INSTANTIATE_TEST_SUITE_P(SkCipher, EachSuite, testing::ValuesIn(kSuites), [](const auto& param) {
  auto name = param.param.encr_name() + "_" + std::to_string(param.param.key_bits) + param.param.integ_name();
  return name;
});

TEST(SkCipher, KeysMustFit) {
  const auto suite = cbc(256, kIntegSha256);
  const base::Bytes key(32), integ(32);
  EXPECT_TRUE(SkCipher::make(suite, key, integ));
  EXPECT_EQ(SkCipher::make(suite, base::ByteView(key).first(16), integ).error(), CryptoError::bad_key_length);
  EXPECT_EQ(SkCipher::make(suite, key, {}).error(), CryptoError::bad_key_length);
  EXPECT_EQ(SkCipher::make(gcm(128), base::Bytes(16), {}).error(), CryptoError::bad_key_length);
  EXPECT_EQ(SkCipher::make(gcm(64), base::Bytes(12), {}).error(), CryptoError::unknown_algorithm);
}

}  // namespace
}  // namespace espgate::ike::crypto
