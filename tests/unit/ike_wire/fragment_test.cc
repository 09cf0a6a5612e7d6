// SPDX-License-Identifier: Apache-2.0
// Encrypted Fragment payloads, and CERT and CERTREQ.
#include "ike/wire/fragment.h"

#include <gtest/gtest.h>

#include "ike/reassembly.h"

namespace espgate::ike::wire {
namespace {

using base::Bytes;

crypto::IkeSuite suite(bool cbc) {
  if (!cbc) return {};
  return {crypto::kEncrAesCbc, 256, crypto::kIntegSha512, crypto::kPrfHmacSha256, crypto::kGroupX25519};
}
crypto::SkCipher make_cipher(bool cbc) {
  const auto all = suite(cbc);
  return *crypto::SkCipher::make(all, Bytes(all.encr_key_octets(), 1), Bytes(all.integ_key_octets(), 2));
}

struct Fragments : ::testing::TestWithParam<bool> {
  crypto::SkCipher cipher = make_cipher(GetParam());
  crypto::SeededRng rng{5};
  Header header;
  Payloads payloads{NoncePayload{Bytes(200, 9)}, CertPayload{kCertX509, Bytes(1500, 7)}, VendorIdPayload{Bytes(40, 1)}};
  Reassembly parts;

  Fragments() {
    header.spi_i = {1};
    header.spi_r = {2};
    header.exchange = ExchangeType::ike_auth;
    header.message_id = 1;
  }
  std::vector<Bytes> cut(std::size_t most) { return seal_fragments(header, payloads, cipher, rng, most).value(); }
  Parsed<std::optional<Reassembly::Message>> take(const Bytes& one, std::uint32_t id = 1) {
    return parts.take(id, one, cipher, 10000);
  }
};

TEST_P(Fragments, AndPutTogether) {
  for (const std::size_t most : {120U, 200U, 576U, 1280U, 4000U}) {
    const auto pieces = cut(most);
    for (const auto& piece : pieces) EXPECT_LE(piece.size(), most);
    for (std::size_t i = 0; i + 1 < pieces.size(); ++i) {
      const auto taken = take(pieces[(i * 7 + 3) % (pieces.size() - 1)]);
      ASSERT_TRUE(taken);
    }
    for (const auto& piece : pieces) {
      const auto taken = take(piece);
      ASSERT_TRUE(taken);
      if (!*taken) continue;
      ASSERT_TRUE((*taken)->payloads);
      EXPECT_EQ(*(*taken)->payloads, payloads);
      EXPECT_EQ((*taken)->first, pieces.front());
    }
    EXPECT_EQ(parts.octets(), 0U) << "nothing is kept of a message that is complete";
  }
}

TEST_P(Fragments, AnEmptyMessageIsOneFragment) {
  payloads.clear();
  const auto pieces = cut(1280);
  ASSERT_EQ(pieces.size(), 1U);
  const auto taken = take(pieces[0]);
  ASSERT_TRUE(taken && *taken && (*taken)->payloads);
  EXPECT_TRUE((*taken)->payloads->empty());
}

TEST_P(Fragments, TooLittleRoom) {
  EXPECT_FALSE(seal_fragments(header, payloads, cipher, rng, 60));
  EXPECT_FALSE(seal_fragments(header, payloads, cipher, rng, 0));
  payloads.emplace_back(VendorIdPayload{Bytes(60000, 1)});
  EXPECT_FALSE(seal_fragments(header, payloads, cipher, rng, 150)) << "more than 128 fragments";
}

TEST_P(Fragments, TheFinerCutReplacesTheCoarserOne) {
  const auto coarse = cut(900);
  const auto fine = cut(400);
  ASSERT_LT(coarse.size(), fine.size());
  ASSERT_TRUE(take(coarse[0]));
  ASSERT_TRUE(take(fine[0]));
  const auto ignored = take(coarse[1]);
  ASSERT_TRUE(ignored);
  EXPECT_FALSE(*ignored);
  for (std::size_t i = 1; i < fine.size(); ++i) {
    const auto taken = take(fine[i]);
    ASSERT_TRUE(taken);
    EXPECT_EQ(taken->has_value(), i + 1 == fine.size());
  }
}

TEST_P(Fragments, AnotherMessageReplacesThis) {
  const auto pieces = cut(900);
  ASSERT_TRUE(take(pieces[0]));
  ASSERT_TRUE(take(pieces[1], 2));
  EXPECT_LT(parts.octets(), 900U);
}

TEST_P(Fragments, OnlyWhatIsAuthenticIsKept) {
  const auto pieces = cut(900);
  for (std::size_t i = 0; i < pieces[0].size(); ++i) {
    auto forged = pieces[0];
    forged[i] ^= 1;
    const auto taken = take(forged);
    EXPECT_FALSE(taken && parts.octets() != 0) << i;
    EXPECT_FALSE(!taken && taken.error().authenticated);
  }
  EXPECT_EQ(parts.octets(), 0U);
}

TEST_P(Fragments, MemoryIsBounded) {
  const auto pieces = cut(900);
  EXPECT_TRUE(parts.take(1, pieces[0], cipher, 1000));
  const auto taken = parts.take(1, pieces[1], cipher, 1000);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().error, WireError::too_many);
  EXPECT_EQ(parts.octets(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Ciphers, Fragments, ::testing::Values(false, true));

TEST(CertPayloads, WriteAndRead) {
  const Payloads payloads{CertPayload{kCertX509, Bytes(300, 3)}, CertPayload{7, {1}},
                          CertRequestPayload{kCertX509, Bytes(60, 4)}, CertRequestPayload{kCertX509, {}},
                          CertRequestPayload{12, {1, 2, 3}}};
  base::ByteWriter out;
  const auto first = write_payloads(out, payloads);
  EXPECT_EQ(first, PayloadType::cert);
  EXPECT_EQ(parse_payloads(first, out.view()), payloads);
}

TEST(CertPayloads, WrongLengths) {
  EXPECT_EQ(parse_cert({}).error().error, WireError::bad_field_length);
  EXPECT_EQ(parse_cert(Bytes{4}).error().error, WireError::bad_field_length);
  EXPECT_EQ(parse_cert_request({}).error().error, WireError::bad_field_length);
  EXPECT_EQ(parse_cert_request(Bytes(20, 4)).error().error, WireError::bad_field_length);
  EXPECT_TRUE(parse_cert_request(Bytes(21, 4)));
}

}  // namespace
}  // namespace espgate::ike::wire
