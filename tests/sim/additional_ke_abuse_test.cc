// SPDX-License-Identifier: Apache-2.0
// Additional key exchanges (RFC 9242, RFC 9370) with a peer that computes its keys by itself, straight by HMAC, and
// with ones that skip, repeat, reorder or exchange what is to come: refused, counted, and nothing is left.
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "ike/api.h"
#include "tests/sim/scripted_peer.h"

namespace espgate::sim {
namespace {

using namespace ike::wire;
using ike::Reason;

base::Bytes joined(std::initializer_list<base::ByteView> parts) {
  base::Bytes out;
  for (const auto part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

base::Bytes hmac(base::ByteView key, const base::Bytes& data) {
  base::Bytes out(32);
  unsigned int length = 0;
  ::HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), data.data(), data.size(), out.data(), &length);
  return out;
}

base::Bytes hmac_plus(base::ByteView key, const base::Bytes& seed, std::size_t count) {
  base::Bytes out, last;
  for (std::uint8_t i = 1; out.size() < count; ++i) {
    last = hmac(key, joined({last, seed, base::Bytes{i}}));
    out.insert(out.end(), last.begin(), last.end());
  }
  return out;
}

base::Bytes u64(std::uint64_t value) {
  base::ByteWriter out;
  out.u64(value);
  return out.take();
}

// Speaks aes128gcm16-prfsha256: keys are of 32 (SK_d), 20, 20 (SK_ei, SK_er with salt), 32, 32 octets (SK_pi, SK_pr).
class AdditionalPeer : public ScriptedPeer {
 public:
  using ScriptedPeer::ScriptedPeer;

  Payloads opening(const std::string& proposal, bool says_so = true) const {
    auto out = init_payloads();
    out[0] = ike::offer(proposals(ike::Protocol::ike, proposal), {});
    if (says_so) out.emplace_back(notify(NotifyType::intermediate_exchange_supported));
    return out;
  }
  bool begin(const std::string& proposal, bool says_so = true) {
    const auto answer = init(opening(proposal, says_so));
    if (!answer || find<SaPayload>(answer->payloads) == nullptr || !derive(*answer)) return false;
    d_ = keys_.d.clone();
    return true;
  }
  // One exchange as it should be; the keys that come of it.
  bool intermediate(std::uint16_t method) {
    const auto ours = *ike::crypto::KeyExchange::generate(method, rng_);
    const auto inner = ke_octets(method, ours.public_value());
    const auto answer = request(ExchangeType::ike_intermediate, PayloadType::ke, inner);
    const auto* ke = answer ? find<KePayload>(*answer) : nullptr;
    if (ke == nullptr || ke->group != method) return false;
    auth_i_ = hmac(keys_.pi.view(), joined({auth_i_, covered(0x08, inner)}));
    auth_r_ = hmac(keys_.pr.view(), joined({auth_r_, covered(0x20, ke_octets(method, ke->data))}));
    const auto shared = *ours.derive(ke->data);
    next_keys(hmac(d_.view(), joined({shared.view(), nonce_, peer_nonce_})));
    return true;
  }
  std::optional<Payloads> authenticate() {
    const ike::wire::IdPayload id{true, ike::Identity::of(address_), {}};
    const auto octets = id.signed_octets();
    base::ByteWriter mid;
    mid.u32(last_id_ + 1);
    const auto signed_octets = joined({request_, peer_nonce_, hmac(keys_.pi.view(), joined({octets})), auth_i_, auth_r_,
                                       auth_i_.empty() ? base::ByteView() : mid.view()});
    const auto padded =
        hmac(base::as_bytes("correct horse battery staple"), joined({base::as_bytes("Key Pad for IKEv2")}));
    Payloads out{id, AuthPayload{kAuthSharedKey, hmac(padded, signed_octets)}};
    for (auto& payload : child_payloads(false)) out.push_back(std::move(payload));
    return request(ExchangeType::ike_auth, out);
  }
  // Whether the responder's AUTH is over the same.
  bool proved(const Payloads& answer) {
    const auto* id = find_id(answer, false);
    const auto* auth = find<AuthPayload>(answer);
    if (id == nullptr || auth == nullptr) return false;
    const auto octets = id->signed_octets();
    base::ByteWriter mid;
    mid.u32(last_id_);
    const auto padded =
        hmac(base::as_bytes("correct horse battery staple"), joined({base::as_bytes("Key Pad for IKEv2")}));
    return auth->data == hmac(padded, joined({response_, nonce_, hmac(keys_.pr.view(), joined({octets})), auth_i_,
                                              auth_r_, mid.view()}));
  }
  std::optional<Payloads> send_ke(ExchangeType exchange, std::uint16_t method, base::Bytes data, Payloads more = {}) {
    Payloads out{KePayload{method, std::move(data)}};
    for (auto& payload : more) out.push_back(std::move(payload));
    return request(exchange, out);
  }
  base::Bytes public_value(std::uint16_t method) {
    return ike::crypto::KeyExchange::generate(method, rng_)->public_value();
  }
  // A KE payload, by hand.
  static base::Bytes ke_octets(std::uint16_t method, base::ByteView data) {
    base::ByteWriter out;
    out.u8(0);
    out.u8(0);
    out.u16(static_cast<std::uint16_t>(8 + data.size()));
    out.u16(method);
    out.u16(0);
    out.put(data);
    return out.take();
  }
  [[nodiscard]] base::ByteView sk_d() const { return d_.view(); }
  ike::crypto::Rng& rng() { return rng_; }

