// SPDX-License-Identifier: Apache-2.0
// IKE_AUTH with certificates: every kind of key, both roles, what is asked for and sent, and who is refused.
#include <gmock/gmock.h>

#include "ike/task/certs.h"
#include "ike/wire/message.h"
#include "tests/pki/pki.h"
#include "tests/sim/pair.h"

namespace espgate::sim {
namespace {

using ike::AuthMethod;
using ike::Event;
using ike::Reason;
using ::testing::HasSubstr;

class Certs : public Pair {
 protected:
  pki::Entity root = pki::self_signed({.subject = "O=espgate, CN=root", .ca = true}, pki::ec("P-256", 1));
  pki::Entity middle = pki::issue(root, {.subject = "O=espgate, CN=middle", .ca = true}, pki::ec("P-256", 2));
  pki::Entity of_a =
      pki::issue(middle, {.subject = "O=espgate, CN=a", .names = {"DNS:a.example.org"}}, pki::ec("P-256", 3));
  pki::Entity of_b =
      pki::issue(root, {.subject = "O=espgate, CN=b", .names = {"IP:198.51.100.2"}}, pki::ec("P-256", 4));
  std::vector<ike::crypto::RevocationList> lists;

  ike::Credential credential(const pki::Entity& entity) const {
    ike::Credential out{entity.cert, pki::private_key(entity.key), {}};
    if (entity.cert.issuer() == middle.cert.subject()) out.chain.push_back(middle.cert);
    out.chain.push_back(root.cert);
    return out;
  }
  // Mutable until it is loaded.
  struct Both {
    ike::Config whole;
    std::shared_ptr<ike::ConnConfig> conn;
  };
  Both with_certs(const Side& side, const pki::Entity& own) {
    Both out{config(side), nullptr};
    out.conn = std::make_shared<ike::ConnConfig>(*out.whole.conns[0]);
    out.conn->local.method = out.conn->remote.method = AuthMethod::pubkey;
    out.conn->local.credentials.push_back(credential(own));
    if (side.own_id.empty()) out.conn->local.id = own.cert.subject();
    out.conn->remote.trust = ike::crypto::TrustStore::make({root.cert}, lists);
    out.whole.conns[0] = out.conn;
    out.whole.secrets.clear();
    return out;
  }
  Both at_a = with_certs(for_a, of_a), at_b = with_certs(for_b, of_b);

