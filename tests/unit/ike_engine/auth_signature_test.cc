// SPDX-License-Identifier: Apache-2.0
// AUTH payloads with signatures as they stand on the wire: method 14, and the methods for peers without RFC 7427.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ike/task/auth_proof.h"
#include "ike/task/certs.h"
#include "tests/pki/pki.h"

namespace espgate::ike {
namespace {

using crypto::HashId;
using ::testing::HasSubstr;

// Both ends of one IKE SA in IKE_AUTH: what the initiator makes, the responder checks.
struct Ends {
  pki::Entity root = pki::self_signed({.subject = "CN=root", .ca = true}, pki::ec("P-256", 1));
  IkeSa ours, theirs;
  std::shared_ptr<ConnConfig> conn = std::make_shared<ConnConfig>();
  crypto::SeededRng rng{1};
  Context ctx{EngineOptions{}, rng};
  wire::IdPayload id;

  explicit Ends(const pki::Key& key) {
    const auto own = pki::issue(root, {.subject = "CN=x"}, key);
    conn->name = "site";
    conn->local.method = conn->remote.method = AuthMethod::pubkey;
    conn->local.credentials.push_back({own.cert, pki::private_key(key), {}});
    conn->remote.trust = crypto::TrustStore::make({root.cert}, {});
    conn->send_cert = SendCert::always;
    ctx.begin(base::Instant(std::chrono::hours(1000)));
    for (auto* sa : {&ours, &theirs}) {
      sa->initiator = sa == &ours;
      sa->conn = conn;
      sa->setup = std::make_unique<Setup>();
      sa->setup->request = {1, 2, 3};
      sa->setup->response = {4, 5, 6};
      sa->setup->nonce_i = sa->setup->nonce_r = base::Bytes(32, 7);
      sa->keys.pi = base::Secret::copy_of(base::Bytes(32, 8));
      sa->keys.pr = base::Secret::copy_of(base::Bytes(32, 9));
    }
    id = {true, own.cert.subject(), {}};
  }