 private:
  // IntAuth_*A | IntAuth_*P, by hand.
  base::Bytes covered(std::uint8_t flags, const base::Bytes& inner) {
    base::ByteWriter out;
    out.u64(spi_.value);
    out.u64(responder_spi_.value);
    out.put(base::Bytes{46, 0x20, 43, flags});
    out.u32(last_id_);
    out.u32(static_cast<std::uint32_t>(28 + 4 + inner.size()));
    out.put(base::Bytes{34, 0});
    out.u16(static_cast<std::uint16_t>(4 + inner.size()));
    out.put(inner);
    return out.take();
  }
  void next_keys(const base::Bytes& skeyseed) {
    const auto seed = joined({nonce_, peer_nonce_, u64(spi_.value), u64(responder_spi_.value)});
    const auto keymat = hmac_plus(skeyseed, seed, 32 + 20 + 20 + 32 + 32);
    const auto cut = [&](std::size_t at, std::size_t count) {
      return base::Secret::copy_of(base::ByteView(keymat).subspan(at, count));
    };
    d_ = cut(0, 32);
    out_.emplace(*ike::crypto::SkCipher::make(suite_, cut(32, 20).view(), {}));
    in_.emplace(*ike::crypto::SkCipher::make(suite_, cut(52, 20).view(), {}));
    keys_.pi = cut(72, 32);
    keys_.pr = cut(104, 32);
  }

