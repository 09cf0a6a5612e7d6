// SPDX-License-Identifier: Apache-2.0
#include "ike/proposal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ike/crypto/key_exchange.h"
#include "ike/crypto/suite.h"

namespace espgate::ike {
namespace {

using enum TransformType;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<Transform> parse(Protocol protocol, std::string_view text) {
  return parse_proposals(protocol, text).value().at(0).transforms;
}
std::string error(Protocol protocol, std::string_view text) { return parse_proposals(protocol, text).error(); }

TEST(Proposal, Ike) {
  EXPECT_THAT(parse(Protocol::ike, "aes128gcm16-prfsha256-x25519"),
              ElementsAre(Transform{encr, 20, 128}, Transform{prf, 5, 0}, Transform{group, 31, 0}));
  EXPECT_THAT(
      parse(Protocol::ike, "aes256-sha384-ecp384"),
      ElementsAre(Transform{encr, 12, 256}, Transform{prf, 6, 0}, Transform{integ, 13, 0}, Transform{group, 20, 0}));
}

TEST(Proposal, AeadTakesItsPrfFromTheHash) {
  EXPECT_EQ(parse(Protocol::ike, "aes128gcm16-sha256-ecp256"), parse(Protocol::ike, "aes128gcm16-prfsha256-ecp256"));
}

TEST(Proposal, AdditionalKeyExchanges) {
  constexpr char text[] = "aes128gcm16-prfsha256-x25519-ke1_ecp256-ke1_none-ke7_x25519";
  EXPECT_THAT(parse(Protocol::ike, text),
              ElementsAre(Transform{encr, 20, 128}, Transform{prf, 5, 0}, Transform{group, 31, 0},
                          Transform{ke1, 19, 0}, Transform{ke1, 0, 0}, Transform{ke7, 31, 0}));
  EXPECT_EQ(parse_proposals(Protocol::ike, text)->at(0).text(), text);
  EXPECT_EQ(parse_proposals(Protocol::esp, "aes128gcm16-x25519-ke2_x448-esn")->at(0).text(),
            "aes128gcm16-x25519-ke2_x448-esn");
  EXPECT_THAT(error(Protocol::esp, "aes128gcm16-ke1_x25519"), HasSubstr("without one that it is added to"));
  EXPECT_THAT(error(Protocol::ike, "aes128gcm16-prfsha256-x25519-ke1_x448-ke2_x448"), HasSubstr("twice"));
  for (const auto* word : {"ke1_foo", "ke1_aes128", "ke1_sha256"}) {
    EXPECT_THAT(error(Protocol::ike, std::string("aes128gcm16-prfsha256-x25519-") + word),
                HasSubstr(std::string("unknown key exchange in \"") + word));
  }
  for (const auto* word : {"ke0_x25519", "ke8_x25519", "ke1x25519", "ke1_", "ke"}) {
    EXPECT_THAT(error(Protocol::ike, std::string("aes128gcm16-prfsha256-x25519-") + word),
                HasSubstr("unknown algorithm"));
  }
}

TEST(Proposal, MlKemIsTakenWhereOpensslHasIt) {
  for (const auto* word : {"ke1_mlkem512", "ke2_mlkem768", "mlkem1024"}) {
    const auto parsed = parse_proposals(Protocol::ike, std::string("aes256gcm16-prfsha384-x25519-") + word);
    EXPECT_EQ(parsed.has_value(), crypto::available(crypto::kGroupMlKem768));
    if (!parsed) {
      EXPECT_EQ(parsed.error(),
                "\"" + std::string(word) + "\" needs OpenSSL 3.5 or later, and this is " + crypto::library());
    }
  }
}

TEST(Proposal, AhIsIntegrityAlone) {
  EXPECT_THAT(parse(Protocol::ah, "sha256"), ElementsAre(Transform{integ, 12, 0}, Transform{esn, 0, 0}));
  EXPECT_THAT(parse(Protocol::ah, "sha512-x25519-esn"),
              ElementsAre(Transform{integ, 14, 0}, Transform{group, 31, 0}, Transform{esn, 1, 0}));
  EXPECT_EQ(parse_proposals(Protocol::ah, "sha384-x25519")->at(0).text(), "sha384-x25519");
  EXPECT_THAT(error(Protocol::ah, "aes128gcm16"), HasSubstr("has no place in an AH proposal"));
  EXPECT_THAT(error(Protocol::ah, "x25519"), HasSubstr("no integrity algorithm"));
  EXPECT_TRUE(parse_proposals(Protocol::ah, "default").has_value());
}

TEST(Proposal, Esp) {
  EXPECT_THAT(parse(Protocol::esp, "aes128gcm16"), ElementsAre(Transform{encr, 20, 128}, Transform{esn, 0, 0}));
  EXPECT_THAT(
      parse(Protocol::esp, "aes256-sha256-esn-noesn"),
      ElementsAre(Transform{encr, 12, 256}, Transform{integ, 12, 0}, Transform{esn, 1, 0}, Transform{esn, 0, 0}));
  EXPECT_THAT(parse(Protocol::esp, "aes256gcm16-x25519"),
              ElementsAre(Transform{encr, 20, 256}, Transform{group, 31, 0}, Transform{esn, 0, 0}));
}

TEST(Proposal, SynonymsAndRepetitions) {
  EXPECT_EQ(parse(Protocol::esp, "aes128gcm"), parse(Protocol::esp, "aes128gcm16"));
  EXPECT_EQ(parse(Protocol::esp, "aes-sha2_256"), parse(Protocol::esp, "aes128-sha256-sha256"));
  EXPECT_EQ(parse(Protocol::ike, "aes128-sha256-curve25519"), parse(Protocol::ike, "aes128-sha256-x25519"));
}

TEST(Proposal, TextAndBack) {
  for (const auto* text : {"aes128gcm16-prfsha256-x25519", "aes256-sha256-ecp256",
                           "aes128-aes256-sha512-prfsha256-modp2048-x448", "aes256gcm16-prfsha384-prfsha512-ecp521"}) {
    EXPECT_EQ(parse_proposals(Protocol::ike, text).value().at(0).text(), text);
  }
  for (const auto* text : {"aes128gcm16", "aes256-sha256", "aes256gcm16-x25519-esn", "aes128-sha384-esn-noesn"}) {
    EXPECT_EQ(parse_proposals(Protocol::esp, text).value().at(0).text(), text);
  }
}

TEST(Proposal, DefaultsAreSeveralAndAeadFirst) {
  for (const auto protocol : {Protocol::ike, Protocol::esp}) {
    const auto all = parse_proposals(protocol, "default").value();
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(all[0].transforms.front(), (Transform{encr, crypto::kEncrAesGcm16, 128}));
    EXPECT_EQ(all[1].transforms.front().id, crypto::kEncrAesCbc);
  }
}

TEST(Proposal, ErrorsNameTheWord) {
  EXPECT_EQ(error(Protocol::ike, "aes128gcm6-prfsha256-x25519"),
            "unknown algorithm \"aes128gcm6\", the nearest known is \"aes128gcm16\"");
  EXPECT_THAT(error(Protocol::ike, "aes128-sha265-x25519"), HasSubstr("\"sha265\", the nearest known is \"sha256\""));
  EXPECT_THAT(error(Protocol::esp, "aes128-prfsha256"), HasSubstr("\"prfsha256\" has no place in an ESP proposal"));
  EXPECT_THAT(error(Protocol::ike, "aes128-sha256-x25519-esn"), HasSubstr("\"esn\" has no place in an IKE proposal"));
  EXPECT_THAT(error(Protocol::esp, "aes128--sha256"), HasSubstr("unknown algorithm \"\""));
  EXPECT_THAT(error(Protocol::esp, ""), HasSubstr("unknown algorithm \"\""));
  EXPECT_THAT(error(Protocol::esp, std::string(5000, 'a')), HasSubstr("unknown algorithm"));
}

TEST(Proposal, ErrorsNameWhatIsMissing) {
  EXPECT_THAT(error(Protocol::esp, "sha256"), HasSubstr("no encryption algorithm"));
  EXPECT_THAT(error(Protocol::esp, "aes128"), HasSubstr("no integrity algorithm"));
  EXPECT_THAT(error(Protocol::esp, "aes128-aes128gcm16-sha256"), HasSubstr("in one proposal"));
  EXPECT_THAT(error(Protocol::ike, "aes128gcm16-x25519"), HasSubstr("no pseudo-random function"));
  EXPECT_THAT(error(Protocol::ike, "aes128-sha256"), HasSubstr("no key exchange group"));
  EXPECT_FALSE(parse_proposals(Protocol::none, "sha256"));
}

}  // namespace
}  // namespace espgate::ike
