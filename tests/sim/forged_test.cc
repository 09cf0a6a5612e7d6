// SPDX-License-Identifier: Apache-2.0
// Signatures and keys that a forger would try, in IKE_AUTH, with certificates of a CA that we trust: each is answered
// with AUTHENTICATION_FAILED, counted, said in one event, and leaves no state.
#include <openssl/bn.h>

#include "ike/crypto/signature.h"
#include "tests/pki/pki.h"
#include "tests/sim/scripted_peer.h"

namespace espgate::sim {
namespace {

namespace wire = ::espgate::ike::wire;
using base::Bytes;
using base::ByteView;
using ike::Event;
using ike::crypto::HashId;
using ike::crypto::Scheme;
using ike::crypto::SignatureKind;
using wire::AuthPayload;

constexpr Scheme kPkcs1{SignatureKind::rsa_pkcs1, HashId::sha2_256};
constexpr Scheme kPss{SignatureKind::rsa_pss, HashId::sha2_256};
constexpr std::size_t kFull = 256 - 3 - 51;  // padding of 2048 bits with SHA-256

Bytes joined(Bytes head, const Bytes& tail) {
  head.insert(head.end(), tail.begin(), tail.end());
  return head;
}

// The AUTH payload of RFC 7427 3: length and AlgorithmIdentifier, then the signature.
AuthPayload digital(const Bytes& algorithm, const Bytes& signature) {
  Bytes data{static_cast<std::uint8_t>(algorithm.size())};
  return {wire::kAuthDigitalSignature, joined(joined(std::move(data), algorithm), signature)};
}
AuthPayload plain(const Bytes& signature) { return {wire::kAuthRsa, signature}; }
Bytes good(const pki::Key& key, const Scheme& scheme, ByteView octets) {
  return *ike::crypto::sign(*pki::private_key(key), scheme, octets);
}
Bytes forged(const pki::Key& key, ByteView octets, std::size_t padding, const Bytes& tail = {}, std::uint8_t type = 1,
             std::uint8_t fill = 0xff) {
  return pki::raw_rsa(key, pki::pkcs1_block(octets, padding, tail, type, fill));
}
Bytes with_modulus_added(const pki::Key& key, const Bytes& signature) {
  const auto n = pki::modulus(key);
  BIGNUM* sum = BN_bin2bn(signature.data(), static_cast<int>(signature.size()), nullptr);
  BIGNUM* modulus = BN_bin2bn(n.data(), static_cast<int>(n.size()), nullptr);
  BN_add(sum, sum, modulus);
  Bytes out(static_cast<std::size_t>(BN_num_bytes(sum)));
  BN_bn2bin(sum, out.data());
  BN_free(sum);
  BN_free(modulus);
  return out;
}
// An identifier with one octet, counted from its end, made another.
Bytes spoiled(const Scheme& scheme, std::size_t from_end) {
  auto out = ike::crypto::algorithm_identifier(scheme);
  out.at(out.size() - from_end) ^= 0x55;
  return out;
}

struct ForgedCase {
  const char* name;
  AuthPayload (*make)(const pki::Key& key, ByteView octets);
  wire::NotifyType answer = wire::NotifyType::authentication_failed;
};

const ForgedCase kForged[] = {
    {"EqualToTheModulus", [](const pki::Key& key, ByteView) { return plain(pki::modulus(key)); }},
    {"TheModulusAdded",
     [](const pki::Key& key, ByteView o) {
       const auto sha1 = good(key, kPkcs1, o);
       return digital(ike::crypto::algorithm_identifier(kPkcs1), with_modulus_added(key, sha1));
     }},
    {"Zeros", [](const pki::Key&, ByteView) { return plain(Bytes(256)); }},
    {"One",
     [](const pki::Key&, ByteView) {
       Bytes one(256);
       one.back() = 1;
       return digital(ike::crypto::algorithm_identifier(kPkcs1), one);
     }},
    {"NoSignature", [](const pki::Key&, ByteView) { return digital(ike::crypto::algorithm_identifier(kPkcs1), {}); }},
    {"Nothing", [](const pki::Key&, ByteView) { return AuthPayload{wire::kAuthDigitalSignature, {}}; },
     wire::NotifyType::invalid_syntax},
    {"OnlyALength", [](const pki::Key&, ByteView) { return AuthPayload{wire::kAuthDigitalSignature, {255}}; }},
    {"TooShort",
     [](const pki::Key& key, ByteView o) {
       auto signature = good(key, kPkcs1, o);
       signature.pop_back();
       return digital(ike::crypto::algorithm_identifier(kPkcs1), signature);
     }},
    {"AZeroInFront",
     [](const pki::Key& key, ByteView o) {
       return digital(ike::crypto::algorithm_identifier(kPkcs1), joined({0}, good(key, kPkcs1, o)));
     }},
    {"GarbageBehindTheHash",
     [](const pki::Key& key, ByteView o) {
       return digital(ike::crypto::algorithm_identifier(kPkcs1), forged(key, o, 8, Bytes(kFull - 8)));
     }},
    {"BlockType2",
     [](const pki::Key& key, ByteView o) {
       return digital(ike::crypto::algorithm_identifier(kPkcs1), forged(key, o, kFull, {}, 2));
     }},
    {"PaddingOfZeros",
     [](const pki::Key& key, ByteView o) {
       return digital(ike::crypto::algorithm_identifier(kPkcs1), forged(key, o, kFull, {}, 0, 0));
     }},
    {"OfOtherOctets",
     [](const pki::Key& key, ByteView o) {
       return digital(ike::crypto::algorithm_identifier(kPkcs1), good(key, kPkcs1, o.first(o.size() - 1)));
     }},
    {"PssWithAnotherSaltLength",
     [](const pki::Key& key, ByteView o) { return digital(spoiled(kPss, 1), good(key, kPss, o)); }},
    {"PssWithoutParameters",
     [](const pki::Key& key, ByteView o) {
       return digital(*base::from_hex("300b06092a864886f70d01010a"), good(key, kPss, o));
     }},
    {"PssParametersCutOff",
     [](const pki::Key& key, ByteView o) {
       auto algorithm = ike::crypto::algorithm_identifier(kPss);
       algorithm.resize(algorithm.size() / 2);
       return digital(algorithm, good(key, kPss, o));
     }},
    {"PssSaidToBePkcs1",
     [](const pki::Key& key, ByteView o) {
       return digital(ike::crypto::algorithm_identifier(kPkcs1), good(key, kPss, o));
     }},
    {"AnAlgorithmForAnotherKey",
     [](const pki::Key& key, ByteView o) {
       return digital(ike::crypto::algorithm_identifier({SignatureKind::ecdsa, HashId::sha2_256}),
                      good(key, kPkcs1, o));
     }},
    {"AnUnknownMethod", [](const pki::Key& key, ByteView o) { return AuthPayload{77, good(key, kPkcs1, o)}; }},
    {"ASharedKeyInstead", [](const pki::Key&, ByteView) { return AuthPayload{wire::kAuthSharedKey, Bytes(32, 7)}; }},
};

class Forged : public Pair {
 protected:
  pki::Entity root = pki::self_signed({.subject = "O=espgate, CN=root", .ca = true}, pki::ec("P-256", 1));
  pki::Entity own = pki::issue(root, {.subject = "O=espgate, CN=b"}, pki::ec("P-256", 4));

