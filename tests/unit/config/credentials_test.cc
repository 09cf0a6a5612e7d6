// SPDX-License-Identifier: Apache-2.0
// Certificates and keys in swanctl's folders, and what connections make of them.
#include <gmock/gmock.h>

#include "tests/pki/pki.h"
#include "tests/unit/config/config_testing.h"

namespace espgate::control {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::texts;

struct CredentialFiles : ::testing::Test {
  testing::Folder folder;
  pki::Entity root = pki::self_signed({.subject = "O=espgate, CN=root", .ca = true}, pki::ec("P-256", 1));
  pki::Entity middle = pki::issue(root, {.subject = "O=espgate, CN=middle", .ca = true}, pki::ec("P-256", 2));
  pki::Entity own = pki::issue(middle, {.subject = "O=espgate, CN=gw", .names = {"DNS:gw.example.org"}}, pki::rsa());
  pki::Entity peer = pki::issue(root, {.subject = "O=espgate, CN=peer"}, pki::ec("P-256", 3));

  void SetUp() override {
    folder.write("x509/gw.pem", pki::pem(own.cert));
    folder.write("x509ca/root.pem", pki::pem(root.cert));
    folder.write("x509ca/middle.pem", pki::pem(middle.cert));
    folder.write("private/gw.pem", pki::key_pem(own.key));
  }
  Loaded load(const std::string& local, const std::string& remote, const std::string& rest = "",
              const std::string& more = "") {
    return load_file(folder.write("espgate.conf", "connections { a {\n local {\n" + local + "\n}\n remote {\n" +
                                                      remote + "\n}\n" + rest + "\nchildren { net { } } } }\n" + more));
  }
  static const ike::ConnConfig& conn(const Loaded& loaded) { return *loaded.config.value().ike->conns.at(0); }
  static std::string complaints(const Loaded& loaded) {
    std::string out;
    for (const auto& text : texts(loaded.report.errors)) out += text + "\n";
    for (const auto& text : texts(loaded.report.warnings)) out += "warning " + text + "\n";
    return out;
  }
};

TEST_F(CredentialFiles, AreFoundWithoutAWord) {
  const auto loaded = load("auth = pubkey", "auth = pubkey\n id = O=espgate, CN=peer");
  ASSERT_EQ(complaints(loaded), "");
  const auto& local = conn(loaded).local;
  EXPECT_EQ(local.method, ike::AuthMethod::pubkey);
  EXPECT_EQ(local.id.text(), "O=espgate, CN=gw");
  ASSERT_EQ(local.credentials.size(), 1U);
  EXPECT_EQ(local.credentials[0].cert, own.cert);
  EXPECT_THAT(local.credentials[0].chain, ElementsAre(middle.cert, root.cert));
  EXPECT_EQ(conn(loaded).remote.trust->anchors().size(), 2U);
  EXPECT_EQ(conn(loaded).send_cert, ike::SendCert::if_asked);
  EXPECT_TRUE(conn(loaded).send_certreq);
}

TEST_F(CredentialFiles, AreNamed) {
  folder.write("x509/peer.pem", pki::pem(peer.cert));
  const auto loaded = load("certs = gw.pem\n id = gw.example.org\n auth = rsa/pss-sha256",
                           "certs = peer.pem\n cacerts = root.pem\n auth = ecdsa-256\n revocation = strict",
                           "send_cert = always\n send_certreq = no");
  ASSERT_EQ(complaints(loaded), "");
  EXPECT_EQ(conn(loaded).local.id.text(), "gw.example.org");
  EXPECT_EQ(conn(loaded).local.signatures.schemes.size(), 1U);
  EXPECT_THAT(conn(loaded).remote.certs, ElementsAre(peer.cert));
  EXPECT_THAT(conn(loaded).remote.trust->anchors(), ElementsAre(root.cert, peer.cert));
  EXPECT_EQ(conn(loaded).remote.revocation, ike::crypto::Revocation::strict);
  EXPECT_EQ(conn(loaded).send_cert, ike::SendCert::always);
  EXPECT_FALSE(conn(loaded).send_certreq);
}

TEST_F(CredentialFiles, InSectionsAndByAbsoluteName) {
  const auto elsewhere = folder.write("elsewhere.der", std::string(base::as_text(peer.cert.der())));
  const auto loaded = load("cert-1 { file = gw.pem\n }",
                           "cert { file = " + elsewhere.string() + "\n }\n cacert1 { file = root.pem\n }");
  ASSERT_EQ(complaints(loaded), "");
  EXPECT_THAT(conn(loaded).remote.certs, ElementsAre(peer.cert));
}

TEST_F(CredentialFiles, AnIdThatTheCertificateDoesNotHave) {
  const auto loaded = load("certs = gw.pem\n id = other.example.org", "auth = pubkey");
  EXPECT_THAT(complaints(loaded), HasSubstr("warning " + folder.path("espgate.conf") +
                                            ":4:7: other.example.org does not stand in our certificate: 'O=espgate, "
                                            "CN=gw' is used"));
  EXPECT_EQ(conn(loaded).local.id.text(), "O=espgate, CN=gw");
  const auto none = load("id = other.example.org", "auth = pubkey");
  EXPECT_THAT(complaints(none), HasSubstr("local has no certificate to show"));
}

TEST_F(CredentialFiles, EncryptedKeys) {
  folder.write("private/gw.pem", pki::key_pem(own.key, "open sesame"));
  EXPECT_THAT(complaints(load("certs = gw.pem", "auth = pubkey")), HasSubstr("it is encrypted, expected secrets"));
  const auto wrong =
      load("certs = gw.pem", "auth = pubkey", "", "secrets { private-gw {\n file = gw.pem\n secret = no\n} }");
  EXPECT_THAT(complaints(wrong), HasSubstr("the passphrase does not open it"));
  const auto right =
      load("certs = gw.pem", "auth = pubkey", "", "secrets { private-gw {\n file = gw.pem\n secret = open sesame\n} }");
  EXPECT_EQ(complaints(right), "");
}

TEST_F(CredentialFiles, AContainerIsSaidNotToBeRead) {
  folder.write("pkcs12/gw.p12", "whatever");
  EXPECT_THAT(
      complaints(load("certs = gw.pem", "auth = pubkey")),
      HasSubstr("gw.p12: not used: PKCS#12 containers are not read; take it apart: `openssl pkcs12 -in gw.p12"));
}

TEST_F(CredentialFiles, EveryFolderOfKeys) {
  const std::pair<const char*, pki::Key> kinds[] = {
      {"rsa", pki::rsa(2)}, {"ecdsa", pki::ec("P-384", 4)}, {"pkcs8", pki::ed25519(9)}};
  for (const auto& [kind, key] : kinds) {
    const auto entity = pki::issue(root, {.subject = std::string("CN=") + kind}, key);
    folder.write(std::string("x509/") + kind + ".pem", pki::pem(entity.cert));
    folder.write(std::string(kind) + "/key.pem", pki::key_pem(key, "secret"));
    const auto loaded = load(std::string("certs = ") + kind + ".pem", "auth = pubkey", "",
                             std::string("secrets { ") + kind + "1 {\n file = key.pem\n secret = secret\n} }");
    EXPECT_EQ(complaints(loaded), "");
    std::filesystem::remove(folder.path(std::string(kind) + "/key.pem"));
  }
}

TEST_F(CredentialFiles, AuthoritiesAndRevocationLists) {
  const auto other = pki::self_signed({.subject = "CN=other", .ca = true}, pki::ec("P-256", 7));
  const auto file = folder.write("other.pem", pki::pem(other.cert));
  const auto crl = folder.write("lists/other.crl", pki::crl_pem(pki::revoke(other, {7})));
  folder.write("x509crl/root.crl", pki::crl_pem(pki::revoke(root, {8})));
  const auto loaded = load("auth = pubkey", "auth = pubkey", "",
                           "authorities { other {\n file = " + file.string() + "\n crl_uris = file://" + crl.string() +
                               ", http://example.org/x.crl\n} }");
  EXPECT_THAT(complaints(loaded), HasSubstr("http://example.org/x.crl is not fetched"));
  const auto& trust = *conn(loaded).remote.trust;
  EXPECT_EQ(trust.anchors().size(), 3U);
  const auto revoked = pki::issue(other, {.subject = "CN=x", .serial = 7}, pki::ed25519());
  EXPECT_THAT(trust.verify(revoked.cert, {}, 1000, ike::crypto::Revocation::relaxed).error(), HasSubstr("revoked"));
  const auto too = pki::issue(root, {.subject = "CN=y", .serial = 8}, pki::ed25519());
  EXPECT_THAT(trust.verify(too.cert, {}, 1000, ike::crypto::Revocation::relaxed).error(), HasSubstr("revoked"));
}

TEST_F(CredentialFiles, WhatIsNamedMustBeThere) {
  EXPECT_THAT(complaints(load("certs = none.pem", "auth = pubkey")),
              HasSubstr(":3:9: certificate " + folder.path("x509/none.pem") + ": No such file or directory"));
  folder.write("x509/broken.pem", "nonsense");
  EXPECT_THAT(complaints(load("certs = broken.pem", "auth = pubkey")), HasSubstr("holds no X.509 certificate"));
  EXPECT_THAT(complaints(load("auth = pubkey", "cacerts = none.pem")), HasSubstr(":6:11: certificate"));
  folder.write("x509/peer.pem", pki::pem(peer.cert));
  EXPECT_THAT(complaints(load("certs = peer.pem", "auth = pubkey")),
              HasSubstr(":3:9: there is no private key for the certificate of 'O=espgate, CN=peer'"));
}

TEST_F(CredentialFiles, UselessFilesInFoldersAreWarnings) {
  folder.write("x509ca/gw.pem", pki::pem(own.cert));
  folder.write("x509ca/README", "certificates go here");
  folder.write("private/old.pem", "nonsense");
  folder.write("x509crl/x", "nonsense");
  folder.write("x509/.hidden", "nonsense");
  const auto loaded = load("auth = pubkey", "auth = pubkey");
  EXPECT_TRUE(loaded.config.has_value());
  const auto said = complaints(loaded);
  EXPECT_THAT(said, HasSubstr("'O=espgate, CN=gw' is no CA certificate"));
  EXPECT_THAT(said, HasSubstr("README: not used: it holds no X.509 certificate"));
  EXPECT_THAT(said, HasSubstr("old.pem: not used as a private key"));
  EXPECT_THAT(said, HasSubstr("x509crl/x: not used"));
  EXPECT_EQ(said.find("hidden"), std::string::npos);
}

TEST_F(CredentialFiles, AKeyThatEveryoneCanReadIsRefused) {
  folder.write("private/gw.pem", pki::key_pem(own.key), 0644);
  EXPECT_THAT(complaints(load("auth = pubkey", "auth = pubkey")), HasSubstr("open to every user (mode 0644)"));
}

}  // namespace
}  // namespace espgate::control
