// SPDX-License-Identifier: Apache-2.0
#include "ike/wire/message.h"

#include <gtest/gtest.h>

#include "tests/unit/ike_wire/samples.h"

namespace espgate::ike::wire {
namespace {

base::Bytes sample() { return write_message(sample_header(ExchangeType::ike_sa_init), all_samples()); }

TEST(Header, OctetsAsInTheRfc) {
  Header header = sample_header(ExchangeType::create_child_sa);
  header.spi_r = {0x99aabbccddeeff00};
  header.next = PayloadType::sk;
  header.response = true;
  header.message_id = 5;
  header.length = 28;
  base::ByteWriter out;
  write_header(out, header);
  const auto octets = hex("112233445566778899aabbccddeeff002e202428000000050000001c");
  EXPECT_EQ(base::to_hex(out.view()), base::to_hex(octets));
  EXPECT_EQ(parse_header(octets).value(), header);
}

TEST(Header, EveryWrongLengthIsRefused) {
  const auto good = sample();
  for (std::size_t length = 0; length < 2 * good.size(); ++length) {
    base::ByteWriter changed;
    changed.put(good);
    changed.patch_u32(24, static_cast<std::uint32_t>(length));
    const auto parsed = parse_header(changed.view());
    ASSERT_EQ(parsed.has_value(), length == good.size());
    if (!parsed) {
      EXPECT_EQ(parsed.error().error, WireError::length_mismatch);
    }
  }
}

TEST(Header, VersionsAndSpi) {
  auto octets = sample();
  octets[17] = 0x30;
  const auto fault = parse_header(octets).error();
  EXPECT_EQ(fault.error, WireError::major_version);
  EXPECT_EQ(fault.detail, 3);
  EXPECT_EQ(fault.notify(), NotifyType::invalid_major_version);
  octets[17] = 0x10;
  EXPECT_EQ(parse_header(octets).error().error, WireError::major_version);
  octets[17] = 0x2f;  // a minor version is ignored (2.5)
  EXPECT_TRUE(parse_header(octets));
  std::fill_n(octets.begin(), 8, std::uint8_t{0});
  EXPECT_EQ(parse_header(octets).error().error, WireError::reserved_spi);
}

TEST(Message, RoundTrip) {
  const auto message = parse_message(sample()).value();
  EXPECT_EQ(message.header.next, PayloadType::sa);
  ASSERT_EQ(message.payloads.size(), all_samples().size());
  EXPECT_EQ(write_message(message.header, message.payloads), sample());
  for (std::size_t i = 0; i < message.payloads.size(); ++i) {
    EXPECT_EQ(type_of(message.payloads[i]), type_of(all_samples()[i]));
  }
}

TEST(Message, EveryCutIsRefused) {
  const auto good = sample();
  for (std::size_t size = 0; size < good.size(); ++size) {
    base::ByteWriter cut;
    cut.put(base::ByteView(good).first(size));
    EXPECT_FALSE(parse_message(cut.view())) << size;
    if (size < kHeaderOctets) continue;
    patch_length(cut);  // and again with a header that agrees
    EXPECT_FALSE(parse_message(cut.view())) << size;
  }
}

// Any octet changed: parsed or refused, never past the end (the sanitizers watch).
TEST(Message, EveryOctetChanged) {
  const auto good = sample();
  std::size_t taken = 0;
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (const int flip : {0x00, 0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff}) {
      auto changed = good;
      changed[at] = static_cast<std::uint8_t>(changed[at] ^ flip);
      const auto message = parse_message(changed);
      if (!message) continue;
      ++taken;
      EXPECT_LE(message->payloads.size(), kMaxPayloads);
    }
  }
  EXPECT_GT(taken, good.size());  // at least each octet as it was
}

TEST(Message, Finders) {
  const auto message = parse_message(sample()).value();
  EXPECT_EQ(find<KePayload>(message.payloads)->group, 31);
  EXPECT_EQ(find_id(message.payloads, false)->identity.text(), "192.0.2.1");
  EXPECT_EQ(find_ts(message.payloads, true)->selectors.size(), 2U);
  EXPECT_NE(find_notify(message.payloads, NotifyType::rekey_sa), nullptr);
  EXPECT_EQ(find_error(message.payloads), nullptr);
  EXPECT_EQ(find<EncryptedPayload>(message.payloads), nullptr);
  EXPECT_EQ(count(message.payloads, PayloadType::ts_r), 1U);
}

TEST(Message, UnknownPayloads) {
  Payloads payloads = all_samples();
  payloads.emplace_back(OpaquePayload{PayloadType{200}, false, hex("0102")});
  const auto header = sample_header(ExchangeType::ike_sa_init);
  const auto parsed = parse_message(write_message(header, payloads)).value();
  EXPECT_EQ(std::get<OpaquePayload>(parsed.payloads.back()).body, hex("0102"));
  payloads.back() = OpaquePayload{PayloadType{200}, true, {}};
  EXPECT_EQ(parse_message(write_message(header, payloads)).error().error, WireError::unknown_critical);
}

}  // namespace
}  // namespace espgate::ike::wire
