// SPDX-License-Identifier: Apache-2.0
#include "ike/select.h"
#include "ike/suites.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace espgate::ike {
namespace {

const base::Bytes kSpi{0xc0, 0xff, 0xee, 1};

std::vector<Proposal> esp(std::initializer_list<const char*> texts) {
  std::vector<Proposal> out;
  for (const auto* text : texts) out.push_back(parse_proposals(Protocol::esp, text).value().at(0));
  return out;
}
std::vector<Proposal> ike(std::initializer_list<const char*> texts) {
  std::vector<Proposal> out;
  for (const auto* text : texts) out.push_back(parse_proposals(Protocol::ike, text).value().at(0));
  return out;
}

std::string chosen(const std::vector<Proposal>& ours, const wire::SaPayload& theirs, Prefer prefer = Prefer::ours) {
  const auto found = select(ours, theirs, prefer);
  return found ? std::to_string(found->number) + ":" + found->proposal.text() : "none";
}

TEST(Select, OurOrderOrTheirs) {
  const auto ours = esp({"aes128gcm16", "aes256-aes128-sha256"});
  const auto theirs = offer(esp({"aes128-aes256-sha256", "aes256gcm16", "aes128gcm16"}), kSpi);
  EXPECT_EQ(chosen(ours, theirs), "3:aes128gcm16");
  EXPECT_EQ(chosen(ours, theirs, Prefer::theirs), "1:aes128-sha256");
}

TEST(Apart, OneProposalForEachSuiteInOrderWithItsGroups) {
  const auto whole = *parse_proposals(Protocol::esp, "aes256-aes128-sha512-sha256-x25519-modp2048-esn-noesn");
  const auto parts = apart(whole);
  ASSERT_EQ(parts.size(), 8U);
  std::vector<std::string> names;
  for (const auto& part : parts) {
    names.push_back(part.suite.name());
    EXPECT_EQ(esp_suite(part.proposal), part.suite) << "each admits just that";
    EXPECT_EQ(std::ranges::count(part.proposal.transforms, TransformType::group, &Transform::type), 2);
  }
  EXPECT_EQ(names,
            (std::vector<std::string>{"aes256-sha512-esn", "aes256-sha512", "aes256-sha256-esn", "aes256-sha256",
                                      "aes128-sha512-esn", "aes128-sha512", "aes128-sha256-esn", "aes128-sha256"}));
  EXPECT_EQ(apart(*parse_proposals(Protocol::esp, "chacha20poly1305")).size(), 1U);
  EXPECT_EQ(apart(*parse_proposals(Protocol::ah, "sha256-sha512")).size(), 2U);
  EXPECT_TRUE(apart({}).empty());
}

// RFC 9370 2.2.1.
TEST(Select, AdditionalKeyExchanges) {
  const std::string base = "aes128gcm16-prfsha256-x25519";
  const auto pick = [&](const std::string& ours, const std::string& theirs) {
    return chosen(ike({(base + ours).c_str()}), offer(ike({(base + theirs).c_str()}), {}));
  };
  EXPECT_EQ(pick("-ke1_ecp256-ke2_x448", "-ke1_x448-ke1_ecp256-ke2_x448"), "1:" + base + "-ke1_ecp256-ke2_x448");
  EXPECT_EQ(pick("-ke1_ecp256", ""), "none") << "we insist";
  EXPECT_EQ(pick("", "-ke1_ecp256"), "none") << "they insist";
  EXPECT_EQ(pick("-ke1_ecp256", "-ke2_ecp256"), "none");
  EXPECT_EQ(pick("-ke1_ecp256-ke1_none", ""), "1:" + base);
  EXPECT_EQ(pick("", "-ke3_ecp256-ke3_none"), "1:" + base + "-ke3_none");
  EXPECT_EQ(pick("-ke1_none-ke1_ecp256", "-ke1_ecp256-ke1_none"), "1:" + base + "-ke1_none");
  EXPECT_EQ(pick("-ke1_x448-ke1_ecp256-ke2_x448", "-ke1_ecp256-ke1_x448-ke2_x448"),
            "1:" + base + "-ke1_ecp256-ke2_x448")
      << "no method twice, so the first one is not the preferred";
  EXPECT_EQ(pick("-ke1_x25519", "-ke1_x25519"), "1:" + base + "-ke1_x25519") << "but once beside the first exchange";
}

TEST(Select, AnAnswerHasTheAdditionalKeyExchangesThatWereOffered) {
  const auto ours = ike({"aes128gcm16-prfsha256-x25519-ke1_ecp256-ke1_x448-ke2_x448-ke2_ecp521-ke2_none"});
  const auto good = [&](const char* answer) { return check_answer(ours, offer(ike({answer}), {})).has_value(); };
  EXPECT_TRUE(good("aes128gcm16-prfsha256-x25519-ke1_ecp256-ke2_x448"));
  EXPECT_TRUE(good("aes128gcm16-prfsha256-x25519-ke1_ecp256-ke2_none"));
  EXPECT_TRUE(good("aes128gcm16-prfsha256-x25519-ke1_ecp256"));
  EXPECT_FALSE(good("aes128gcm16-prfsha256-x25519")) << "left out";
  EXPECT_FALSE(good("aes128gcm16-prfsha256-x25519-ke2_x448"));
  EXPECT_FALSE(good("aes128gcm16-prfsha256-x25519-ke1_ecp256-ke3_x448"));
  EXPECT_FALSE(good("aes128gcm16-prfsha256-x25519-ke1_none"));
  auto twice = offer(ike({"aes128gcm16-prfsha256-x25519-ke1_x448-ke2_ecp521"}), {});
  twice.proposals[0].transforms.back().id = crypto::kGroupX448;
  EXPECT_FALSE(check_answer(ours, twice)) << "the same twice";
}

TEST(Select, InIkeAuthAChildHasNoAdditionalKeyExchange) {
  const auto ours = esp({"aes128gcm16-x25519-ke1_ecp256"});
  EXPECT_EQ(chosen(ours, offer(ours, kSpi)), "1:aes128gcm16");
  const auto later = select(ours, offer(ours, kSpi, Groups::pfs), Prefer::ours, Groups::pfs);
  ASSERT_TRUE(later);
  EXPECT_EQ(later->proposal.text(), "aes128gcm16-x25519-ke1_ecp256");
}

TEST(Select, KeyLengthsMustBeEqual) {
  const auto theirs = offer(esp({"aes256gcm16"}), kSpi);
  EXPECT_EQ(chosen(esp({"aes128gcm16"}), theirs), "none");
  auto without = theirs;
  without.proposals[0].transforms[0].key_bits = 0;
  EXPECT_EQ(chosen(esp({"aes256gcm16"}), without), "none");
}

TEST(Select, UnknownTypeSpoilsTheProposalUnknownIdDoesNot) {
  auto theirs = offer(esp({"aes128gcm16", "aes128gcm16"}), kSpi);
  theirs.proposals[0].transforms.push_back({6, 1, 0});
  EXPECT_EQ(chosen(esp({"aes128gcm16"}), theirs), "2:aes128gcm16");
  theirs.proposals[0].transforms.back() = {1, 4711, 128};
  EXPECT_EQ(chosen(esp({"aes128gcm16"}), theirs), "1:aes128gcm16");
}

TEST(Select, UnknownAttributeSpoilsItsTransform) {
  auto theirs = offer(esp({"aes128gcm16-aes256gcm16"}), kSpi);
  theirs.proposals[0].transforms[0].unknown_attribute = true;
  EXPECT_EQ(chosen(esp({"aes128gcm16-aes256gcm16"}), theirs), "1:aes256gcm16");
}

TEST(Select, AeadWantsNoIntegrityOrNone) {
  auto theirs = offer(esp({"aes128gcm16"}), kSpi);
  theirs.proposals[0].transforms.push_back({3, 12, 0});
  EXPECT_EQ(chosen(esp({"aes128gcm16"}), theirs), "none");
  theirs.proposals[0].transforms.push_back({3, 0, 0});
  const auto found = select(esp({"aes128gcm16"}), theirs);
  ASSERT_TRUE(found);
  // NONE is part of the answer, as it is of the offer.
  EXPECT_EQ(std::ranges::count(found->proposal.transforms, TransformType::integ, &Transform::type), 1);
  EXPECT_EQ(esp_suite(found->proposal)->name(), "aes128gcm16");
}

TEST(Select, CipherThatCanHaveItsIntegrity) {
  // The peer mixes both kinds in one proposal: only the second one's integrity is there.
  wire::SaPayload theirs = offer(esp({"aes256-sha256"}), kSpi);
  auto& transforms = theirs.proposals[0].transforms;
  transforms.insert(transforms.begin(), {1, 20, 128});
  EXPECT_EQ(chosen(esp({"aes128gcm16", "aes256-sha256"}), theirs), "1:aes256-sha256");
}

TEST(Select, EspTakesNoGroupButNone) {
  auto theirs = offer(esp({"aes128gcm16"}), kSpi);
  theirs.proposals[0].transforms.push_back({4, 31, 0});
  EXPECT_EQ(chosen(esp({"aes128gcm16-x25519"}), theirs), "none");
  theirs.proposals[0].transforms.push_back({4, 0, 0});
  EXPECT_EQ(chosen(esp({"aes128gcm16-x25519"}), theirs), "1:aes128gcm16");
}

TEST(Select, Esn) {
  const auto theirs = offer(esp({"aes128gcm16-esn-noesn"}), kSpi);
  EXPECT_FALSE(esp_suite(select(esp({"aes128gcm16"}), theirs)->proposal)->esn);
  EXPECT_TRUE(esp_suite(select(esp({"aes128gcm16-esn"}), theirs)->proposal)->esn);
  EXPECT_EQ(chosen(esp({"aes128gcm16-esn"}), offer(esp({"aes128gcm16"}), kSpi)), "none");
  auto silent = offer(esp({"aes128gcm16"}), kSpi);
  silent.proposals[0].transforms.pop_back();
  EXPECT_EQ(chosen(esp({"aes128gcm16"}), silent), "1:aes128gcm16");
  EXPECT_EQ(chosen(esp({"aes128gcm16-esn"}), silent), "none");
}

TEST(Select, ProtocolMustFit) {
  auto theirs = offer(esp({"aes128gcm16"}), kSpi);
  theirs.proposals[0].protocol = Protocol::ah;
  EXPECT_EQ(chosen(esp({"aes128gcm16"}), theirs), "none");
  EXPECT_EQ(chosen({}, theirs), "none");
  EXPECT_EQ(chosen(esp({"aes128gcm16"}), {}), "none");
}

TEST(Select, IkeNeedsPrfAndGroup) {
  const auto ours = ike({"aes128gcm16-prfsha256-x25519-ecp256"});
  const auto theirs = offer(ike({"aes128gcm16-prfsha512-prfsha256-ecp256-x25519"}), {});
  const auto found = select(ours, theirs);
  ASSERT_TRUE(found);
  EXPECT_EQ(ike_suite(found->proposal)->name(), "AES_GCM_16-128/PRF_HMAC_SHA2_256/CURVE_25519");
  EXPECT_EQ(ike_suite(select(ours, theirs, Prefer::theirs)->proposal)->group, crypto::kGroupEcp256);
  for (const int type : {2, 4}) {
    auto without = theirs;
    std::erase_if(without.proposals[0].transforms, [&](const auto& one) { return one.type == type; });
    EXPECT_EQ(chosen(ours, without), "none");
  }
}

TEST(Select, SpiComesAlong) {
  const auto found = select(esp({"aes128gcm16"}), offer(esp({"aes128gcm16"}), spi_octets({0xc0ffee01}))).value();
  EXPECT_EQ(esp_spi(found), base::Spi{0xc0ffee01});
  EXPECT_EQ(esp_spi({}), std::nullopt);
}

class CheckAnswer : public testing::Test {
 protected:
  const std::vector<Proposal> ours_ = esp({"aes128gcm16-aes256gcm16-x25519", "aes256-sha256"});
  wire::SaPayload good_ = answer(select(ours_, offer(ours_, kSpi)).value(), kSpi);
  [[nodiscard]] bool taken() const { return check_answer(ours_, good_).has_value(); }
};

TEST_F(CheckAnswer, Good) {
  const auto checked = check_answer(ours_, good_).value();
  EXPECT_EQ(checked.number, 1);
  EXPECT_EQ(esp_suite(checked.proposal)->name(), "aes128gcm16");
  EXPECT_EQ(checked.spi, kSpi);
}
TEST_F(CheckAnswer, TwoProposals) {
  good_.proposals.push_back(good_.proposals[0]);
  EXPECT_FALSE(taken());
}
TEST_F(CheckAnswer, NoProposal) {
  good_.proposals.clear();
  EXPECT_FALSE(taken());
}
TEST_F(CheckAnswer, OtherNumber) {
  for (const int number : {0, 2, 3, 255}) {
    good_.proposals[0].number = static_cast<std::uint8_t>(number);
    EXPECT_FALSE(taken()) << number;
  }
}
TEST_F(CheckAnswer, NotOffered) {
  good_.proposals[0].transforms[0].key_bits = 192;
  EXPECT_FALSE(taken());
}
TEST_F(CheckAnswer, TwoOfAType) {
  good_.proposals[0].transforms.push_back({1, 20, 256});
  EXPECT_FALSE(taken());
}
TEST_F(CheckAnswer, TypeMissing) {
  good_.proposals[0].transforms.pop_back();
  EXPECT_FALSE(taken());
}
TEST_F(CheckAnswer, GroupThatWeLeftOut) {
  good_.proposals[0].transforms.push_back({4, 31, 0});
  EXPECT_FALSE(taken());
}
TEST_F(CheckAnswer, OtherProtocol) {
  good_.proposals[0].protocol = Protocol::ah;
  EXPECT_FALSE(taken());
}
TEST_F(CheckAnswer, UnknownAttribute) {
  good_.proposals[0].transforms[0].unknown_attribute = true;
  EXPECT_FALSE(taken());
}

TEST(Suites, WhatWeHaveNoAlgorithmFor) {
  Proposal proposal{Protocol::esp, {{TransformType::encr, 3, 0}}};  // 3DES
  EXPECT_FALSE(esp_suite(proposal));
  proposal.transforms = {{TransformType::encr, 12, 128}};  // CBC without integrity
  EXPECT_FALSE(esp_suite(proposal));
  proposal.protocol = Protocol::ike;
  EXPECT_FALSE(ike_suite(proposal));
}

}  // namespace
}  // namespace espgate::ike
