// SPDX-License-Identifier: Apache-2.0
// Every length, count and size inside every payload: too short, too long, zero; and every cut of every payload.
#include <gtest/gtest.h>

#include <functional>

#include "tests/unit/ike_wire/samples.h"

namespace espgate::ike::wire {
namespace {

using Parse = std::function<std::optional<Fault>(base::ByteView)>;

template <class T>
std::optional<Fault> fault_of(const Parsed<T>& parsed) {
  return parsed ? std::nullopt : std::optional(parsed.error());
}

Parse parser_of(PayloadType type) {
  switch (type) {
    case PayloadType::sa:
      return [](base::ByteView body) { return fault_of(parse_sa(body)); };
    case PayloadType::ke:
      return [](base::ByteView body) { return fault_of(parse_ke(body)); };
    case PayloadType::nonce:
      return [](base::ByteView body) { return fault_of(parse_nonce(body)); };
    case PayloadType::id_i:
    case PayloadType::id_r:
      return [type](base::ByteView body) { return fault_of(parse_id(type == PayloadType::id_i, body)); };
    case PayloadType::auth:
      return [](base::ByteView body) { return fault_of(parse_auth(body)); };
    case PayloadType::notify:
      return [](base::ByteView body) { return fault_of(parse_notify(body)); };
    case PayloadType::del:
      return [](base::ByteView body) { return fault_of(parse_delete(body)); };
    default:
      return [type](base::ByteView body) { return fault_of(parse_ts(type == PayloadType::ts_i, body)); };
  }
}

// A length field in the body of a sample, found by what stands there.
struct Field {
  std::string name;
  PayloadType payload;
  base::Bytes body;
  std::size_t at, width;
  std::uint64_t right;        // and nothing else, unless:
  bool zero_is_well = false;  // nothing there is sensible, too
};

void PrintTo(const Field& field, std::ostream* out) { *out << field.name; }

std::uint64_t read(const base::Bytes& body, std::size_t at, std::size_t width) {
  base::ByteReader in(base::ByteView(body).subspan(at));
  return width == 1 ? *in.u8() : *in.u16();
}

base::Bytes with(base::Bytes body, std::size_t at, std::size_t width, std::uint64_t value) {
  if (width == 2) body[at++] = static_cast<std::uint8_t>(value >> 8);
  body[at] = static_cast<std::uint8_t>(value);
  return body;
}

// Offsets by RFC 7296 3.3.1 to 3.3.5: proposal 8 octets + SPI 4, keyed transform 12, transform 8.
const base::Bytes kSa = body_of(sample_sa());
const base::Bytes kTs = body_of(sample_ts(true));
const Field kFields[] = {
    {"first_proposal_length", PayloadType::sa, kSa, 2, 2, 44},
    {"first_proposal_spi_size", PayloadType::sa, kSa, 6, 1, 4},
    {"first_proposal_transforms", PayloadType::sa, kSa, 7, 1, 3},
    {"first_transform_length", PayloadType::sa, kSa, 14, 2, 12},
    {"second_transform_length", PayloadType::sa, kSa, 26, 2, 12},
    {"last_transform_length", PayloadType::sa, kSa, 38, 2, 8},
    {"second_proposal_length", PayloadType::sa, kSa, 46, 2, 40},
    {"second_proposal_spi_size", PayloadType::sa, kSa, 50, 1, 4},
    {"second_proposal_transforms", PayloadType::sa, kSa, 51, 1, 3},
    {"notify_spi_size", PayloadType::notify, body_of(sample_notify()), 1, 1, 4, true},
    {"delete_spi_size", PayloadType::del, body_of(sample_delete()), 1, 1, 4},
    {"delete_count", PayloadType::del, body_of(sample_delete()), 2, 2, 2},
    {"delete_of_ike_spi_size", PayloadType::del, body_of(DeletePayload{}), 1, 1, 0},
    {"delete_of_ike_count", PayloadType::del, body_of(DeletePayload{}), 2, 2, 0},
    {"ts_count", PayloadType::ts_i, kTs, 0, 1, 2},
    {"ts_ipv4_length", PayloadType::ts_i, kTs, 6, 2, 16},
    {"ts_ipv6_length", PayloadType::ts_i, kTs, 22, 2, 40},
};

class LengthField : public testing::TestWithParam<Field> {};

TEST_P(LengthField, OnlyTheRightValueIsTaken) {
  const auto& field = GetParam();
  const auto parse = parser_of(field.payload);
  ASSERT_EQ(read(field.body, field.at, field.width), field.right) << "the test looks in the wrong place";
  ASSERT_FALSE(parse(field.body));
  const std::uint64_t last = field.width == 1 ? 0xff : 0xffff;
  for (std::uint64_t value = 0; value <= last; ++value) {
    if (value == field.right) continue;
    const auto fault = parse(with(field.body, field.at, field.width, value));
    if (value == 0 && field.zero_is_well) {
      EXPECT_FALSE(fault) << value;
      continue;
    }
    ASSERT_TRUE(fault) << value;
    // Shifted fields may hold a forbidden value, or too large a count, before a length is found wrong.
    EXPECT_TRUE(fault->error == WireError::bad_field_length || fault->error == WireError::bad_field_value ||
                fault->error == WireError::too_many)
        << value << ": " << fault->text();
    EXPECT_EQ(fault->payload, field.payload);
  }
}

INSTANTIATE_TEST_SUITE_P(Wire, LengthField, testing::ValuesIn(kFields),
                         [](const auto& param) { return param.param.name; });

// How short each kind of payload may become when octets at its end are missing.
struct Shortest {
  std::string name;
  PayloadType payload;
  base::Bytes body;
  std::size_t least;
};

void PrintTo(const Shortest& shortest, std::ostream* out) { *out << shortest.name; }

const Shortest kShortest[] = {
    {"sa", PayloadType::sa, kSa, kSa.size()},
    {"ke", PayloadType::ke, body_of(sample_ke()), 5},
    {"nonce", PayloadType::nonce, body_of(sample_nonce()), 16},
    {"id_fqdn", PayloadType::id_i, body_of(sample_id(true)), 5},
    {"id_ipv4", PayloadType::id_r, body_of(sample_id(false)), 8},
    {"id_ipv6", PayloadType::id_r, body_of(IdPayload{false, *Identity::parse("2001:db8::1"), {}}), 20},
    {"auth", PayloadType::auth, body_of(sample_auth()), 5},
    {"notify", PayloadType::notify, body_of(sample_notify()), 8},
    {"delete", PayloadType::del, body_of(sample_delete()), 12},
    {"ts", PayloadType::ts_i, kTs, kTs.size()},
};

class Cut : public testing::TestWithParam<Shortest> {};

TEST_P(Cut, TooShortIsRefused) {
  const auto parse = parser_of(GetParam().payload);
  for (std::size_t size = 0; size <= GetParam().body.size(); ++size) {
    const auto fault = parse(base::ByteView(GetParam().body).first(size));
    ASSERT_EQ(fault.has_value(), size < GetParam().least) << size;
    if (fault) {
      EXPECT_EQ(fault->error, WireError::bad_field_length) << size;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Wire, Cut, testing::ValuesIn(kShortest), [](const auto& param) { return param.param.name; });

// One octet too many, where nothing at the end is free.
TEST(Wire, LengthenedPayloads) {
  const auto refused = [](PayloadType type, base::Bytes body) {
    body.push_back(0);
    return parser_of(type)(body).has_value();
  };
  EXPECT_TRUE(refused(PayloadType::sa, kSa));
  EXPECT_TRUE(refused(PayloadType::ts_i, kTs));
  EXPECT_TRUE(refused(PayloadType::del, body_of(sample_delete())));
  EXPECT_TRUE(refused(PayloadType::del, body_of(DeletePayload{})));
  EXPECT_TRUE(refused(PayloadType::id_r, body_of(sample_id(false))));
  EXPECT_TRUE(refused(PayloadType::nonce, base::Bytes(256, 1)));
}

}  // namespace
}  // namespace espgate::ike::wire
