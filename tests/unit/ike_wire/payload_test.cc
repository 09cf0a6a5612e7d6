// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/ike_wire/samples.h"

namespace espgate::ike::wire {
namespace {

TEST(Payload, RoundTrips) {
  EXPECT_EQ(parse_sa(body_of(sample_sa())).value(), sample_sa());
  EXPECT_EQ(parse_ke(body_of(sample_ke())).value(), sample_ke());
  EXPECT_EQ(parse_nonce(body_of(sample_nonce())).value(), sample_nonce());
  EXPECT_EQ(parse_auth(body_of(sample_auth())).value(), sample_auth());
  EXPECT_EQ(parse_notify(body_of(sample_notify())).value(), sample_notify());
  EXPECT_EQ(parse_delete(body_of(sample_delete())).value(), sample_delete());
  EXPECT_EQ(parse_delete(body_of(DeletePayload{})).value(), DeletePayload{});
  EXPECT_EQ(parse_ts(true, body_of(sample_ts(true))).value(), sample_ts(true));
  EXPECT_EQ(parse_id(true, body_of(sample_id(true))).value().identity, sample_id(true).identity);
}

// Octets by hand, after RFC 7296 3.3: AES-GCM-16 with 128 bits, no ESN.
TEST(Sa, OctetsAsInTheRfc) {
  const auto octets =
      hex("0000002001030402"
          "c0ffee01"
          "0300000c01000014800e0080"
          "0000000805000000");
  const SaPayload sa{{{1, Protocol::esp, hex("c0ffee01"), {{1, 20, 128}, {5, 0}}}}};
  EXPECT_EQ(body_of(sa), octets);
  EXPECT_EQ(parse_sa(octets).value(), sa);
}

TEST(Sa, UnknownPartsAreReadAndMarked) {
  // Transform type 200, id 0x4711, with an attribute of a long form; then one with an unknown short attribute.
  const auto octets =
      hex("0000003001030402"
          "c0ffee01"
          "03000010c8004711"
          "0011000400000000"
          "0000000c"
          "01000014"
          "80110001");
  auto wrong = parse_sa(octets);
  EXPECT_FALSE(wrong);  // the proposal's length counts eight octets too many
  auto right = octets;
  right[3] = static_cast<std::uint8_t>(right.size());
  const auto sa = parse_sa(right).value();
  ASSERT_EQ(sa.proposals.front().transforms.size(), 2U);
  EXPECT_EQ(sa.proposals.front().transforms[0], (SaTransform{200, 0x4711, 0, true}));
  EXPECT_EQ(sa.proposals.front().transforms[1], (SaTransform{1, 20, 0, true}));
}

TEST(Sa, KeyLengthTwiceIsNotUnderstood) {
  const auto octets =
      hex("0000001c01030401"
          "c0ffee01"
          "0000001001000014800e0080800e0100");
  EXPECT_TRUE(parse_sa(octets).value().proposals.front().transforms.front().unknown_attribute);
}

TEST(Sa, AttributeCutShort) {
  // Two octets after the transform; then a long attribute of five octets of which four are there.
  EXPECT_FALSE(
      parse_sa(hex("0000001601030401"
                   "c0ffee01"
                   "0000000a01000014"
                   "800e")));
  EXPECT_FALSE(
      parse_sa(hex("0000001c01030401"
                   "c0ffee01"
                   "0000001001000014"
                   "0011000500000000")));
  EXPECT_TRUE(
      parse_sa(hex("0000001c01030401"
                   "c0ffee01"
                   "0000001001000014"
                   "0011000400000000")));
}

TEST(Sa, MarkersAndNumbers) {
  auto sa = sample_sa();
  auto octets = body_of(sa);
  octets[0] = 3;  // neither "last" nor "more"
  EXPECT_EQ(parse_sa(octets).error().error, WireError::bad_field_value);
  sa.proposals[1].number = 1;  // not counted up
  EXPECT_EQ(parse_sa(body_of(sa)).error().error, WireError::bad_field_value);
  sa.proposals.erase(sa.proposals.begin());
  sa.proposals[0].number = 7;  // an answer to the seventh
  EXPECT_TRUE(parse_sa(body_of(sa)));
  sa.proposals[0].number = 0;
  EXPECT_FALSE(parse_sa(body_of(sa)));
}

TEST(Sa, TooManyProposals) {
  SaPayload sa;
  for (std::size_t i = 1; i <= kMaxProposals; ++i) {
    sa.proposals.push_back({static_cast<std::uint8_t>(i), Protocol::esp, hex("00000001"), {{1, 20, 128}}});
  }
  EXPECT_TRUE(parse_sa(body_of(sa)));
  sa.proposals.push_back({kMaxProposals + 1, Protocol::esp, hex("00000001"), {{1, 20, 128}}});
  EXPECT_EQ(parse_sa(body_of(sa)).error().error, WireError::too_many);
}

TEST(Sa, UnknownProtocolIsReadProposalWithoutTransformsToo) {
  const SaPayload sa{{{1, static_cast<Protocol>(9), hex("0102030405"), {}}}};
  EXPECT_EQ(parse_sa(body_of(sa)).value(), sa);
}

TEST(Id, AuthSignsTheOctetsAsReceived) {
  const auto octets =
      hex("02aabbcc"
          "6777");  // reserved octets that are not zero
  const auto id = parse_id(true, octets).value();
  EXPECT_EQ(id.identity, *Identity::parse("gw"));
  EXPECT_EQ(id.signed_octets(), octets);
  EXPECT_EQ((IdPayload{true, id.identity, {}}).signed_octets(), hex("02000000"
                                                                    "6777"));
}

TEST(Id, TypeZeroIsNoWildcard) {
  EXPECT_EQ(parse_id(true, hex("0000000061")).error().error, WireError::bad_field_value);
}

TEST(Notify, Names) {
  EXPECT_EQ(name_of(NotifyType::no_proposal_chosen), "NO_PROPOSAL_CHOSEN");
  EXPECT_EQ(name_of(NotifyType{40000}), "notify 40000");
  EXPECT_TRUE(is_error(NotifyType::child_sa_not_found));
  EXPECT_FALSE(is_error(NotifyType::initial_contact));
  EXPECT_EQ(notify_u16(notify(NotifyType::invalid_ke_payload, notify_u16(19))), 19);
  EXPECT_EQ(notify_u16(notify(NotifyType::invalid_ke_payload)), std::nullopt);
}

TEST(Delete, OtherProtocols) {
  EXPECT_EQ(parse_delete(hex("00000000")).error().error, WireError::bad_field_value);
  EXPECT_EQ(parse_delete(hex("04040000")).error().error, WireError::bad_field_value);
}

TEST(Ts, UnknownTypesAreCounted) {
  const auto octets =
      hex("02000000"
          "0a00000c6c6162656c6c6c6c"
          "0700001000000000ffff0a000001"
          "0a0000ff");
  auto right = octets;
  right[19] = 16;
  const auto ts = parse_ts(false, hex("02000000"
                                      "0a00000c6c6162656c6c6c6c"
                                      "070000100000ffff0a0000010a0000ff"))
                      .value();
  EXPECT_EQ(ts.unknown, 1U);
  ASSERT_EQ(ts.selectors.size(), 1U);
  EXPECT_EQ(ts.selectors.front().text().substr(0, 8), "10.0.0.1");
}

TEST(Ts, BackwardsAndOpaque) {
  EXPECT_EQ(parse_ts(true, hex("01000000"
                               "070000100000ffff0a0000ff0a000001"))
                .error()
                .error,
            WireError::bad_field_value);
  const auto opaque = parse_ts(true, hex("01000000"
                                         "07000010ffff00000a0000000a0000ff"))
                          .value();
  EXPECT_EQ(opaque.selectors.front().intersect(base::TrafficSelector::of(*base::Prefix::parse("10.0.0.0/8"))),
            std::nullopt);
}

TEST(Ts, Limit) {
  TsPayload ts{true, {}};
  ts.selectors.assign(kMaxSelectors, sample_ts(true).selectors.front());
  EXPECT_TRUE(parse_ts(true, body_of(ts)));
  ts.selectors.push_back(ts.selectors.front());
  EXPECT_EQ(parse_ts(true, body_of(ts)).error().error, WireError::too_many);
}

}  // namespace
}  // namespace espgate::ike::wire
