// SPDX-License-Identifier: Apache-2.0
// How keymat is cut, and the AUTH payload's data.
#include "ike/crypto/keys.h"

#include <gtest/gtest.h>

#include "ike/crypto/auth.h"
#include "tests/unit/ike_crypto/hex.h"

namespace espgate::ike::crypto {
namespace {

const base::Bytes kNi(32, 0x11), kNr(32, 0x22), kSeed(32, 0x33);
const Exchange kExchange{kNi, kNr, {0x0102030405060708}, {0x1112131415161718}};

std::string joined(const IkeKeys& keys) {
  return text_of(keys.d.view()) + text_of(keys.ai.view()) + text_of(keys.ar.view()) + text_of(keys.ei.view()) +
         text_of(keys.er.view()) + text_of(keys.pi.view()) + text_of(keys.pr.view());
}

TEST(IkeKeys, CbcIsCutInOrder) {
  const IkeSuite suite{kEncrAesCbc, 256, kIntegSha384, kPrfHmacSha256, kGroupEcp256};
  const auto keys = ike_keys(suite, kSeed, kExchange).value();
  EXPECT_EQ(keys.d.size(), 32U);
  EXPECT_EQ(keys.ai.size(), 48U);
  EXPECT_EQ(keys.er.size(), 32U);
  EXPECT_EQ(keys.pr.size(), 32U);
  const auto whole = ike_keymat(Prf::make(suite.prf).value(), kSeed, kExchange, 3 * 32 + 2 * 48 + 2 * 32).value();
  EXPECT_EQ(joined(keys), text_of(whole.view()));
}

TEST(IkeKeys, AeadHasSaltAndNoIntegrity) {
  const auto keys = ike_keys({}, kSeed, kExchange).value();
  EXPECT_TRUE(keys.ai.empty());
  EXPECT_TRUE(keys.ar.empty());
  EXPECT_EQ(keys.ei.size(), 20U);
  const auto whole = ike_keymat(Prf::make(kPrfHmacSha256).value(), kSeed, kExchange, 3 * 32 + 2 * 20).value();
  EXPECT_EQ(joined(keys), text_of(whole.view()));
}

TEST(IkeKeys, UnknownSuite) {
  IkeSuite suite;
  suite.integ = kIntegSha256;  // AEAD has none
  EXPECT_EQ(ike_keys(suite, kSeed, kExchange).error(), CryptoError::unknown_algorithm);
}

TEST(ChildKeys, InitiatorFirstCipherBeforeAuth) {
  const auto prf = Prf::make(kPrfHmacSha512).value();
  const base::EspSuite suite{base::EspCipher::aes_cbc, 256, base::EspAuth::hmac_sha2_256_128, false};
  const auto keys = child_keys(prf, suite, kSeed, {}, kNi, kNr).value();
  EXPECT_EQ(keys.cipher_i.size(), 32U);
  EXPECT_EQ(keys.auth_i.size(), 32U);
  const auto whole = child_keymat(prf, kSeed, {}, kNi, kNr, 128).value();
  EXPECT_EQ(text_of(keys.cipher_i.view()) + text_of(keys.auth_i.view()) + text_of(keys.cipher_r.view()) +
                text_of(keys.auth_r.view()),
            text_of(whole.view()));
}

TEST(ChildKeys, GcmHasSaltAtItsEnd) {
  const auto prf = Prf::make(kPrfHmacSha256).value();
  const auto keys = child_keys(prf, {}, kSeed, {}, kNi, kNr).value();
  EXPECT_EQ(keys.cipher_i.size(), 20U);
  EXPECT_TRUE(keys.auth_r.empty());
  EXPECT_NE(text_of(keys.cipher_i.view()), text_of(keys.cipher_r.view()));
}

// The formula of RFC 7296 2.15 written out, and every input matters.
TEST(PskAuth, FormulaAndInputs) {
  const auto prf = Prf::make(kPrfHmacSha256).value();
  const auto key = hex("736563726574"), message = hex("aabb"), nonce = hex("cc"), sk_p = hex("dd"),
             id = hex("02000000");
  const SignedOctets octets{message, nonce, sk_p, id};
  const auto auth = psk_auth(prf, key, octets).value();
  const auto pad = prf.compute(key, {base::as_bytes("Key Pad for IKEv2")}).value();
  auto covered = hex("aabbcc");
  const auto id_mac = prf.compute(sk_p, {id}).value();
  covered.insert(covered.end(), id_mac.view().begin(), id_mac.view().end());
  EXPECT_EQ(text_of(auth), text_of(prf.compute(pad.view(), {covered}).value().view()));

  const auto other = hex("ff");
  for (const SignedOctets& changed :
       {SignedOctets{other, nonce, sk_p, id}, SignedOctets{message, other, sk_p, id},
        SignedOctets{message, nonce, other, id}, SignedOctets{message, nonce, sk_p, other}}) {
    EXPECT_NE(psk_auth(prf, key, changed).value(), auth);
  }
  EXPECT_NE(psk_auth(prf, other, octets).value(), auth);
}

TEST(IkeSuite, Names) {
  EXPECT_EQ(IkeSuite{}.name(), "AES_GCM_16-128/PRF_HMAC_SHA2_256/CURVE_25519");
  const IkeSuite cbc{kEncrAesCbc, 256, kIntegSha512, kPrfHmacSha384, kGroupModp2048};
  EXPECT_EQ(cbc.name(), "AES_CBC-256/HMAC_SHA2_512_256/PRF_HMAC_SHA2_384/MODP_2048");
  EXPECT_EQ(cbc.integ_name(), "HMAC_SHA2_512_256");
}

}  // namespace
}  // namespace espgate::ike::crypto