  wire::Payloads made() {
    auto proof = make_proof(ctx, ours, id, {});
    if (!proof) throw std::runtime_error(proof.error().text);
    auto out = std::move(proof->certs);
    out.emplace_back(std::move(proof->auth));
    return out;
  }
  std::string judged(const wire::Payloads& payloads) {
    const auto wrong = check_proof(ctx, theirs, payloads, id);
    return wrong ? std::string(code(wrong->code)) + ": " + wrong->text : "good";
  }
  static wire::AuthPayload& auth(wire::Payloads& payloads) { return std::get<wire::AuthPayload>(payloads.back()); }
};

struct Case {
  const char* name;
  pki::Key (*key)();
  std::uint8_t old_method;  // without RFC 7427; 0: there is none
};
class EveryKey : public ::testing::TestWithParam<Case> {};

TEST_P(EveryKey, WithRfc7427) {
  Ends ends(GetParam().key());
  ends.ours.setup->signatures.hashes = {HashId::sha2_512, HashId::sha2_384, HashId::sha2_256, HashId::identity};
  auto payloads = ends.made();
  EXPECT_EQ(Ends::auth(payloads).method, wire::kAuthDigitalSignature);
  EXPECT_EQ(ends.judged(payloads), "good");
  for (const std::size_t i : {std::size_t{0}, std::size_t{1}, std::size_t{5}, Ends::auth(payloads).data.size() - 1}) {
    auto broken = payloads;
    Ends::auth(broken).data[i] ^= 1;
    EXPECT_THAT(ends.judged(broken), HasSubstr("auth-failed")) << i;
  }
  auto cut = payloads;
  Ends::auth(cut).data.resize(1);
  EXPECT_THAT(ends.judged(cut), HasSubstr("auth-failed"));
  auto other = payloads;
  ends.theirs.setup->nonce_r[0] ^= 1;
  EXPECT_THAT(ends.judged(other), HasSubstr("auth-failed: the signature of 'CN=x'")) << "of another exchange";
}

TEST_P(EveryKey, Before) {
  Ends ends(GetParam().key());
  if (GetParam().old_method == 0) {
    EXPECT_THROW(ends.made(), std::runtime_error);
    return;
  }
  auto payloads = ends.made();
  EXPECT_EQ(Ends::auth(payloads).method, GetParam().old_method);
  EXPECT_EQ(ends.judged(payloads), "good");
  Ends::auth(payloads).data.back() ^= 1;
  EXPECT_THAT(ends.judged(payloads), HasSubstr("auth-failed"));
  for (const auto method : base::Bytes{0, 1, 3, 9, 10, 11, 14, 255}) {
    if (method == GetParam().old_method) continue;
    auto wrong = ends.made();
    Ends::auth(wrong).method = method;
    EXPECT_THAT(ends.judged(wrong), HasSubstr("auth-failed")) << unsigned{method};
  }
}

INSTANTIATE_TEST_SUITE_P(All, EveryKey,
                         ::testing::Values(Case{"rsa", [] { return pki::rsa(); }, 1},
                                           Case{"p256", [] { return pki::ec("P-256"); }, 9},
                                           Case{"p384", [] { return pki::ec("P-384"); }, 10},
                                           Case{"p521", [] { return pki::ec("P-521"); }, 11},
                                           Case{"ed25519", [] { return pki::ed25519(); }, 0}),
                         [](const auto& one) { return one.param.name; });

TEST(OldRsa, Sha1OnlyIfItIsSaid) {
  Ends ends(pki::rsa());
  ends.conn->local.signatures = parse_signature_policy("rsa-sha1").value();
  EXPECT_THAT(ends.judged(ends.made()), HasSubstr("auth-failed"));
  ends.conn->remote.signatures = parse_signature_policy("pubkey-sha256-sha1").value();
  EXPECT_EQ(ends.judged(ends.made()), "good");
}

TEST(Signature, OnlyHashesThatThePeerKnows) {
  Ends ends(pki::ec("P-256"));
  ends.ours.setup->signatures.hashes = {HashId::sha2_512};
  auto payloads = ends.made();
  const auto& data = Ends::auth(payloads).data;
  EXPECT_EQ(base::to_hex(base::ByteView(data).subspan(1, data[0])), "300a06082a8648ce3d040304");
  ends.ours.setup->signatures.hashes = {HashId::sha1};
  EXPECT_THROW(ends.made(), std::runtime_error);
}

TEST(Wishes, AreRead) {
  PeerSignatures wishes;
  const base::Bytes data{0, 5, 0, 2, 0, 9, 0, 2, 0};
  take_wishes(wishes, {wire::notify(wire::NotifyType::signature_hash_algorithms, data),
                       wire::CertRequestPayload{wire::kCertX509, base::Bytes(40, 1)},
                       wire::CertRequestPayload{12, base::Bytes(7, 1)}});
  EXPECT_EQ(wishes.hashes, (std::vector{HashId::identity, HashId::sha2_256}));
  EXPECT_TRUE(wishes.cert_asked);
  EXPECT_EQ(wishes.authorities.size(), 2U);
}

TEST(Shown, LimitsAndNonsense) {
  const AuthConfig remote;
  const Identity anyone = Identity::parse("x").value();
  wire::Payloads many;
  const auto cert = pki::self_signed({}, pki::ed25519()).cert;
  for (int i = 0; i < 9; ++i) many.emplace_back(wire::CertPayload{wire::kCertX509, cert.der()});
  EXPECT_FALSE(shown_certs(many, remote, anyone));
  many.pop_back();
  EXPECT_TRUE(shown_certs(many, remote, anyone));
  EXPECT_FALSE(shown_certs({wire::CertPayload{wire::kCertX509, {1, 2, 3}}}, remote, anyone));
  const base::Bytes url{'h', 't', 't', 'p'};
  EXPECT_FALSE(shown_certs({wire::CertPayload{12, url}}, remote, anyone)) << "hash and URL: nothing is fetched";
}

TEST(SignaturePolicies, AreParsed) {
  using enum crypto::SignatureKind;
  const auto policy = [](std::string_view text) { return parse_signature_policy(text).value(); };
  EXPECT_TRUE(policy("pubkey").schemes.empty());
  EXPECT_TRUE(policy("pubkey").admits(crypto::Scheme{rsa_pss, HashId::sha2_256}));
  EXPECT_FALSE(policy("pubkey").admits(crypto::Scheme{rsa_pkcs1, HashId::sha1}));
  EXPECT_TRUE(policy("pubkey-sha384").admits(crypto::Scheme{ecdsa, HashId::sha2_384}));
  EXPECT_FALSE(policy("pubkey-sha384").admits(crypto::Scheme{ecdsa, HashId::sha2_256}));
  EXPECT_EQ(policy("rsa/pss-sha256").schemes, (std::vector<crypto::Scheme>{{rsa_pss, HashId::sha2_256}}));
  EXPECT_EQ(policy("rsa-sha256").schemes,
            (std::vector<crypto::Scheme>{{rsa_pkcs1, HashId::sha2_256}, {rsa_pss, HashId::sha2_256}}));
  EXPECT_EQ(policy("rsa").schemes.front(), (crypto::Scheme{rsa_pss, HashId::sha2_256}));
  EXPECT_EQ(policy("rsa-pss-sha256").schemes, policy("rsa/pss-sha256").schemes);
  EXPECT_EQ(policy("rsa-3072-sha256-sha512").rsa_bits, 3072);
  EXPECT_EQ(policy("rsa-3072-sha256-ecdsa-384-sha384").ecdsa_bits, 384);
  EXPECT_EQ(policy("ike:ed25519").schemes, (std::vector<crypto::Scheme>{{ed25519, HashId::identity}}));
  for (const auto* bad :
       {"", "pubkey-", "sha256", "pubkey-md5", "rsa-", "-rsa", "256-rsa", "ecdsa-pss", "eap", "bliss"}) {
    EXPECT_FALSE(parse_signature_policy(bad)) << bad;
  }
}

}  // namespace
}  // namespace espgate::ike