  base::Secret d_;
  base::Bytes auth_i_, auth_r_;
};

constexpr char kTwo[] = "aes128gcm16-prfsha256-x25519-ke1_ecp256-ke2_x448";
constexpr std::uint16_t kFirst = ike::crypto::kGroupEcp256, kSecond = ike::crypto::kGroupX448;

class AdditionalKeAbuse : public Pair {
 protected:
  void SetUp() override {
    for_b.ike = std::string(kTwo) + "," + Side{}.ike;
    for_b.esp = "aes128gcm16-x25519-ke1_ecp256";
    load();
  }
  std::uint64_t counted(Reason reason) {
    const auto& rejected = b.listed().rejected;
    const auto found = rejected.find(reason);
    return found == rejected.end() ? 0 : found->second;
  }
  AdditionalPeer peer{net, b, 5};
};

TEST_F(AdditionalKeAbuse, KeysAndProofsAreThoseOfTheRfcs) {
  ASSERT_TRUE(peer.begin(kTwo));
  ASSERT_TRUE(peer.intermediate(kFirst));
  ASSERT_TRUE(peer.intermediate(kSecond));
  const auto answer = peer.authenticate();
  ASSERT_TRUE(answer);
  EXPECT_TRUE(peer.proved(*answer));
  EXPECT_EQ(b.list().size(), 1U);
  EXPECT_EQ(b.sad.size(), 1U);
}

TEST_F(AdditionalKeAbuse, AuthThatDoesNotCoverThemIsWrong) {
  ASSERT_TRUE(peer.begin(kTwo));
  ASSERT_TRUE(peer.intermediate(kFirst));
  ASSERT_TRUE(peer.intermediate(kSecond));
  const auto answer = peer.request(ExchangeType::ike_auth, peer.auth_payloads());
  ASSERT_TRUE(answer && find_error(*answer) != nullptr);
  EXPECT_EQ(find_error(*answer)->type, NotifyType::authentication_failed);
  EXPECT_EQ(counted(Reason::auth_failed), 1U);
  expect_nothing_left();
}

TEST_F(AdditionalKeAbuse, SkippedTheyAreNotMissed) {
  ASSERT_TRUE(peer.begin(kTwo));
  EXPECT_FALSE(peer.request(ExchangeType::ike_auth, peer.auth_payloads()));
  EXPECT_EQ(counted(Reason::unexpected), 1U);
  EXPECT_TRUE(b.sad.empty());
  expect_nothing_left();
}

TEST_F(AdditionalKeAbuse, OneOfTwoIsNotEnough) {
  ASSERT_TRUE(peer.begin(kTwo));
  ASSERT_TRUE(peer.intermediate(kFirst));
  EXPECT_FALSE(peer.request(ExchangeType::ike_auth, peer.auth_payloads()));
  EXPECT_EQ(counted(Reason::unexpected), 1U);
  expect_nothing_left();
}

TEST_F(AdditionalKeAbuse, NotAgreedUponOrOneTooMany) {
  ASSERT_TRUE(peer.begin(Side{}.ike));
  EXPECT_FALSE(peer.send_ke(ExchangeType::ike_intermediate, kFirst, peer.public_value(kFirst)));
  EXPECT_EQ(counted(Reason::unexpected), 1U);
  AdditionalPeer other{net, b, 6};
  ASSERT_TRUE(other.begin(kTwo));
  ASSERT_TRUE(other.intermediate(kFirst));
  ASSERT_TRUE(other.intermediate(kSecond));
  EXPECT_FALSE(other.send_ke(ExchangeType::ike_intermediate, kSecond, other.public_value(kSecond)));
  EXPECT_EQ(counted(Reason::unexpected), 2U);
  expect_nothing_left();
}

TEST_F(AdditionalKeAbuse, ThePeerDoesNotKnowTheExchange) {
  EXPECT_FALSE(peer.begin(kTwo, false));
  EXPECT_EQ(counted(Reason::no_proposal), 1U);
  EXPECT_TRUE(b.list().empty());
}

struct Bad {
  const char* name;
  std::function<std::optional<Payloads>(AdditionalPeer&)> send;
};
class BadIntermediate : public AdditionalKeAbuse, public ::testing::WithParamInterface<Bad> {};

TEST_P(BadIntermediate, IsRefusedAndEndsIt) {
  ASSERT_TRUE(peer.begin(kTwo));
  const auto answer = GetParam().send(peer);
  ASSERT_TRUE(answer && find_error(*answer) != nullptr);
  EXPECT_EQ(find_error(*answer)->type, NotifyType::invalid_syntax);
  EXPECT_EQ(counted(Reason::invalid_ke) + counted(Reason::invalid_syntax), 1U);
  EXPECT_TRUE(b.list().empty());
  expect_nothing_left();
}

constexpr auto kExchange = ExchangeType::ike_intermediate;
INSTANTIATE_TEST_SUITE_P(
    All, BadIntermediate,
    ::testing::Values(
        Bad{"Reordered", [](AdditionalPeer& p) { return p.send_ke(kExchange, kSecond, p.public_value(kSecond)); }},
        Bad{"Empty", [](AdditionalPeer& p) { return p.request(kExchange, Payloads{}); }},
        Bad{"NoKe", [](AdditionalPeer& p) { return p.request(kExchange, Payloads{NoncePayload{p.rng().bytes(32)}}); }},
        Bad{"Short", [](AdditionalPeer& p) { return p.send_ke(kExchange, kFirst, p.rng().bytes(63)); }},
        Bad{"OverLong", [](AdditionalPeer& p) { return p.send_ke(kExchange, kFirst, p.rng().bytes(9000)); }},
        Bad{"NotOnTheCurve", [](AdditionalPeer& p) { return p.send_ke(kExchange, kFirst, p.rng().bytes(64)); }},
        Bad{"Twice",
            [](AdditionalPeer& p) {
              return p.send_ke(kExchange, kFirst, p.public_value(kFirst), {KePayload{kFirst, p.public_value(kFirst)}});
            }}),
    [](const auto& each) { return std::string(each.param.name); });

TEST_F(AdditionalKeAbuse, WhateverBitIsWrongNothingIsLeft) {
  std::size_t refused = 0;
  const auto octets = AdditionalPeer::ke_octets(kFirst, peer.public_value(kFirst));
  for (std::size_t at = 0; at < octets.size(); ++at) {
    AdditionalPeer one{net, b, 100 + at};
    ASSERT_TRUE(one.begin(kTwo));
    auto inner = octets;
    inner[at] ^= static_cast<std::uint8_t>(1U << (at % 8));
    const auto answer = one.request(ExchangeType::ike_intermediate, PayloadType::ke, inner);
    ASSERT_TRUE(answer) << at;
    refused += find_error(*answer) != nullptr ? 1 : 0;
    net.run(seconds(31));
    ASSERT_TRUE(b.list().empty()) << at;
  }
  EXPECT_GE(refused, 60U);
  EXPECT_EQ(counted(Reason::invalid_ke) + counted(Reason::invalid_syntax), refused);
  expect_nothing_left();
}

// ------------------------------------------------------------------------------------------------- IKE_FOLLOWUP_KE

class FollowUpAbuse : public AdditionalKeAbuse {
 protected:
  static constexpr auto kFollowUp = ExchangeType::ike_followup_ke;
  void SetUp() override {
    AdditionalKeAbuse::SetUp();
    ASSERT_TRUE(peer.begin(Side{}.ike));
    const auto done = peer.request(ExchangeType::ike_auth, peer.auth_payloads());
    ASSERT_TRUE(done && find<SaPayload>(*done) != nullptr);
  }
  // A child that waits for its additional key exchange; the link.
  base::Bytes create() {
    first_.emplace(*ike::crypto::KeyExchange::generate(ike::crypto::kGroupX25519, peer.rng()));
    auto payloads = peer.child_payloads(true);
    nonce_i_ = find<NoncePayload>(payloads)->data;
    payloads[0] = ike::offer(proposals(ike::Protocol::esp, "aes128gcm16-x25519-ke1_ecp256"), peer.rng().bytes(4),
                             ike::Groups::pfs);
    payloads.insert(payloads.begin() + 2, KePayload{ike::crypto::kGroupX25519, first_->public_value()});
    const auto answer = peer.request(ExchangeType::create_child_sa, payloads);
    const auto* link = answer ? find_notify(*answer, NotifyType::additional_key_exchange) : nullptr;
    EXPECT_TRUE(link != nullptr);
    if (answer) answer_ = *answer;
    return link != nullptr ? link->data : base::Bytes();
  }
  NotifyType error(const std::optional<Payloads>& answer) {
    EXPECT_TRUE(answer && find_error(*answer) != nullptr);
    return answer && find_error(*answer) != nullptr ? find_error(*answer)->type : NotifyType{};
  }
  std::optional<Payloads> follow_up(const base::Bytes& link, std::uint16_t method = kFirst) {
    return peer.send_ke(kFollowUp, method, peer.public_value(method),
                        {notify(NotifyType::additional_key_exchange, link)});
  }
  std::optional<ike::crypto::KeyExchange> first_;
  base::Bytes nonce_i_;
  Payloads answer_;
};

// KEYMAT = prf+(SK_d, SK(0) | Ni | Nr | SK(1)), RFC 9370 2.2.4.
TEST_F(FollowUpAbuse, KeysAreThoseOfTheRfc) {
  const auto former = b.sad.begin()->first;
  const auto link = create();
  const auto ours = *ike::crypto::KeyExchange::generate(kFirst, peer.rng());
  const auto answer =
      peer.send_ke(kFollowUp, kFirst, ours.public_value(), {notify(NotifyType::additional_key_exchange, link)});
  ASSERT_TRUE(answer && find<KePayload>(*answer) != nullptr);
  EXPECT_EQ(find_notify(*answer, NotifyType::additional_key_exchange), nullptr) << "it was the last one";
  const auto zero = *first_->derive(find<KePayload>(answer_)->data);
  const auto one = *ours.derive(find<KePayload>(*answer)->data);
  const auto keymat =
      hmac_plus(peer.sk_d(), joined({zero.view(), nonce_i_, find<NoncePayload>(answer_)->data, one.view()}), 40);
  ASSERT_EQ(b.sad.size(), 2U);
  for (const auto& [id, spec] : b.sad) {
    if (id == former) continue;
    EXPECT_TRUE(base::equal_constant_time(spec.keys.cipher_in.view(), base::ByteView(keymat).first(20)));
    EXPECT_TRUE(base::equal_constant_time(spec.keys.cipher_out.view(), base::ByteView(keymat).subspan(20, 20)));
  }
}

TEST_F(FollowUpAbuse, OfNothingThatIsUnderWay) {
  EXPECT_EQ(error(follow_up({1, 2, 3})), NotifyType::state_not_found);
  EXPECT_EQ(error(peer.send_ke(kFollowUp, kFirst, peer.public_value(kFirst))), NotifyType::state_not_found);
  EXPECT_EQ(counted(Reason::not_found), 2U);
  EXPECT_EQ(b.sad.size(), 1U);
}

TEST_F(FollowUpAbuse, Repeated) {
  const auto link = create();
  ASSERT_TRUE(follow_up(link));
  EXPECT_EQ(error(follow_up(link)), NotifyType::state_not_found);
  EXPECT_EQ(b.sad.size(), 2U);
}

TEST_F(FollowUpAbuse, OfAnotherMethodIsTheEndOfIt) {
  const auto link = create();
  EXPECT_EQ(error(follow_up(link, kSecond)), NotifyType::invalid_syntax);
  EXPECT_EQ(error(follow_up(link)), NotifyType::state_not_found);
  EXPECT_EQ(counted(Reason::invalid_ke), 1U);
  EXPECT_EQ(b.sad.size(), 1U);
}

TEST_F(FollowUpAbuse, OfTheOneBefore) {
  const auto former = create();
  const auto link = create();
  EXPECT_EQ(error(follow_up(former)), NotifyType::state_not_found);
  EXPECT_TRUE(follow_up(link));
  EXPECT_EQ(b.sad.size(), 2U);
}

TEST_F(FollowUpAbuse, WhatTheKernelDoesNotTakeIsRefusedAtLast) {
  const auto link = create();
  b.install = Install::refuse;
  EXPECT_EQ(error(follow_up(link)), NotifyType::no_proposal_chosen);
  EXPECT_EQ(b.sad.size(), 1U);
}

TEST_F(FollowUpAbuse, TooLate) {
  const auto link = create();
  net.run(seconds(21));
  EXPECT_EQ(error(follow_up(link)), NotifyType::state_not_found);
  EXPECT_EQ(b.sad.size(), 1U);
}

}  // namespace
}  // namespace espgate::sim
