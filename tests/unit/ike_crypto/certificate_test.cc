// SPDX-License-Identifier: Apache-2.0
// Certificates: which identities they prove, and whom a chain makes believable.
#include "ike/crypto/certificate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ike/crypto/trust.h"
#include "tests/pki/pki.h"

namespace espgate::ike::crypto {
namespace {

using ::testing::HasSubstr;

Identity id(const std::string& text) { return Identity::parse(text).value(); }

constexpr std::int64_t kNow = 1'000'000;

struct Authorities : ::testing::Test {
  pki::Entity root = pki::self_signed({.subject = "C=CH, O=espgate, CN=root", .ca = true}, pki::ec("P-256", 1));
  pki::Entity middle = pki::issue(root, {.subject = "C=CH, O=espgate, CN=middle", .ca = true}, pki::rsa(1));
  pki::Wish leaf_wish{.subject = "C=CH, O=espgate, CN=gw",
                      .names = {"DNS:gw.example.org", "IP:192.0.2.1", "IP:2001:db8::1", "email:gw@example.org"}};
  pki::Entity leaf = pki::issue(middle, leaf_wish, pki::ed25519());

  static std::string judge(const TrustStore& store, const Certificate& cert, const std::vector<Certificate>& others,
                           Revocation revocation = Revocation::relaxed, std::int64_t at = kNow) {
    const auto verdict = store.verify(cert, others, at, revocation);
    return verdict ? "good" : verdict.error();
  }
};

TEST_F(Authorities, IdentitiesThatACertificateProves) {
  for (const auto* good : {"gw.example.org", "GW.Example.Org", "192.0.2.1", "2001:db8::1", "gw@example.org",
                           "C=CH, O=espgate, CN=gw", "C=CH, O=ESPGATE, CN=gw"}) {
    EXPECT_TRUE(leaf.cert.proves(id(good))) << good;
  }
  for (const auto* bad : {"gw", "x.example.org", "192.0.2.2", "me@example.org", "C=CH, O=espgate", "CN=gw",
                          "C=CH, O=espgate, CN=*", "%any", "*.example.org", "192.0.2.0/24", "keyid:gw.example.org"}) {
    EXPECT_FALSE(leaf.cert.proves(id(bad))) << bad;
  }
  const auto hash = leaf.cert.key_hash();
  EXPECT_TRUE(leaf.cert.proves({IdType::key_id, {hash.begin(), hash.end()}}));
}

TEST_F(Authorities, AWildcardInACertificateProvesNothing) {
  const auto wild = pki::issue(root, {.subject = "CN=*", .names = {"DNS:*.example.org"}}, pki::ed25519(2));
  EXPECT_FALSE(wild.cert.proves(id("gw.example.org")));
  EXPECT_FALSE(wild.cert.proves(id("CN=anyone")));
}

TEST_F(Authorities, CertificatesAreReadWhole) {
  auto der = leaf.cert.der();
  EXPECT_TRUE(Certificate::from_der(der));
  der.push_back(0);
  EXPECT_FALSE(Certificate::from_der(der)) << "octets behind it";
  for (std::size_t length = 0; length < leaf.cert.der().size(); length += 7) {
    EXPECT_FALSE(Certificate::from_der(base::ByteView(leaf.cert.der()).first(length))) << length;
  }
  EXPECT_FALSE(Certificate::from_der(base::Bytes(kMostCertificateOctets + 1, 0x30)));
  EXPECT_EQ(Certificate::from_file(leaf.cert.der())->size(), 1U);
  const auto both = Certificate::from_file(base::as_bytes(pki::pem(leaf.cert) + pki::pem(middle.cert)));
  ASSERT_TRUE(both);
  EXPECT_EQ(both->size(), 2U);
  EXPECT_FALSE(
      Certificate::from_file(base::as_bytes("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")));
  EXPECT_FALSE(Certificate::from_file(base::as_bytes("")));
}

TEST_F(Authorities, ChainsLeadToAnAnchor) {
  const auto store = TrustStore::make({root.cert}, {});
  EXPECT_EQ(judge(*store, leaf.cert, {middle.cert}), "good");
  EXPECT_EQ(judge(*store, leaf.cert, {root.cert, middle.cert}), "good") << "the anchor itself may come along";
  EXPECT_EQ(judge(*store, middle.cert, {}), "good");
  EXPECT_THAT(judge(*store, leaf.cert, {}), HasSubstr("unable to get local issuer"));
  const auto intermediate = TrustStore::make({middle.cert}, {});
  EXPECT_EQ(judge(*intermediate, leaf.cert, {}), "good") << "an intermediate CA may be the anchor";
  const auto pinned = TrustStore::make({leaf.cert}, {});
  EXPECT_EQ(judge(*pinned, leaf.cert, {}), "good") << "a certificate that is trusted itself";
  const auto nobody = TrustStore::make({}, {});
  EXPECT_NE(judge(*nobody, leaf.cert, {middle.cert, root.cert}), "good");
}

TEST_F(Authorities, StrangersAreNotBelieved) {
  const auto store = TrustStore::make({root.cert}, {});
  const auto forger = pki::self_signed({.subject = "C=CH, O=espgate, CN=root", .ca = true}, pki::ec("P-256", 7));
  const auto forged = pki::issue(forger, leaf_wish, pki::ed25519());
  EXPECT_NE(judge(*store, forged.cert, {forger.cert}), "good") << "the root's name, another key";
  const auto alone = pki::self_signed(leaf_wish, pki::ed25519());
  EXPECT_NE(judge(*store, alone.cert, {}), "good");
  const auto below = pki::issue(leaf, {.subject = "CN=below"}, pki::ec("P-256", 8));
  EXPECT_THAT(judge(*store, below.cert, {leaf.cert, middle.cert}), HasSubstr("CA")) << "a leaf issues nothing";
  auto der = leaf.cert.der();
  der[der.size() - 3] ^= 1;
  EXPECT_NE(judge(*store, *Certificate::from_der(der), {middle.cert}), "good") << "its signature is broken";
}

TEST_F(Authorities, TimesAndStrengthMatter) {
  const auto store = TrustStore::make({root.cert}, {});
  const auto brief = pki::issue(root, {.subject = "CN=brief", .from = kNow - 10, .until = kNow + 10}, pki::ed25519(3));
  EXPECT_EQ(judge(*store, brief.cert, {}), "good");
  EXPECT_THAT(judge(*store, brief.cert, {}, Revocation::relaxed, kNow + 11), HasSubstr("expired"));
  EXPECT_THAT(judge(*store, brief.cert, {}, Revocation::relaxed, kNow - 11), HasSubstr("not yet valid"));
  EXPECT_THAT(judge(*store, brief.cert, {}, Revocation::relaxed, kNow + 11), HasSubstr("CN=brief")) << "whose it is";
  const auto tiny = pki::issue(root, {.subject = "CN=tiny"}, pki::rsa(0, 1024));
  EXPECT_THAT(judge(*store, tiny.cert, {}), HasSubstr("too weak"));
  EXPECT_EQ(tiny.cert.key().error(), CryptoError::weak_key);
  const auto old = pki::issue(middle, {.subject = "CN=old", .digest = "SHA1"}, pki::ed25519(4));
  EXPECT_THAT(judge(*store, old.cert, {middle.cert}), HasSubstr("too weak"));
  const auto late =
      TrustStore::make({pki::self_signed({.subject = "CN=late", .ca = true, .until = 5}, pki::ed25519(5)).cert}, {});
  EXPECT_NE(judge(*late, late->anchors()[0], {}), "good") << "a trusted certificate expires, too";
}

TEST_F(Authorities, RevocationLists) {
  const auto bad = pki::issue(root, {.subject = "CN=bad", .serial = 77}, pki::ed25519(6));
  const auto good = pki::issue(root, {.subject = "CN=good", .serial = 78}, pki::ed25519(7));
  const auto named = pki::issue(root, {.subject = "CN=named", .crl_uri = "http://example.org/crl"}, pki::ed25519(8));
  const std::vector lists{pki::revoke(root, {77})};
  const auto store = TrustStore::make({root.cert}, lists);
  for (const auto policy : {Revocation::relaxed, Revocation::if_uri, Revocation::strict}) {
    EXPECT_THAT(judge(*store, bad.cert, {}, policy), HasSubstr("revoked"));
    EXPECT_EQ(judge(*store, good.cert, {}, policy), "good");
  }
  // Nothing is known of what the middle CA revoked.
  EXPECT_EQ(judge(*store, leaf.cert, {middle.cert}), "good");
  EXPECT_EQ(judge(*store, leaf.cert, {middle.cert}, Revocation::if_uri), "good");
  EXPECT_THAT(judge(*store, leaf.cert, {middle.cert}, Revocation::strict), HasSubstr("CRL"));
  const auto without = TrustStore::make({root.cert}, {});
  EXPECT_EQ(judge(*without, named.cert, {}), "good");
  EXPECT_THAT(judge(*without, named.cert, {}, Revocation::if_uri), HasSubstr("CRL"));
  EXPECT_EQ(judge(*without, good.cert, {}, Revocation::if_uri), "good");
  EXPECT_THAT(judge(*without, good.cert, {}, Revocation::strict), HasSubstr("CRL"));
}

TEST_F(Authorities, AnOldListStillRevokes) {
  const auto bad = pki::issue(root, {.subject = "CN=bad", .serial = 77}, pki::ed25519(6));
  const auto good = pki::issue(root, {.subject = "CN=good", .serial = 78}, pki::ed25519(7));
  const std::vector lists{pki::revoke(root, {77}, 500)};
  const auto store = TrustStore::make({root.cert}, lists);
  EXPECT_THAT(judge(*store, bad.cert, {}), HasSubstr("revoked"));
  EXPECT_EQ(judge(*store, good.cert, {}), "good");
  EXPECT_THAT(judge(*store, good.cert, {}, Revocation::strict), HasSubstr("expired"));
}

TEST_F(Authorities, AForgedListRevokesNothing) {
  const auto forger = pki::self_signed({.subject = "C=CH, O=espgate, CN=root", .ca = true}, pki::ec("P-256", 7));
  const auto good = pki::issue(root, {.subject = "CN=good", .serial = 78}, pki::ed25519(7));
  const std::vector lists{pki::revoke(forger, {78})};
  EXPECT_NE(judge(*TrustStore::make({root.cert}, lists), good.cert, {}), "good")
      << "a list that should be the root's and is not: nobody knows";
}

TEST_F(Authorities, KeyUsage) {
  EXPECT_TRUE(leaf.cert.may_sign());
  EXPECT_TRUE(pki::issue(root, {.key_usage = "digitalSignature"}, pki::ed25519()).cert.may_sign());
  EXPECT_FALSE(pki::issue(root, {.key_usage = "keyEncipherment"}, pki::rsa()).cert.may_sign());
  EXPECT_TRUE(root.cert.ca());
  EXPECT_FALSE(leaf.cert.ca());
  EXPECT_TRUE(root.cert.self_issued());
  EXPECT_FALSE(middle.cert.self_issued());
}

}  // namespace
}  // namespace espgate::ike::crypto
