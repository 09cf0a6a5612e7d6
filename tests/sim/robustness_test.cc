// SPDX-License-Identifier: Apache-2.0
// Strangers and nonsense: nothing of it creates state or ends what is there.
#include <random>

#include "ike/wire/message.h"
#include "tests/sim/pair.h"

namespace espgate::sim {
namespace {

using ::espgate::ike::Event;
using ::espgate::ike::Reason;
namespace wire = ::espgate::ike::wire;

ike::Datagram to(const Host& host, base::Bytes data, const char* from = "192.0.2.1") {
  return {{host.address(), 500}, {*base::Address::parse(from), 500}, false, std::move(data)};
}

TEST_F(Pair, TruncatedAndGarbledDatagramsChangeNothing) {
  establish();
  const auto alive = a.terminate({{}, {}, "net", {}, {}, false});
  ASSERT_TRUE(net.run_until([&] { return a.result(alive) != nullptr; }));
  establish();
  const auto before = b.list();
  const auto good = a.sent;
  std::mt19937 random(7);
  for (const auto& [at, datagram] : good) {
    for (std::size_t length = 0; length < datagram.data.size(); length += 3) {
      b.datagram(to(b, base::Bytes(datagram.data.begin(), datagram.data.begin() + static_cast<long>(length))));
    }
    auto longer = datagram.data;
    longer.push_back(0);
    b.datagram(to(b, longer));
    if (wire::peek_header(datagram.data)->exchange == wire::ExchangeType::ike_sa_init) continue;
    for (int i = 0; i < 200; ++i) {
      auto bad = datagram.data;
      bad[random() % bad.size()] ^= static_cast<std::uint8_t>(1 + random() % 255);
      b.datagram(to(b, bad));
    }
  }
  const auto after = b.list();
  ASSERT_EQ(after.size(), before.size());
  EXPECT_EQ(after[0].state, "ESTABLISHED");
  EXPECT_EQ(after[0].children.size(), before[0].children.size());
  expect_agreement(a, b);
  // And it still works.
  const auto id = a.terminate({{}, "site", {}, {}, {}, false});
  ASSERT_TRUE(net.run_until([&] { return a.result(id) != nullptr; }, seconds(2)));
  expect_nothing_left();
}

TEST_F(Pair, GarbledCopiesOnTheWayDoNotHurt) {
  for_a.dpd_delay = seconds(5);
  establish();
  net.weather.garble = 100;
  net.run(seconds(200));
  EXPECT_EQ(a.list().at(0).state, "ESTABLISHED");
  EXPECT_EQ(b.list().at(0).state, "ESTABLISHED");
  EXPECT_GT(a.sent.size(), 30U);
}

TEST_F(Pair, RandomDatagramsMakeNoStateAndFewEvents) {
  load();
  std::mt19937 random(9);
  for (int i = 0; i < 20000; ++i) {
    base::Bytes data(random() % 200);
    for (auto& octet : data) octet = static_cast<std::uint8_t>(random());
    if (data.size() > 27 && i % 2 == 0) {  // let half of them pass the first checks
      data[17] = 0x20;
      data[18] = static_cast<std::uint8_t>(34 + random() % 4);
      data[24] = data[25] = data[26] = 0;
      data[27] = static_cast<std::uint8_t>(data.size());
    }
    b.datagram(to(b, std::move(data)));
  }
  EXPECT_TRUE(b.list().empty());
  EXPECT_FALSE(b.engine().next_timer().has_value());
  EXPECT_LE(b.events.size(), 20U) << "rate-limited";
  EXPECT_LE(b.sent.size(), 20U);
}

TEST_F(Pair, IkeV1IsNamedAndNotAnswered) {
  load();
  base::Bytes data(28, 1);
  data[17] = 0x10;
  b.datagram(to(b, data));
  EXPECT_TRUE(b.sent.empty());
  ASSERT_NE(b.last(Event::Kind::dropped), nullptr);
  EXPECT_EQ(b.last(Event::Kind::dropped)->failure->code, Reason::wrong_version);
  data[17] = 0x30;
  b.datagram(to(b, data));
  ASSERT_EQ(b.sent.size(), 1U);
  const auto answer = wire::parse_message(b.sent[0].second.data);
  ASSERT_TRUE(answer);
  EXPECT_NE(wire::find_notify(answer->payloads, wire::NotifyType::invalid_major_version), nullptr);
  EXPECT_TRUE(b.list().empty());
}

TEST_F(Pair, AnUnknownCriticalPayloadInIkeSaInitIsNamed) {
  load();
  net.filter = [&](ike::Datagram& datagram) {
    if (datagram.local.address != a.address()) return true;
    auto message = *wire::parse_message(datagram.data);
    message.payloads.emplace_back(wire::OpaquePayload{static_cast<wire::PayloadType>(200), true, {1, 2}});
    datagram.data = wire::write_message(message.header, message.payloads);
    return true;
  };
  const auto why = failure(a, a.initiate("site", "net", b));
  EXPECT_EQ(why.code, Reason::unsupported_critical);
  const auto answer = wire::parse_message(b.sent.at(0).second.data);
  const auto* notify = wire::find_notify(answer->payloads, wire::NotifyType::unsupported_critical_payload);
  ASSERT_NE(notify, nullptr);
  EXPECT_EQ(notify->data, base::Bytes{200});
  expect_nothing_left();
}

TEST_F(Pair, AnUnknownPayloadThatIsNotCriticalIsPassedOver) {
  load();
  net.filter = [&](ike::Datagram& datagram) {
    auto message = wire::parse_message(datagram.data);
    if (!message || message->header.exchange != wire::ExchangeType::ike_sa_init || !message->header.response) {
      return true;
    }
    message->payloads.emplace_back(wire::OpaquePayload{static_cast<wire::PayloadType>(200), false, {1, 2}});
    datagram.data = wire::write_message(message->header, message->payloads);
    return true;
  };
  // The proof covers the message as it was sent, so a man in the middle is noticed, not the payload.
  const auto why = failure(a, a.initiate("site", "net", b));
  EXPECT_EQ(why.code, Reason::auth_failed);
  EXPECT_EQ(why.step, "IKE_AUTH");
}

TEST_F(Pair, AnUnknownSpiIsNamedAndNoMore) {
  establish();
  auto data = a.sent.back().second.data;
  data[3] ^= 1;   // initiator's SPI
  data[11] ^= 1;  // responder's SPI
  const auto before = b.sent.size();
  b.datagram(to(b, data));
  ASSERT_EQ(b.sent.size(), before + 1);
  const auto answer = wire::parse_message(b.sent.back().second.data);
  ASSERT_TRUE(answer);
  EXPECT_NE(wire::find_notify(answer->payloads, wire::NotifyType::invalid_ike_spi), nullptr);
  EXPECT_EQ(b.last(Event::Kind::dropped)->failure->code, Reason::unknown_spi);
}

TEST_F(Pair, AnExchangeBeforeAuthenticationIsIgnored) {
  load();
  net.filter = [&](ike::Datagram& datagram) {
    const auto header = *wire::peek_header(datagram.data);
    if (header.exchange == wire::ExchangeType::ike_auth && !header.response) {
      datagram.data[18] = static_cast<std::uint8_t>(wire::ExchangeType::informational);
    }
    return true;
  };
  a.initiate("site", "net", b);
  net.run(seconds(1));
  EXPECT_EQ(b.count(Event::Kind::ike_up), 0U);
  EXPECT_EQ(b.sent.size(), 1U);
  EXPECT_EQ(b.last(Event::Kind::dropped)->failure->code, Reason::unexpected);
  net.filter = {};
  net.run(seconds(10));  // the retransmission is untouched, and the SA was not harmed
  EXPECT_EQ(b.count(Event::Kind::ike_up), 1U);
}

}  // namespace
}  // namespace espgate::sim
