// SPDX-License-Identifier: Apache-2.0
// Signatures of AUTH payloads, good ones and forged ones.
#include "ike/crypto/signature.h"

#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/rsa.h>

#include "tests/pki/pki.h"
#include "tests/unit/ike_crypto/hex.h"

namespace espgate::ike::crypto {
namespace {

using enum SignatureKind;
using enum HashId;
using base::Bytes;

const Bytes kMessage{'w', 'h', 'a', 't', ' ', 'i', 's', ' ', 's', 'i', 'g', 'n', 'e', 'd'};

struct Case {
  const char* name;
  pki::Key (*key)();
  Scheme scheme;
};

class EveryScheme : public ::testing::TestWithParam<Case> {};

TEST_P(EveryScheme, SignsAndVerifies) {
  const auto& [name, make, scheme] = GetParam();
  const auto key = make();
  const auto mine = pki::private_key(key);
  const auto theirs = pki::public_key(key);
  auto signature = sign(*mine, scheme, kMessage);
  ASSERT_TRUE(signature) << text(signature.error());
  EXPECT_TRUE(verify(theirs, scheme, kMessage, *signature));
  auto other = kMessage;
  other[0] ^= 1;
  EXPECT_EQ(verify(theirs, scheme, other, *signature).error(), CryptoError::bad_signature);
  signature->back() ^= 1;
  EXPECT_EQ(verify(theirs, scheme, kMessage, *signature).error(), CryptoError::bad_signature);
  EXPECT_EQ(verify(theirs, scheme, kMessage, {}).error(), CryptoError::bad_signature);
}

TEST_P(EveryScheme, HasAnIdentifierThatIsReadBack) {
  const auto& scheme = GetParam().scheme;
  const auto der = algorithm_identifier(scheme);
  ASSERT_FALSE(der.empty());
  ASSERT_LT(der.size(), 128U);
  const auto back = parse_algorithm(der);
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, scheme);
  auto longer = der;
  longer.push_back(0);
  EXPECT_FALSE(parse_algorithm(longer)) << "octets behind it";
  for (std::size_t i = 0; i < der.size(); ++i) EXPECT_FALSE(parse_algorithm(base::ByteView(der).first(i))) << i;
}

INSTANTIATE_TEST_SUITE_P(All, EveryScheme,
                         ::testing::Values(Case{"rsa256", [] { return pki::rsa(); }, {rsa_pkcs1, sha2_256}},
                                           Case{"rsa384", [] { return pki::rsa(); }, {rsa_pkcs1, sha2_384}},
                                           Case{"rsa512", [] { return pki::rsa(); }, {rsa_pkcs1, sha2_512}},
                                           Case{"rsa1", [] { return pki::rsa(); }, {rsa_pkcs1, sha1}},
                                           Case{"pss256", [] { return pki::rsa(); }, {rsa_pss, sha2_256}},
                                           Case{"pss384", [] { return pki::rsa(); }, {rsa_pss, sha2_384}},
                                           Case{"pss512", [] { return pki::rsa(); }, {rsa_pss, sha2_512}},
                                           Case{"p256", [] { return pki::ec("P-256"); }, {ecdsa, sha2_256}},
                                           Case{"p384", [] { return pki::ec("P-384"); }, {ecdsa, sha2_384}},
                                           Case{"p521", [] { return pki::ec("P-521"); }, {ecdsa, sha2_512}},
                                           Case{"p256sha512", [] { return pki::ec("P-256"); }, {ecdsa, sha2_512}},
                                           Case{"ed25519", [] { return pki::ed25519(); }, {ed25519, identity}},
                                           Case{"ed448", [] { return pki::ed448(); }, {ed448, identity}}),
                         [](const auto& one) { return one.param.name; });

// The octets that RFC 7427 A prints.
TEST(AlgorithmIdentifier, IsThatOfTheRfc) {
  EXPECT_EQ(base::to_hex(algorithm_identifier({rsa_pkcs1, sha2_256})), "300d06092a864886f70d01010b0500");
  EXPECT_EQ(base::to_hex(algorithm_identifier({rsa_pkcs1, sha1})), "300d06092a864886f70d0101050500");
  EXPECT_EQ(base::to_hex(algorithm_identifier({ecdsa, sha2_256})), "300a06082a8648ce3d040302");
  EXPECT_EQ(base::to_hex(algorithm_identifier({ecdsa, sha2_512})), "300a06082a8648ce3d040304");
  EXPECT_EQ(base::to_hex(algorithm_identifier({ed25519, identity})), "300506032b6570");
  // A.4.3, "RSASSA-PSS with SHA-256"
  EXPECT_EQ(
      base::to_hex(algorithm_identifier({rsa_pss, sha2_256})),
      "304106092a864886f70d01010a3034a00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d060960864801"
      "65030402010500a203020120");
}

TEST(AlgorithmIdentifier, ParametersMayBeLeftOut) {
  EXPECT_EQ(*parse_algorithm(*base::from_hex("300b06092a864886f70d01010b")), (Scheme{rsa_pkcs1, sha2_256}));
  EXPECT_FALSE(parse_algorithm(*base::from_hex("300f06092a864886f70d01010b02020101"))) << "an integer";
  EXPECT_FALSE(parse_algorithm(*base::from_hex("300a06082a8648ce3d040301"))) << "ecdsa-with-SHA224";
}

TEST(AlgorithmIdentifier, BrokenPssParametersAreRefused) {
  const auto good = algorithm_identifier({rsa_pss, sha2_256});
  const auto refused = [](Bytes der) { return !parse_algorithm(der).has_value(); };
  EXPECT_TRUE(refused(*base::from_hex("300d06092a864886f70d01010a0500"))) << "none at all";
  EXPECT_TRUE(refused(*base::from_hex("300d06092a864886f70d01010a3000"))) << "the defaults: SHA-1";
  auto salt = good;
  salt.at(salt.size() - 1) = 0;
  EXPECT_TRUE(refused(salt)) << "no salt";
  salt.at(salt.size() - 1) = 0x7f;
  EXPECT_TRUE(refused(salt)) << "more salt than hash";
  salt.at(salt.size() - 1) = 0xff;
  EXPECT_TRUE(refused(salt)) << "less than none";
  auto mask = good;
  mask.at(mask.size() - 8) = 2;  // MGF1 with SHA-384
  ASSERT_NE(mask, good);
  EXPECT_TRUE(refused(mask)) << "two hashes";
  auto generator = good;
  for (std::size_t i = 20; i + 1 < generator.size(); ++i) {
    if (generator[i] == 0x01 && generator[i + 1] == 0x08) generator[i + 1] = 0x09;
  }
  EXPECT_TRUE(refused(generator)) << "another mask generator";
}

TEST(Verify, TheSchemeMustFitTheKey) {
  const auto rsa = pki::public_key(pki::rsa());
  const auto ec = pki::public_key(pki::ec("P-256"));
  EXPECT_EQ(verify(rsa, {ecdsa, sha2_256}, kMessage, Bytes(72)).error(), CryptoError::unknown_key);
  EXPECT_EQ(verify(ec, {rsa_pss, sha2_256}, kMessage, Bytes(256)).error(), CryptoError::unknown_key);
  EXPECT_EQ(verify(ec, {ed25519, identity}, kMessage, Bytes(64)).error(), CryptoError::unknown_key);
}

TEST(Verify, Pkcs1AndPssAreNotEachOther) {
  const auto key = pki::rsa();
  const auto plain = *sign(*pki::private_key(key), {rsa_pkcs1, sha2_256}, kMessage);
  const auto pss = *sign(*pki::private_key(key), {rsa_pss, sha2_256}, kMessage);
  EXPECT_FALSE(verify(pki::public_key(key), {rsa_pss, sha2_256}, kMessage, plain));
  EXPECT_FALSE(verify(pki::public_key(key), {rsa_pkcs1, sha2_256}, kMessage, pss));
  EXPECT_FALSE(verify(pki::public_key(key), {rsa_pss, sha2_512}, kMessage, pss));
}

TEST(Verify, LaxPkcs1PaddingIsRefused) {
  const auto key = pki::rsa();
  const auto theirs = pki::public_key(key);
  const Scheme scheme{rsa_pkcs1, sha2_256};
  const std::size_t full = 256 - 3 - 51;
  const auto good = pki::raw_rsa(key, pki::pkcs1_block(kMessage, full, {}));
  ASSERT_TRUE(verify(theirs, scheme, kMessage, good)) << "the forger's tools work";
  const auto refused = [&](const Bytes& encoded) {
    EXPECT_EQ(encoded.size(), 256U);
    return !verify(theirs, scheme, kMessage, pki::raw_rsa(key, encoded)).has_value();
  };
  EXPECT_TRUE(refused(pki::pkcs1_block(kMessage, 8, Bytes(full - 8, 0))))
      << "garbage behind the hash (Bleichenbacher 2006)";
  EXPECT_TRUE(refused(pki::pkcs1_block(kMessage, full - 1, {7}))) << "one octet of garbage";
  EXPECT_TRUE(refused(pki::pkcs1_block(kMessage, full, {}, 2))) << "block type 2";
  EXPECT_TRUE(refused(pki::pkcs1_block(kMessage, full, {}, 1, 0xfe))) << "padding of another octet";
  EXPECT_TRUE(refused(pki::pkcs1_block(kMessage, full, {}, 0, 0))) << "block type 0";
  auto parameters = pki::pkcs1_block(kMessage, full, {});
  parameters[256 - 51 + 16] = 0x06;  // NULL becomes an empty OID
  EXPECT_TRUE(refused(parameters)) << "other parameters of the hash";
}

TEST(Verify, SignaturesOfAWrongSizeAreRefused) {
  const auto key = pki::rsa();
  const auto theirs = pki::public_key(key);
  const Scheme scheme{rsa_pkcs1, sha2_256};
  const auto good = *sign(*pki::private_key(key), scheme, kMessage);
  const Bytes modulus = pki::modulus(key);
  BIGNUM* n = BN_bin2bn(modulus.data(), 256, nullptr);
  EXPECT_FALSE(verify(theirs, scheme, kMessage, modulus)) << "equal to the modulus";
  BIGNUM* s = BN_bin2bn(good.data(), 256, nullptr);
  BN_add(s, s, n);
  Bytes larger(static_cast<std::size_t>(BN_num_bytes(s)));
  BN_bn2bin(s, larger.data());
  EXPECT_FALSE(verify(theirs, scheme, kMessage, larger)) << "the same modulo the modulus";
  BN_free(s);
  BN_free(n);
  auto longer = good;
  longer.insert(longer.begin(), 0);
  EXPECT_FALSE(verify(theirs, scheme, kMessage, longer)) << "a zero in front";
  EXPECT_FALSE(verify(theirs, scheme, kMessage, base::ByteView(good).first(255)));
  EXPECT_FALSE(verify(theirs, scheme, kMessage, Bytes(256))) << "zero";
}

TEST(Ecdsa, RawFormAndBack) {
  for (const auto& [curve, half, hash] :
       {std::tuple{"P-256", 32U, sha2_256}, std::tuple{"P-384", 48U, sha2_384}, std::tuple{"P-521", 66U, sha2_512}}) {
    const auto key = pki::ec(curve);
    const auto theirs = pki::public_key(key);
    const auto der = *sign(*pki::private_key(key), {ecdsa, hash}, kMessage);
    const auto raw = raw_ecdsa(theirs.kind(), der);
    ASSERT_TRUE(raw);
    EXPECT_EQ(raw->size(), 2 * half);
    EXPECT_TRUE(verify(theirs, {ecdsa, hash}, kMessage, *der_ecdsa(theirs.kind(), *raw)));
    EXPECT_FALSE(der_ecdsa(theirs.kind(), base::ByteView(*raw).first(raw->size() - 1)));
    EXPECT_FALSE(verify(theirs, {ecdsa, hash}, kMessage, *der_ecdsa(theirs.kind(), Bytes(2 * half)))) << "r = s = 0";
  }
  EXPECT_FALSE(raw_ecdsa(KeyKind::rsa, Bytes(64)));
}

TEST(PublicKeys, WhatIsNoKeyIsRefused) {
  const auto judged = [](const pki::Key& key) { return PublicKey::judge(key); };
  auto n = base::to_hex(pki::modulus(pki::rsa()));
  EXPECT_TRUE(judged(pki::strange_rsa(n, "010001")));
  EXPECT_EQ(judged(pki::strange_rsa(n, "01")).error(), CryptoError::bad_key);
  EXPECT_EQ(judged(pki::strange_rsa(n, "010000")).error(), CryptoError::bad_key);
  EXPECT_EQ(judged(pki::strange_rsa(n, "01" + std::string(20, '0') + "1")).error(), CryptoError::bad_key) << "81 bits";
  n.back() = '4';
  EXPECT_EQ(judged(pki::strange_rsa(n, "010001")).error(), CryptoError::bad_key) << "an even modulus";
  EXPECT_EQ(judged(pki::rsa(0, 1024)).error(), CryptoError::weak_key);
  EXPECT_EQ(judged(pki::strange_rsa("0F", "03")).error(), CryptoError::weak_key);
  EXPECT_EQ(judged(pki::strange_rsa(std::string(2100, 'F'), "010001")).error(), CryptoError::bad_key) << "8400 bits";
  EXPECT_EQ(judged(pki::ec("secp256k1")).error(), CryptoError::unknown_key);
  EXPECT_EQ(judged(nullptr).error(), CryptoError::unknown_key);
}

TEST(PrivateKeys, AreLoadedFromEveryForm) {
  for (const auto& key : {pki::rsa(), pki::ec("P-384"), pki::ed25519()}) {
    const auto theirs = pki::public_key(key);
    const auto plain = PrivateKey::load(base::as_bytes(pki::key_pem(key)), {});
    ASSERT_TRUE(plain);
    EXPECT_TRUE(plain->belongs_to(theirs));
    EXPECT_FALSE(plain->belongs_to(pki::public_key(pki::ec("P-384", 9))));
    EXPECT_TRUE(PrivateKey::load(pki::key_der(key), {}));
    const auto locked = pki::key_pem(key, "open sesame");
    EXPECT_TRUE(PrivateKey::load(base::as_bytes(locked), base::as_bytes("open sesame")));
    EXPECT_EQ(PrivateKey::load(base::as_bytes(locked), base::as_bytes("wrong")).error(), CryptoError::needs_passphrase);
    EXPECT_EQ(PrivateKey::load(base::as_bytes(locked), {}).error(), CryptoError::needs_passphrase);
  }
  EXPECT_EQ(PrivateKey::load(base::as_bytes("nonsense"), {}).error(), CryptoError::bad_key);
  EXPECT_EQ(PrivateKey::load({}, {}).error(), CryptoError::bad_key);
}

}  // namespace
}  // namespace espgate::ike::crypto
