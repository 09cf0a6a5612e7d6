// SPDX-License-Identifier: Apache-2.0
#include "ike/wire/sealed.h"

#include <gtest/gtest.h>

#include "tests/unit/ike_wire/samples.h"

namespace espgate::ike::wire {
namespace {

using crypto::IkeSuite;

class Sealed : public testing::TestWithParam<IkeSuite> {
 protected:
  // A message around octets that need not be payloads.
  base::Bytes seal_raw(PayloadType first, const base::Bytes& plain) {
    Header header = sample_header(ExchangeType::informational);
    header.next = PayloadType::sk;
    const std::size_t length = kGenericHeaderOctets + cipher_.sealed_octets(plain.size());
    header.length = static_cast<std::uint32_t>(kHeaderOctets + length);
    base::ByteWriter out;
    write_header(out, header);
    out.u8(static_cast<std::uint8_t>(first));
    out.u8(0);
    out.u16(static_cast<std::uint16_t>(length));
    EXPECT_TRUE(cipher_.seal(out, plain, rng_));
    return out.take();
  }
  base::Bytes sealed(const Payloads& inner) {
    return seal(sample_header(ExchangeType::ike_auth), inner, cipher_, rng_).value();
  }

  crypto::SeededRng rng_{9};
  crypto::SkCipher cipher_ = crypto::SkCipher::make(GetParam(), base::Bytes(GetParam().encr_key_octets(), 1),
                                                    base::Bytes(GetParam().integ_key_octets(), 2))
                                 .value();
};

TEST_P(Sealed, RoundTrip) {
  const auto message = sealed(all_samples());
  const auto outer = parse_message(message).value();
  ASSERT_EQ(outer.payloads.size(), 1U);
  EXPECT_EQ(std::get<EncryptedPayload>(outer.payloads.front()), (EncryptedPayload{PayloadType::sa, kHeaderOctets}));
  const auto inner = open(message, cipher_).value();
  EXPECT_EQ(write_message(outer.header, inner), write_message(outer.header, all_samples()));
}

TEST_P(Sealed, EmptyIsAnAnswer) { EXPECT_TRUE(open(sealed({}), cipher_).value().empty()); }

TEST_P(Sealed, EverySizeIsPadded) {
  for (std::size_t size = 0; size < 40; ++size) {
    const Payloads inner{VendorIdPayload{base::Bytes(size, 7)}};
    const auto opened = open(sealed(inner), cipher_).value();
    EXPECT_EQ(std::get<VendorIdPayload>(opened.front()).data.size(), size);
  }
}

TEST_P(Sealed, EveryChangedOctetIsNoticed) {
  const auto message = sealed({sample_notify()});
  for (std::size_t at = 0; at < message.size(); ++at) {
    auto changed = message;
    changed[at] ^= 0x01;
    const auto opened = open(changed, cipher_);
    ASSERT_FALSE(opened) << at;
    EXPECT_FALSE(opened.error().authenticated) << at;
  }
}

TEST_P(Sealed, EveryCutIsNoticed) {
  const auto message = sealed({sample_notify()});
  for (std::size_t size = kHeaderOctets; size < message.size(); ++size) {
    base::ByteWriter cut;
    cut.put(base::ByteView(message).first(size));
    patch_length(cut);
    if (size >= kHeaderOctets + kGenericHeaderOctets) {
      cut.patch_u16(kHeaderOctets + 2, static_cast<std::uint16_t>(size - kHeaderOctets));
    }
    const auto opened = open(cut.view(), cipher_);
    ASSERT_FALSE(opened) << size;
    EXPECT_FALSE(opened.error().authenticated) << size;
    EXPECT_EQ(opened.error().notify() == std::nullopt, opened.error().error == WireError::bad_integrity) << size;
  }
}

TEST_P(Sealed, NonsenseUnderAGoodChecksumIsAnswered) {
  const std::size_t block = cipher_.block_octets();
  base::Bytes plain(2 * block, 0);
  plain.back() = static_cast<std::uint8_t>(2 * block);  // more padding than there is
  auto fault = open(seal_raw(PayloadType::none, plain), cipher_).error();
  EXPECT_EQ(fault.error, WireError::bad_padding);
  EXPECT_TRUE(fault.authenticated);
  EXPECT_EQ(fault.notify(), NotifyType::invalid_syntax);
  plain.back() = static_cast<std::uint8_t>(2 * block - 1);  // all padding: nothing inside
  EXPECT_TRUE(open(seal_raw(PayloadType::none, plain), cipher_).value().empty());
  fault = open(seal_raw(PayloadType::nonce, plain), cipher_).error();
  EXPECT_EQ(fault.error, WireError::bad_payload_length);
  EXPECT_TRUE(fault.authenticated);
}

TEST_P(Sealed, NoSkInsideOfSk) {
  base::Bytes plain(16, 0);
  plain[3] = 15;  // an SK payload of 15 octets, then the pad length
  const auto fault = open(seal_raw(PayloadType::sk, plain), cipher_).error();
  EXPECT_EQ(fault.error, WireError::misplaced_sk);
  EXPECT_TRUE(fault.authenticated);
}

TEST_P(Sealed, CriticalInside) {
  const auto message = sealed({OpaquePayload{PayloadType{250}, true, {}}});
  const auto fault = open(message, cipher_).error();
  EXPECT_EQ(fault.error, WireError::unknown_critical);
  EXPECT_EQ(fault.detail, 250);
  EXPECT_TRUE(fault.authenticated);
}

TEST_P(Sealed, PlainMessageIsNotOpened) {
  const auto plain = write_message(sample_header(ExchangeType::ike_auth), {sample_notify()});
  EXPECT_EQ(open(plain, cipher_).error().error, WireError::missing_sk);
}

TEST_P(Sealed, TooLongForADatagram) {
  const Payloads inner{VendorIdPayload{base::Bytes(65500, 0)}};
  EXPECT_EQ(seal(sample_header(ExchangeType::ike_auth), inner, cipher_, rng_).error(), crypto::CryptoError::too_long);
}

const IkeSuite kSuites[] = {
    {crypto::kEncrAesGcm16, 128, crypto::kIntegNone, crypto::kPrfHmacSha256, crypto::kGroupX25519},
    {crypto::kEncrAesGcm16, 256, crypto::kIntegNone, crypto::kPrfHmacSha384, crypto::kGroupEcp384},
    {crypto::kEncrAesCbc, 128, crypto::kIntegSha256, crypto::kPrfHmacSha256, crypto::kGroupEcp256},
    {crypto::kEncrAesCbc, 256, crypto::kIntegSha384, crypto::kPrfHmacSha384, crypto::kGroupEcp384},
    {crypto::kEncrAesCbc, 256, crypto::kIntegSha512, crypto::kPrfHmacSha512, crypto::kGroupModp2048},
};
INSTANTIATE_TEST_SUITE_P(Wire, Sealed, testing::ValuesIn(kSuites), [](const auto& param) {
  return param.param.encr_name() + std::to_string(param.param.key_bits) + param.param.integ_name();
});

}  // namespace
}  // namespace espgate::ike::wire