  void SetUp() override {
    net.now += std::chrono::hours(1000);
    auto whole = config(for_b);
    auto conn = std::make_shared<ike::ConnConfig>(*whole.conns[0]);
    conn->local.method = conn->remote.method = ike::AuthMethod::pubkey;
    conn->local.credentials.push_back({own.cert, pki::private_key(own.key), {}});
    conn->local.id = own.cert.subject();
    conn->remote.trust = ike::crypto::TrustStore::make({root.cert}, {});
    whole.conns[0] = conn;
    b.load(std::move(whole));
  }
  // IKE_AUTH with this certificate and whatever proof; the answer.
  template <class Make>
  std::optional<wire::Payloads> ask(const ike::crypto::Certificate& cert, Make&& make) {
    ScriptedPeer peer(net, b, 7);
    const auto answer = peer.init(peer.init_payloads());
    if (!answer || !peer.derive(*answer)) return std::nullopt;
    const wire::IdPayload id{true, cert.subject(), {}};
    wire::Payloads payloads{id, wire::CertPayload{wire::kCertX509, Bytes(cert.der().begin(), cert.der().end())},
                            make(peer.signed_octets(id))};
    for (auto& payload : peer.child_payloads(false)) payloads.push_back(std::move(payload));
    return peer.request(wire::ExchangeType::ike_auth, payloads);
  }
  void expect_refused(const std::optional<wire::Payloads>& answer, wire::NotifyType notify) {
    ASSERT_TRUE(answer.has_value());
    EXPECT_NE(wire::find_notify(*answer, notify), nullptr);
    EXPECT_EQ(wire::find<AuthPayload>(*answer), nullptr) << "we prove nothing to who proved nothing";
    EXPECT_EQ(b.count(Event::Kind::ike_up), 0U);
    EXPECT_EQ(b.events.size(), 1U) << "one line";
    std::uint64_t counted = 0;
    for (const auto& [reason, count] : b.listed().rejected) counted += count;
    EXPECT_EQ(counted, 1U);
    net.run(seconds(400));
    EXPECT_TRUE(b.list().empty());
    EXPECT_TRUE(b.sad.empty());
    EXPECT_EQ(b.listed().half_open, 0U);
    EXPECT_FALSE(b.engine().next_timer().has_value());
  }
};

struct ForgedCases : Forged, ::testing::WithParamInterface<ForgedCase> {};

TEST_P(ForgedCases, ProveNothing) {
  const auto key = pki::rsa();
  const auto cert = pki::issue(root, {.subject = "O=espgate, CN=a"}, key).cert;
  expect_refused(ask(cert, [&](const Bytes& octets) { return GetParam().make(key, octets); }), GetParam().answer);
}
INSTANTIATE_TEST_SUITE_P(Signatures, ForgedCases, ::testing::ValuesIn(kForged),
                         [](const auto& each) { return each.param.name; });

TEST_F(Forged, TheForgersToolsWork) {
  const auto key = pki::rsa();
  const auto cert = pki::issue(root, {.subject = "O=espgate, CN=a"}, key).cert;
  const auto answer = ask(cert, [&](const Bytes& octets) {
    return digital(ike::crypto::algorithm_identifier(kPkcs1), forged(key, octets, kFull));
  });
  ASSERT_TRUE(answer.has_value());
  EXPECT_NE(wire::find<AuthPayload>(*answer), nullptr);
  EXPECT_EQ(b.count(Event::Kind::ike_up), 1U);
}

TEST_F(Forged, KeysThatNobodyShouldTrustProveNothing) {
  auto even = base::to_hex(pki::modulus(pki::rsa()));
  even.back() = '4';
  const auto odd = base::to_hex(pki::modulus(pki::rsa()));
  for (const auto& [what, key] : {std::pair{"1024 bits", pki::rsa(0, 1024)},
                                  {"8 bits", pki::strange_rsa("8F", "03")},
                                  {"an even modulus", pki::strange_rsa(even, "010001")},
                                  {"the exponent 1", pki::strange_rsa(odd, "01")}}) {
    SCOPED_TRACE(what);
    SetUp();
    b.events.clear();
    const auto before = b.listed().rejected;
    const auto cert = pki::issue(root, {.subject = "O=espgate, CN=a"}, key).cert;
    const auto answer = ask(cert, [&](const Bytes& octets) {
      // With the exponent 1 the block is its own signature.
      return digital(ike::crypto::algorithm_identifier(kPkcs1), pki::pkcs1_block(octets, kFull));
    });
    ASSERT_TRUE(answer.has_value());
    EXPECT_NE(wire::find_notify(*answer, wire::NotifyType::authentication_failed), nullptr);
    EXPECT_EQ(b.count(Event::Kind::ike_up), 0U);
    EXPECT_NE(b.listed().rejected, before);
    net.run(seconds(400));
    EXPECT_TRUE(b.list().empty());
  }
}

}  // namespace
}  // namespace espgate::sim
