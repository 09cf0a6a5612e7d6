// SPDX-License-Identifier: Apache-2.0
// Strangers: cookies above a threshold, half-open IKE SAs in all and of one address, SPIs that are not ours.
#include "ike/task/guard.h"

#include "ike/wire/message.h"
#include "tests/sim/pair.h"

namespace espgate::sim {
namespace {

using ike::Event;
using ike::Reason;
using ike::wire::NotifyType;

class Guard : public Pair {
 protected:
  void load_with(std::uint32_t threshold, std::uint32_t per_source = 0) {
    a.load(config(for_a));
    auto strict = config(for_b);
    strict.cookie_threshold = threshold;
    strict.half_open_per_source = per_source;
    b.load(std::move(strict));
  }
  // An IKE_SA_INIT request from `address` that nobody goes on with; another one each time.
  void knock(const std::string& address) {
    Host stranger(net, "stranger", address, ++seed_);
    Side side;
    side.ike = for_b.ike;
    stranger.load(config(side));
    stranger.initiate("site", "net", b);
    auto request = stranger.sent.at(0).second;
    std::swap(request.local, request.remote);
    b.datagram(std::move(request));
    strangers_.push_back(address);
    net.forget(stranger);
  }
  std::size_t half_open() { return b.listed().half_open; }
  std::uint64_t rejected(Reason reason) {
    const auto all = b.listed().rejected;
    const auto it = all.find(reason);
    return it == all.end() ? 0 : it->second;
  }
  std::uint64_t seed_ = 1000;
  std::vector<std::string> strangers_;
};

TEST_F(Guard, BelowTheThresholdNobodyIsAsked) {
  load_with(30);
  const auto id = a.initiate("site", "net", b);
  ASSERT_TRUE(net.run_until([&] { return a.result(id) != nullptr; }));
  EXPECT_EQ(a.sent.size(), 2U);
}

TEST_F(Guard, AboveItEverybodyIs) {
  load_with(3);
  for (int i = 1; i <= 8; ++i) knock("203.0.113." + std::to_string(i));
  EXPECT_EQ(half_open(), 3U) << "the others got a cookie, and cost nothing";
  EXPECT_EQ(rejected(Reason::cookie_wanted), 5U);
  const auto id = a.initiate("site", "net", b);
  ASSERT_TRUE(net.run_until([&] { return a.result(id) != nullptr; }));
  EXPECT_TRUE(a.succeeded(id)) << "who returns the cookie gets in";
  EXPECT_EQ(a.sent.size(), 3U);
  expect_agreement(a, b);
}

TEST_F(Guard, CookieThenAnotherGroup) {
  for_a.ike = "aes128gcm16-prfsha256-x25519-ecp256";
  for_b.ike = "aes128gcm16-prfsha256-ecp256";
  load_with(1);
  knock("203.0.113.1");
  const auto id = a.initiate("site", "net", b);
  ASSERT_TRUE(net.run_until([&] { return a.result(id) != nullptr; }));
  EXPECT_TRUE(a.succeeded(id));
  EXPECT_EQ(a.sent.size(), 4U) << "bare, with cookie, with cookie and the other group, IKE_AUTH";
  EXPECT_EQ(rejected(Reason::bad_cookie), 0U);
}

TEST_F(Guard, ACookieOfSomebodyElseIsNone) {
  load_with(1);
  knock("203.0.113.1");
  net.filter = [&](ike::Datagram& datagram) {
    if (datagram.local.address != b.address()) return true;
    auto message = ike::wire::parse_message(datagram.data);
    if (!message || ike::wire::find_notify(message->payloads, NotifyType::cookie) == nullptr) return true;
    std::get<ike::wire::NotifyPayload>(message->payloads.front()).data.back() ^= 1;
    datagram.data = ike::wire::write_message(message->header, message->payloads);
    return true;
  };
  const auto id = a.initiate("site", "net", b);
  net.run(seconds(20));  // the stranger's SA is still half open
  EXPECT_EQ(a.result(id), nullptr);
  EXPECT_EQ(half_open(), 1U);
  EXPECT_GT(rejected(Reason::bad_cookie), 0U);
}

TEST_F(Guard, ASourceHasItsShare) {
  load_with(0, 3);
  for (int i = 0; i < 10; ++i) knock("203.0.113.1");
  EXPECT_EQ(half_open(), 3U);
  EXPECT_EQ(rejected(Reason::half_open_limit), 7U);
  knock("203.0.113.2");
  EXPECT_EQ(half_open(), 4U) << "others have theirs";
  net.run(seconds(40));
  EXPECT_EQ(half_open(), 0U);
  knock("203.0.113.1");
  EXPECT_EQ(half_open(), 1U) << "its share comes back";
}

TEST_F(Guard, ALongIkeSaInitIsNotKept) {
  load_with(0);
  net.filter = [&](ike::Datagram& datagram) {
    auto message = ike::wire::parse_message(datagram.data);
    if (!message || message->header.exchange != ike::wire::ExchangeType::ike_sa_init) return true;
    message->payloads.emplace_back(ike::wire::VendorIdPayload{base::Bytes(9000, 1)});
    datagram.data = ike::wire::write_message(message->header, message->payloads);
    return true;
  };
  a.initiate("site", "net", b);
  net.run(seconds(1));
  EXPECT_TRUE(b.sent.empty());
  EXPECT_EQ(half_open(), 0U);
}

TEST_F(Guard, UnknownSpisAreAnsweredNowAndThen) {
  load();
  ike::wire::Header header;
  header.spi_i = {0x1111};
  header.spi_r = {0x2222};
  header.exchange = ike::wire::ExchangeType::informational;
  header.from_initiator = true;
  header.message_id = 7;
  header.length = 28;
  base::ByteWriter out;
  ike::wire::write_header(out, header);
  const ike::Datagram request{{b.address(), 500}, {a.address(), 500}, false, out.take()};
  for (int i = 0; i < 1000; ++i) b.datagram(request);
  ASSERT_GT(b.sent.size(), 0U);
  EXPECT_LE(b.sent.size(), 20U);
  const auto answer = ike::wire::parse_message(b.sent[0].second.data).value();
  EXPECT_NE(ike::wire::find_notify(answer.payloads, NotifyType::invalid_ike_spi), nullptr);
  EXPECT_TRUE(answer.header.response);
  EXPECT_FALSE(answer.header.from_initiator);
  EXPECT_EQ(answer.header.message_id, 7U);
  EXPECT_EQ(answer.header.spi_r.value, 0x2222U);
  EXPECT_EQ(rejected(Reason::unknown_spi), 1000U) << "counted each time";
  header.response = true;
  base::ByteWriter response;
  ike::wire::write_header(response, header);
  net.run(seconds(5));
  const auto before = b.sent.size();
  b.datagram({{b.address(), 500}, {a.address(), 500}, false, response.take()});
  EXPECT_EQ(b.sent.size(), before) << "answers are not answered";
}

TEST_F(Guard, AnInvalidIkeSpiThatAnyoneCanSendEndsNothing) {
  establish();
  const auto ikes = a.list();
  ike::wire::Header header;
  header.spi_i = ikes[0].spi_i;
  header.spi_r = ikes[0].spi_r;
  header.exchange = ike::wire::ExchangeType::informational;
  header.response = true;
  header.message_id = 2;
  a.datagram({{a.address(), 500},
              {b.address(), 500},
              false,
              ike::wire::write_message(header, {ike::wire::notify(NotifyType::invalid_ike_spi)})});
  net.run(seconds(5));
  EXPECT_EQ(a.list().size(), 1U);
  EXPECT_EQ(a.sad.size(), 1U);
}

TEST_F(Guard, IkeV1IsOneLineAndNoState) {
  load();
  base::Bytes main_mode(28, 0);
  main_mode[7] = 1;      // the initiator's cookie
  main_mode[16] = 1;     // SA
  main_mode[17] = 0x10;  // version 1.0
  main_mode[18] = 2;     // identity protection
  main_mode[27] = 28;
  for (int i = 0; i < 1000; ++i) b.datagram({{b.address(), 500}, {a.address(), 500}, false, main_mode});
  EXPECT_TRUE(b.sent.empty());
  EXPECT_EQ(half_open(), 0U);
  EXPECT_LE(b.count(Event::Kind::dropped), 20U);
  const auto& why = *b.last(Event::Kind::dropped)->failure;
  EXPECT_EQ(why.code, Reason::wrong_version);
  EXPECT_EQ(why.text, "IKEv1 from 192.0.2.1:500: only IKEv2 is spoken here");
  EXPECT_EQ(rejected(Reason::wrong_version), 1000U);
}

}  // namespace
}  // namespace espgate::sim
