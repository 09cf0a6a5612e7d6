// SPDX-License-Identifier: Apache-2.0
// Peers that send wrong things under a good checksum, and strangers with a well-formed first message: each gets the
// RFC's answer or silence, is counted with a reason, and leaves no state.
#include "ike/wire/ts.h"
#include "tests/sim/scripted_peer.h"

namespace espgate::sim {
namespace {

namespace wire = ::espgate::ike::wire;
using ike::Event;
using ike::Reason;
using wire::ExchangeType;
using wire::NotifyType;
using wire::Payloads;
using wire::PayloadType;

class Wrong : public Pair {
 protected:
  void SetUp() override {
    Pair::load();
    b.load(config(for_b));
  }
  // What was refused or dropped so far, by whatever reason.
  std::uint64_t counted() {
    std::uint64_t sum = 0;
    for (const auto& [reason, count] : b.listed().rejected) sum += count;
    return sum;
  }
  void expect_no_state() {
    net.run(seconds(400));
    EXPECT_TRUE(b.list().empty());
    EXPECT_EQ(b.listed().half_open, 0U);
    EXPECT_TRUE(b.sad.empty());
    EXPECT_FALSE(b.engine().next_timer().has_value());
  }
  static bool has(const std::optional<Payloads>& answer, NotifyType type) {
    return answer && wire::find_notify(*answer, type) != nullptr;
  }
};

template <class T>
T& the(Payloads& payloads) {
  for (auto& payload : payloads) {
    if (auto* found = std::get_if<T>(&payload)) return *found;
  }
  throw std::logic_error("the test's message lacks that payload");
}
template <class T>
void drop(Payloads& payloads) {
  std::erase_if(payloads, [](const auto& payload) { return std::holds_alternative<T>(payload); });
}

// ------------------------------------------------------------------------------------------------- IKE_SA_INIT

struct InitCase {
  const char* name;
  void (*spoil)(Payloads&);
  std::optional<NotifyType> answer;  // none: silence
};

const base::Bytes kOne = [] {
  base::Bytes one(256);
  one.back() = 1;
  return one;
}();

// A stranger's nonsense is counted and not answered.
const InitCase kInit[] = {
    {"KeOfAnotherGroup", [](Payloads& p) { the<wire::KePayload>(p) = {14, kOne}; }, NotifyType::invalid_ke_payload},
    {"KeOfZeros", [](Payloads& p) { the<wire::KePayload>(p).data.assign(32, 0); }, std::nullopt},
    {"KeTooShort", [](Payloads& p) { the<wire::KePayload>(p).data.pop_back(); }, std::nullopt},
    {"KeTooLong", [](Payloads& p) { the<wire::KePayload>(p).data.push_back(1); }, std::nullopt},
    {"KeEmpty", [](Payloads& p) { the<wire::KePayload>(p).data.clear(); }, std::nullopt},
    {"NoKe", [](Payloads& p) { drop<wire::KePayload>(p); }, std::nullopt},
    {"NoNonce", [](Payloads& p) { drop<wire::NoncePayload>(p); }, std::nullopt},
    {"NoSa", [](Payloads& p) { drop<wire::SaPayload>(p); }, std::nullopt},
    {"Nothing", [](Payloads& p) { p.clear(); }, std::nullopt},
    {"NonceTooShort", [](Payloads& p) { the<wire::NoncePayload>(p).data.resize(15); }, std::nullopt},
    {"NonceTooLong", [](Payloads& p) { the<wire::NoncePayload>(p).data.resize(257); }, std::nullopt},
    {"TwoNonces", [](Payloads& p) { p.push_back(the<wire::NoncePayload>(p)); }, std::nullopt},
    {"TwoKes", [](Payloads& p) { p.push_back(the<wire::KePayload>(p)); }, std::nullopt},
    {"TwoSas", [](Payloads& p) { p.push_back(the<wire::SaPayload>(p)); }, std::nullopt},
    {"SaWithoutGroup",
     [](Payloads& p) {
       auto& transforms = the<wire::SaPayload>(p).proposals.at(0).transforms;
       std::erase_if(transforms, [](const auto& transform) { return transform.type == 4; });
     },
     NotifyType::no_proposal_chosen},
    {"SaWithoutProposals", [](Payloads& p) { the<wire::SaPayload>(p).proposals.clear(); }, std::nullopt},
    {"SaOfEsp", [](Payloads& p) { the<wire::SaPayload>(p).proposals.at(0).protocol = ike::Protocol::esp; },
     std::nullopt},
};

struct InitCases : Wrong, ::testing::WithParamInterface<InitCase> {};

TEST_P(InitCases, AreAnsweredAndForgotten) {
  ScriptedPeer peer(net, b, 7);
  auto payloads = peer.init_payloads();
  GetParam().spoil(payloads);
  const auto before = counted();
  const auto answer = peer.init(payloads);
  ASSERT_EQ(answer.has_value(), GetParam().answer.has_value());
  if (answer) {
    EXPECT_NE(wire::find_notify(answer->payloads, *GetParam().answer), nullptr);
    EXPECT_EQ(answer->payloads.size(), 1U);
    EXPECT_EQ(wire::find<wire::KePayload>(answer->payloads), nullptr);
  }
  if (GetParam().answer != NotifyType::invalid_ke_payload) {
    EXPECT_GT(counted(), before) << "without a counter";
  }
  EXPECT_LE(b.events.size(), 1U);
  EXPECT_EQ(b.listed().half_open, 0U);
  expect_no_state();
}
INSTANTIATE_TEST_SUITE_P(Init, InitCases, ::testing::ValuesIn(kInit), [](const auto& each) { return each.param.name; });

TEST_F(Wrong, PayloadsOfOtherExchangesInTheFirstMessageAreNotBelieved) {
  ScriptedPeer peer(net, b, 8);
  auto payloads = peer.init_payloads();
  payloads.emplace_back(wire::AuthPayload{wire::kAuthSharedKey, base::Bytes(32, 1)});
  payloads.emplace_back(wire::IdPayload{true, *ike::Identity::parse("a@example"), {}});
  payloads.emplace_back(wire::DeletePayload{ike::Protocol::ike, {}});
  peer.init(payloads);
  EXPECT_TRUE(b.list().empty()) << "nobody is authenticated by that";
  EXPECT_TRUE(b.sad.empty());
  expect_no_state();
}

// ------------------------------------------------------------------------------------------------- IKE_AUTH

struct AuthCase {
  const char* name;
  void (*spoil)(Payloads&);
  std::optional<NotifyType> answer;  // none: an IKE SA, or silence
};
const AuthCase kAuth[] = {
    {"WrongAuth", [](Payloads& p) { the<wire::AuthPayload>(p).data[0] ^= 1; }, NotifyType::authentication_failed},
    {"AuthTooShort", [](Payloads& p) { the<wire::AuthPayload>(p).data.pop_back(); }, NotifyType::authentication_failed},
    {"AuthEmpty", [](Payloads& p) { the<wire::AuthPayload>(p).data.clear(); }, NotifyType::authentication_failed},
    {"AuthOfNoMethod", [](Payloads& p) { the<wire::AuthPayload>(p).method = 0; }, NotifyType::authentication_failed},
    {"AuthOfAnotherMethod", [](Payloads& p) { the<wire::AuthPayload>(p).method = 14; },
     NotifyType::authentication_failed},
    {"NoAuth", [](Payloads& p) { drop<wire::AuthPayload>(p); }, NotifyType::authentication_failed},
    {"NoId", [](Payloads& p) { drop<wire::IdPayload>(p); }, NotifyType::invalid_syntax},
    {"IdOfTheResponder", [](Payloads& p) { the<wire::IdPayload>(p).initiator = false; }, NotifyType::invalid_syntax},
    {"AnotherId", [](Payloads& p) { the<wire::IdPayload>(p).identity = *ike::Identity::parse("mallory@example"); },
     NotifyType::authentication_failed},
    {"AnOverlongId",
     [](Payloads& p) { the<wire::IdPayload>(p).identity = *ike::Identity::parse(std::string(60000, 'a') + "@x"); },
     NotifyType::authentication_failed},
    {"TwoIds", [](Payloads& p) { p.push_back(the<wire::IdPayload>(p)); }, NotifyType::invalid_syntax},
    {"TwoAuths", [](Payloads& p) { p.push_back(the<wire::AuthPayload>(p)); }, NotifyType::invalid_syntax},
    {"Nothing", [](Payloads& p) { p.clear(); }, NotifyType::invalid_syntax},
};
struct AuthCases : Wrong, ::testing::WithParamInterface<AuthCase> {};

TEST_P(AuthCases, AreRefusedAndForgotten) {
  ScriptedPeer peer(net, b, 9);
  const auto init = peer.init(peer.init_payloads());
  ASSERT_TRUE(init && peer.derive(*init));
  auto payloads = peer.auth_payloads();
  GetParam().spoil(payloads);
  const auto answer = peer.request(ExchangeType::ike_auth, payloads);
  ASSERT_TRUE(answer);
  const auto* error = wire::find_error(*answer);
  ASSERT_NE(error, nullptr);
  // Before AUTH is judged a missing payload is a matter of syntax, too.
  EXPECT_TRUE(error->type == *GetParam().answer || error->type == NotifyType::invalid_syntax)
      << wire::name_of(error->type);
  EXPECT_EQ(wire::find<wire::AuthPayload>(*answer), nullptr);
  EXPECT_TRUE(b.sad.empty());
  EXPECT_EQ(b.count(Event::Kind::ike_up), 0U);
  EXPECT_EQ(b.count(Event::Kind::ike_failed), 1U);
  EXPECT_LE(b.events.size(), 1U);
  expect_no_state();
}
INSTANTIATE_TEST_SUITE_P(Auth, AuthCases, ::testing::ValuesIn(kAuth), [](const auto& each) { return each.param.name; });

TEST_F(Wrong, NothingButIkeAuthIsHeardBeforeIt) {
  ScriptedPeer peer(net, b, 10);
  const auto init = peer.init(peer.init_payloads());
  ASSERT_TRUE(init && peer.derive(*init));
  for (const auto exchange : {ExchangeType::informational, ExchangeType::create_child_sa, ExchangeType{200}}) {
    peer.last_id() = 0;
    EXPECT_FALSE(peer.request(exchange, peer.child_payloads(true)));
    EXPECT_FALSE((peer.last_id() = 0, peer.request(exchange, Payloads{wire::DeletePayload{ike::Protocol::ike, {}}})));
  }
  peer.last_id() = 0;
  const auto good = peer.request(ExchangeType::ike_auth, peer.auth_payloads());
  ASSERT_TRUE(good);
  EXPECT_NE(wire::find<wire::AuthPayload>(*good), nullptr) << "and none of it did harm";
  EXPECT_EQ(b.sad.size(), 1U);
}

// ------------------------------------------------------------------------------------------------- an authenticated
// peer

enum class Ike : bool { stays, ends };
struct Case {
  const char* name;
  ExchangeType exchange;
  void (*spoil)(Payloads&, ScriptedPeer&);  // of a good CREATE_CHILD_SA request
  std::optional<NotifyType> answer;         // none: an empty answer
  Ike ike;
};

wire::NotifyPayload rekey_of(ike::Protocol protocol, base::Bytes spi) {
  auto out = wire::notify(NotifyType::rekey_sa);
  out.protocol = protocol;
  out.spi = std::move(spi);
  return out;
}
wire::TsPayload backwards(bool initiator) {
  auto ts = base::TrafficSelector::of(*base::Prefix::parse("10.1.0.0/16"));
  std::swap(ts.first, ts.last);
  return {initiator, {ts}, 0};
}

const Case kCases[] = {
    {"RekeyOfAh", ExchangeType::create_child_sa,
     [](Payloads& p, ScriptedPeer&) { p.insert(p.begin(), rekey_of(ike::Protocol::ah, {1, 2, 3, 4})); },
     NotifyType::child_sa_not_found, Ike::stays},
    {"RekeyOfAChildThatIsNotThere", ExchangeType::create_child_sa,
     [](Payloads& p, ScriptedPeer&) { p.insert(p.begin(), rekey_of(ike::Protocol::esp, {1, 2, 3, 4})); },
     NotifyType::child_sa_not_found, Ike::stays},
    {"RekeyWithoutSpi", ExchangeType::create_child_sa,
     [](Payloads& p, ScriptedPeer&) { p.insert(p.begin(), rekey_of(ike::Protocol::none, {})); },
     NotifyType::child_sa_not_found, Ike::stays},
    {"NoNonce", ExchangeType::create_child_sa, [](Payloads& p, ScriptedPeer&) { drop<wire::NoncePayload>(p); },
     NotifyType::invalid_syntax, Ike::ends},
    {"NoSa", ExchangeType::create_child_sa, [](Payloads& p, ScriptedPeer&) { drop<wire::SaPayload>(p); },
     NotifyType::invalid_syntax, Ike::ends},
    {"TwoSas", ExchangeType::create_child_sa, [](Payloads& p, ScriptedPeer&) { p.push_back(the<wire::SaPayload>(p)); },
     NotifyType::invalid_syntax, Ike::ends},
    {"ShortNonce", ExchangeType::create_child_sa,
     [](Payloads& p, ScriptedPeer&) { the<wire::NoncePayload>(p).data.resize(15); }, NotifyType::invalid_syntax,
     Ike::ends},
    {"BackwardsSelectors", ExchangeType::create_child_sa,
     [](Payloads& p, ScriptedPeer&) {
       drop<wire::TsPayload>(p);
       p.emplace_back(backwards(true));
       p.emplace_back(backwards(false));
     },
     NotifyType::invalid_syntax, Ike::ends},
    {"ForeignSelectors", ExchangeType::create_child_sa,
     [](Payloads& p, ScriptedPeer&) {
       drop<wire::TsPayload>(p);
       const auto ts = base::TrafficSelector::of(*base::Prefix::parse("172.16.0.0/16"));
       p.emplace_back(wire::TsPayload{true, {ts}, 0});
       p.emplace_back(wire::TsPayload{false, {ts}, 0});
     },
     NotifyType::ts_unacceptable, Ike::stays},
    {"EspWithAnUnknownCipher", ExchangeType::create_child_sa,
     [](Payloads& p, ScriptedPeer&) { the<wire::SaPayload>(p).proposals.at(0).transforms.at(0).id = 999; },
     NotifyType::no_proposal_chosen, Ike::stays},
    {"EspWithASpiOfEight", ExchangeType::create_child_sa,
     [](Payloads& p, ScriptedPeer&) { the<wire::SaPayload>(p).proposals.at(0).spi.resize(8); },
     NotifyType::invalid_syntax, Ike::ends},
    {"EspWithSpiZero", ExchangeType::create_child_sa,
     [](Payloads& p, ScriptedPeer&) { the<wire::SaPayload>(p).proposals.at(0).spi.assign(4, 0); }, std::nullopt,
     Ike::stays},
    {"DeleteOfWhatIsNotThere", ExchangeType::informational,
     [](Payloads& p, ScriptedPeer&) { p = {wire::DeletePayload{ike::Protocol::esp, {{0x01020304}}}}; }, std::nullopt,
     Ike::stays},
    {"DeleteOfAh", ExchangeType::informational,
     [](Payloads& p, ScriptedPeer&) { p = {wire::DeletePayload{ike::Protocol::ah, {{0x01020304}}}}; }, std::nullopt,
     Ike::stays},
    {"PayloadsOfOtherExchanges", ExchangeType::informational, [](Payloads&, ScriptedPeer&) {}, std::nullopt,
     Ike::stays},
    {"AnUnknownCriticalPayload", ExchangeType::informational,
     [](Payloads& p, ScriptedPeer&) { p = {wire::OpaquePayload{PayloadType{200}, true, {1, 2, 3}}}; },
     NotifyType::unsupported_critical_payload, Ike::stays},
    {"AnUnknownPayload", ExchangeType::informational,
     [](Payloads& p, ScriptedPeer&) { p = {wire::OpaquePayload{PayloadType{200}, false, {1, 2, 3}}}; }, std::nullopt,
     Ike::stays},
    {"IkeAuthOnceMore", ExchangeType::ike_auth, [](Payloads& p, ScriptedPeer& peer) { p = peer.auth_payloads("x"); },
     std::nullopt, Ike::stays},
};
struct Cases : Wrong, ::testing::WithParamInterface<Case> {};

TEST_P(Cases, AreAnsweredAsTheRfcSays) {
  ScriptedPeer peer(net, b, 11);
  ASSERT_NO_FATAL_FAILURE(peer.establish());
  const auto children = b.sad.size();
  const auto events = b.events.size();
  const auto before = counted();
  auto payloads = peer.child_payloads(true);
  GetParam().spoil(payloads, peer);
  const auto answer = peer.request(GetParam().exchange, payloads);
  if (GetParam().answer) {
    EXPECT_TRUE(has(answer, *GetParam().answer))
        << (answer && wire::find_error(*answer) != nullptr ? wire::name_of(wire::find_error(*answer)->type)
                                                           : "another answer");
    EXPECT_EQ(counted(), before + 1) << "what is refused is counted once";
  }
  EXPECT_LE(b.events.size(), events + 2);
  const bool ends = GetParam().ike == Ike::ends;
  EXPECT_EQ(b.list().size(), ends ? 0U : 1U);
  EXPECT_EQ(b.sad.size(), ends ? 0U : children) << "no child comes of it";
  if (ends) return expect_no_state();
  // The IKE SA is as good as before.
  const auto alive = peer.request(ExchangeType::informational, Payloads{});
  if (GetParam().exchange != ExchangeType::ike_auth) {
    ASSERT_TRUE(alive);
    EXPECT_TRUE(alive->empty());
  }
}
INSTANTIATE_TEST_SUITE_P(Established, Cases, ::testing::ValuesIn(kCases),
                         [](const auto& each) { return each.param.name; });

// Every length field of every payload of every request: each value that is wrong.
TEST_F(Wrong, EveryLengthFieldInsideOfAGoodChecksum) {
  int tried = 0, survived = 0;
  for (const auto exchange : {ExchangeType::ike_auth, ExchangeType::create_child_sa, ExchangeType::informational}) {
    for (std::uint64_t field = 0;; ++field) {
      bool more = false;
      for (const int wrong : {0, 3, -1, 1, 65535}) {
        Host host(net, "c", "198.51.100.3", 33 + static_cast<std::uint64_t>(++tried));
        host.load(config(for_b));
        ScriptedPeer peer(net, host, 1000 + field);
        if (exchange == ExchangeType::ike_auth) {
          const auto init = peer.init(peer.init_payloads());
          ASSERT_TRUE(init && peer.derive(*init));
        } else {
          ASSERT_NO_FATAL_FAILURE(peer.establish());
        }
        auto payloads = exchange == ExchangeType::ike_auth ? peer.auth_payloads() : peer.child_payloads(true);
        if (exchange == ExchangeType::informational) payloads = {wire::DeletePayload{ike::Protocol::esp, {{7}}}};
        base::ByteWriter writer;
        const auto first = wire::write_payloads(writer, payloads);
        auto inner = writer.take();
        std::size_t at = 0;
        for (std::uint64_t i = 0; i < field && at < inner.size(); ++i) at += inner[at + 2] * 256U + inner[at + 3];
        if (at >= inner.size()) {
          net.forget(host);
          break;
        }
        more = true;
        const int right = inner[at + 2] * 256 + inner[at + 3];
        const int value = wrong == -1 || wrong == 1 ? right + wrong : wrong;
        inner[at + 2] = static_cast<std::uint8_t>(value >> 8);
        inner[at + 3] = static_cast<std::uint8_t>(value);
        const auto children = host.sad.size();
        const auto answer = peer.request(exchange, first, inner);
        ASSERT_TRUE(answer) << "an authenticated peer is told";
        if (wire::find_error(*answer) == nullptr) ++survived;
        EXPECT_LE(host.sad.size(), children) << "a child came of payload " << field << " with length " << value;
        net.run(seconds(400));
        EXPECT_TRUE(host.sad.empty() || host.list().size() == 1);
        net.forget(host);
      }
      if (!more) break;
    }
  }
  EXPECT_GT(tried, 50);
  EXPECT_EQ(survived, 0) << "each is an error";
}

}  // namespace
}  // namespace espgate::sim