  void SetUp() override {
    net.now += std::chrono::hours(1000);
    at_a = with_certs(for_a, of_a);
    at_b = with_certs(for_b, of_b);
  }
  void load_certs() {
    a.load(std::move(at_a.whole));
    b.load(std::move(at_b.whole));
  }
  void comes_up(Host& from, Host& to) {
    const auto id = from.initiate("site", "", to);
    ASSERT_TRUE(net.run_until([&] { return from.result(id) != nullptr; }));
    ASSERT_TRUE(from.succeeded(id)) << from.result(id)->failure->text
                                    << (to.last(Event::Kind::ike_failed) != nullptr
                                            ? to.last(Event::Kind::ike_failed)->failure->text
                                            : "");
    net.run(seconds(1));
    expect_agreement(a, b);
  }
  // The initiator is told AUTHENTICATION_FAILED, or says it itself; why, in the words of who refused.
  std::string refused_by_b() {
    load_certs();
    const auto id = a.initiate("site", "", b);
    EXPECT_EQ(failure(a, id).peer_notify, "AUTHENTICATION_FAILED");
    const auto* event = b.last(Event::Kind::ike_failed);
    expect_nothing_left();
    return event != nullptr ? std::string(code(event->failure->code)) + ": " + event->failure->text : "";
  }
  std::string refused_by_a() {
    load_certs();
    const auto id = a.initiate("site", "", b);
    const auto why = failure(a, id);
    net.run(seconds(1));
    EXPECT_EQ(b.last(Event::Kind::ike_down)->failure->peer_notify, "AUTHENTICATION_FAILED");
    expect_nothing_left();
    return std::string(code(why.code)) + ": " + why.text;
  }
};

TEST_F(Certs, BothAuthenticate) {
  load_certs();
  comes_up(a, b);
  EXPECT_EQ(b.list().at(0).remote_id, "O=espgate, CN=a");
  EXPECT_EQ(a.list().at(0).remote_id, "O=espgate, CN=b");
}

struct KeyCase {
  const char* name;
  pki::Key (*key)(int);
};
class EveryKey : public Certs, public ::testing::WithParamInterface<KeyCase> {};

TEST_P(EveryKey, Authenticates) {
  at_a = with_certs(for_a, pki::issue(root, {.subject = "CN=x"}, GetParam().key(5)));
  at_b = with_certs(for_b, pki::issue(root, {.subject = "CN=y"}, GetParam().key(6)));
  load_certs();
  comes_up(a, b);
}

INSTANTIATE_TEST_SUITE_P(All, EveryKey,
                         ::testing::Values(KeyCase{"rsa", [](int n) { return pki::rsa(n); }},
                                           KeyCase{"p256", [](int n) { return pki::ec("P-256", n); }},
                                           KeyCase{"p384", [](int n) { return pki::ec("P-384", n); }},
                                           KeyCase{"p521", [](int n) { return pki::ec("P-521", n); }},
                                           KeyCase{"ed25519", [](int n) { return pki::ed25519(n); }},
                                           KeyCase{"ed448", [](int) { return pki::ed448(); }}),
                         [](const auto& one) { return one.param.name; });

TEST_F(Certs, OneSideWithAPsk) {
  at_a.conn->remote.method = AuthMethod::psk;
  at_b.conn->local.method = AuthMethod::psk;
  at_b.conn->local.id = ike::Identity{};
  for (auto* side : {&at_a, &at_b}) {
    side->whole.secrets.push_back({"psk", {}, base::Secret::copy_of(base::as_bytes("a secret"))});
  }
  load_certs();
  comes_up(a, b);
  EXPECT_EQ(b.list().at(0).remote_id, "O=espgate, CN=a");
}

TEST_F(Certs, IdentitiesOfEveryKind) {
  for_a.own_id = "a.example.org";
  for_a.peer_id = "198.51.100.2";
  at_a = with_certs(for_a, of_a);
  for (const auto* pattern : {"*.example.org", "a.example.org"}) {
    for_b.own_id = "198.51.100.2";
    for_b.peer_id = pattern;
    at_b = with_certs(for_b, of_b);
    at_a = with_certs(for_a, of_a);
    load_certs();
    comes_up(a, b);
    ike::Terminate all;
    all.conn = "site";
    a.terminate(all);
    net.run(seconds(100));
  }
}

TEST_F(Certs, DistinguishedNameWithWildcard) {
  for_b.peer_id = "O=espgate, CN=*";
  at_b = with_certs(for_b, of_b);
  load_certs();
  comes_up(a, b);
  EXPECT_EQ(b.list().at(0).remote_id, "O=espgate, CN=a");
}

TEST_F(Certs, AnIdentityThatIsNotInTheCertificateIsRefused) {
  for_a.own_id = "other.example.org";
  at_a = with_certs(for_a, of_a);
  EXPECT_THAT(refused_by_b(), HasSubstr("bad-certificate: the peer calls itself 'other.example.org', but its "
                                        "certificate is for 'O=espgate, CN=a'"));
}

TEST_F(Certs, TheResponderIsJudgedAsStrictly) {
  for_b.own_id = "other.example.org";
  at_b = with_certs(for_b, of_b);
  EXPECT_THAT(refused_by_a(), HasSubstr("bad-certificate: the peer calls itself 'other.example.org'"));
}

TEST_F(Certs, AStrangersCaIsRefused) {
  const auto other = pki::self_signed({.subject = "CN=other root", .ca = true}, pki::ec("P-256", 8));
  at_b.conn->remote.trust = ike::crypto::TrustStore::make({other.cert}, {});
  EXPECT_THAT(refused_by_b(), HasSubstr("bad-certificate: certificate"));
}

TEST_F(Certs, ARevokedCertificateIsRefused) {
  const auto gone = pki::issue(root, {.subject = "CN=gone", .serial = 42}, pki::ec("P-256", 5));
  at_a = with_certs(for_a, gone);
  lists.push_back(pki::revoke(root, {42}));
  at_b = with_certs(for_b, of_b);
  EXPECT_THAT(refused_by_b(), HasSubstr("revoked"));
}

TEST_F(Certs, AnExpiredCertificateIsRefused) {
  at_a = with_certs(for_a, pki::issue(root, {.subject = "CN=late", .until = 3600L * 999}, pki::ec("P-256", 5)));
  EXPECT_THAT(refused_by_b(), HasSubstr("expired"));
}

TEST_F(Certs, SomebodyElsesKeyIsRefused) {
  auto stolen = credential(of_a);
  stolen.key = pki::private_key(pki::ec("P-256", 9));
  at_a.conn->local.credentials = {stolen};
  EXPECT_THAT(refused_by_b(), HasSubstr("auth-failed: the signature of 'O=espgate, CN=a'"));
}

TEST_F(Certs, APskDoesNotReplaceASignature) {
  at_a.conn->local.method = AuthMethod::psk;
  at_a.whole.secrets.push_back({"psk", {}, base::Secret::copy_of(base::as_bytes("a secret"))});
  at_b.whole.secrets.push_back({"psk", {}, base::Secret::copy_of(base::as_bytes("a secret"))});
  EXPECT_THAT(refused_by_b(), HasSubstr("auth-failed: the peer authenticates by method 2, site wants a signature"));
}

TEST_F(Certs, OnlyPinnedCertificatesIfThereAreAny) {
  at_b.conn->remote.certs = {of_a.cert};
  at_b.conn->remote.trust = ike::crypto::TrustStore::make({of_a.cert}, {});
  at_a.conn->remote.certs = {root.cert};
  EXPECT_THAT(refused_by_a(), HasSubstr("is not one of those"));
}

TEST_F(Certs, APinnedCertificateNeedsNoCaAndNeedNotBeSent) {
  at_b.conn->remote.certs = {of_a.cert};
  at_b.conn->remote.trust = ike::crypto::TrustStore::make({of_a.cert}, {});
  at_a.conn->send_cert = ike::SendCert::never;
  load_certs();
  comes_up(a, b);
}

TEST_F(Certs, WithoutACertificateTheresNothingToBelieve) {
  at_a.conn->send_cert = ike::SendCert::never;
  EXPECT_THAT(refused_by_b(), HasSubstr("bad-certificate: the peer sent no certificate"));
}

TEST_F(Certs, CertificatesAreSentWhenAskedFor) {
  at_b.conn->send_certreq = false;  // a is not asked
  EXPECT_THAT(refused_by_b(), HasSubstr("the peer sent no certificate"));
  SetUp();
  at_b.conn->send_certreq = false;
  at_a.conn->send_cert = ike::SendCert::always;
  load_certs();
  comes_up(a, b);
}

TEST_F(Certs, TheCaThatIsAskedForChoosesTheCertificate) {
  const auto other = pki::self_signed({.subject = "CN=other root", .ca = true}, pki::ec("P-256", 8));
  const auto fitting = pki::issue(other, {.subject = "CN=fits"}, pki::ec("P-256", 10));
  ike::Credential second{fitting.cert, pki::private_key(fitting.key), {other.cert}};
  at_a.conn->local.credentials.push_back(second);
  at_a.conn->local.id = ike::Identity::parse("CN=fits").value();
  at_b.conn->remote.trust = ike::crypto::TrustStore::make({other.cert}, {});
  load_certs();
  comes_up(a, b);
  EXPECT_EQ(b.list().at(0).remote_id, "CN=fits");
}

TEST_F(Certs, SignaturePolicies) {
  at_a = with_certs(for_a, pki::issue(root, {.subject = "CN=x"}, pki::rsa(5)));
  at_b.conn->remote.signatures = ike::parse_signature_policy("rsa/pss-sha512").value();
  at_a.conn->local.signatures = ike::parse_signature_policy("pubkey-sha512").value();
  load_certs();
  comes_up(a, b);
}

TEST_F(Certs, ASignatureOutsideOfThePolicyIsRefused) {
  at_b.conn->remote.signatures = ike::parse_signature_policy("pubkey-sha512").value();
  EXPECT_THAT(refused_by_b(), HasSubstr("auth-failed: site does not admit the peer's kind of signature"));
  SetUp();
  at_b.conn->remote.signatures = ike::parse_signature_policy("ecdsa-384").value();
  EXPECT_THAT(refused_by_b(), HasSubstr("bad-certificate: the peer's key has 256 bits"));
}

TEST_F(Certs, WithoutCredentialsNothingStarts) {
  at_a.conn->local.credentials.clear();
  load_certs();
  const auto id = a.initiate("site", "", b);
  EXPECT_EQ(failure(a, id).code, Reason::no_secret);
  expect_nothing_left();
}

TEST_F(Certs, WhateverTheWeather) {
  net.weather = {.loss = 20, .duplicate = 20, .garble = 10, .delay = milliseconds(50), .jitter = milliseconds(400)};
  load_certs();
  comes_up(a, b);
}

TEST_F(Certs, ConnectionsOfBothKindsForOnePeer) {
  auto psk = std::make_shared<ike::ConnConfig>(*config(for_b).conns[0]);
  psk->name = "by psk";
  at_b.whole.conns.insert(at_b.whole.conns.begin(), psk);
  load_certs();
  comes_up(a, b);
  EXPECT_EQ(b.list().at(0).conn, "site") << "the way to authenticate decides between equals";
}

}  // namespace
}  // namespace espgate::sim
