// SPDX-License-Identifier: Apache-2.0
// IKE fragmentation (RFC 7383): messages too long for the path, in pieces that are lost, repeated and forged.
#include <cstdlib>
#include <set>

#include "ike/wire/message.h"
#include "tests/pki/pki.h"
#include "tests/sim/pair.h"

namespace espgate::sim {
namespace {

using ike::Event;
using ike::Fragmentation;
using ike::Reason;

constexpr std::uint32_t kPacket = 600;

class Fragments : public Pair {
 protected:
  // Both sides' certificates make IKE_AUTH longer than a packet.
  std::shared_ptr<ike::ConnConfig> conn_a, conn_b;
  ike::Config all_a, all_b;

  static std::shared_ptr<ike::ConnConfig> prepare(ike::Config& whole, const Side& side, int number) {
    static const auto root = pki::self_signed({.subject = "CN=root", .ca = true}, pki::ec("P-256", 1));
    const auto own = pki::issue(root, {.subject = "O=" + std::string(60, 'x') + ", CN=end"}, pki::rsa(number));
    whole = config(side);
    auto conn = std::make_shared<ike::ConnConfig>(*whole.conns[0]);
    conn->local.method = conn->remote.method = ike::AuthMethod::pubkey;
    conn->local.credentials.push_back({own.cert, pki::private_key(own.key), {}});
    conn->local.id = own.cert.subject();
    conn->remote.trust = ike::crypto::TrustStore::make({root.cert}, {});
    whole.conns[0] = conn;
    whole.fragment_size = kPacket;
    return conn;
  }
  void SetUp() override {
    net.now += std::chrono::hours(1000);
    conn_a = prepare(all_a, for_a, 1);
    conn_b = prepare(all_b, for_b, 2);
  }
  void load_all() {
    a.load(std::move(all_a));
    b.load(std::move(all_b));
  }
  bool comes_up() {
    const auto id = a.initiate("site", "", b);
    net.run_until([&] { return a.result(id) != nullptr; });
    net.run(seconds(1));
    return a.succeeded(id);
  }
  static bool is_fragment(const ike::Datagram& datagram) {
    const auto header = ike::wire::parse_header(datagram.data);
    return header && header->next == ike::wire::PayloadType::skf;
  }
  static std::size_t fragments_of(const Host& host) {
    std::size_t out = 0;
    for (const auto& [when, datagram] : host.sent) out += is_fragment(datagram) ? 1 : 0;
    return out;
  }
};

TEST_F(Fragments, LongMessagesGoInPieces) {
  load_all();
  ASSERT_TRUE(comes_up());
  expect_agreement(a, b);
  for (const auto* host : {&a, &b}) {
    EXPECT_GE(fragments_of(*host), 2U) << host->name();
    for (const auto& [when, datagram] : host->sent) EXPECT_LE(datagram.data.size() + 28, kPacket);
  }
}

TEST_F(Fragments, EveryCipher) {
  for (const auto* suite : {"aes256-sha512-ecp256", "chacha20poly1305-prfsha256-x25519"}) {
    SetUp();
    conn_a->proposals = conn_b->proposals = all_proposals(ike::Protocol::ike, suite);
    load_all();
    ASSERT_TRUE(comes_up()) << suite;
    expect_agreement(a, b);
    for (const auto& [when, datagram] : a.sent) EXPECT_LE(datagram.data.size() + 28, kPacket);
    ike::Terminate all;
    all.conn = "site";
    a.terminate(all);
    net.run(seconds(100));
  }
}

TEST_F(Fragments, OnlyIfBothSidesWantThem) {
  struct Case {
    Fragmentation a, b;
    bool from_a, from_b;
  };
  const Case cases[] = {{Fragmentation::yes, Fragmentation::no, false, false},
                        {Fragmentation::no, Fragmentation::yes, false, false},
                        {Fragmentation::yes, Fragmentation::accept, true, false},
                        {Fragmentation::accept, Fragmentation::yes, false, true}};
  for (const auto& one : cases) {
    SetUp();
    a.sent.clear();
    b.sent.clear();
    conn_a->fragmentation = one.a;
    conn_b->fragmentation = one.b;
    load_all();
    ASSERT_TRUE(comes_up());
    EXPECT_EQ(fragments_of(a) > 0, one.from_a);
    EXPECT_EQ(fragments_of(b) > 0, one.from_b);
    ike::Terminate all;
    all.conn = "site";
    a.terminate(all);
    net.run(seconds(100));
  }
}

TEST_F(Fragments, WhateverTheWeather) {
  net.weather = {.loss = 15, .duplicate = 30, .garble = 5, .delay = milliseconds(20), .jitter = milliseconds(500)};
  load_all();
  ASSERT_TRUE(comes_up());
  expect_agreement(a, b);
}

TEST_F(Fragments, ALostAnswerIsRepeatedToTheOctet) {
  load_all();
  std::set<base::Bytes> answers;
  bool dropped = false;
  net.filter = [&](ike::Datagram& datagram) {
    if (datagram.local.address != b.address() || !is_fragment(datagram)) return true;
    const bool known = !answers.insert(datagram.data).second;
    if (known) dropped = true;
    return known;  // the first time each of them is lost
  };
  ASSERT_TRUE(comes_up());
  EXPECT_TRUE(dropped);
  EXPECT_EQ(answers.size(), fragments_of(b) / 2) << "no fragment was made anew";
  EXPECT_EQ(b.installs, 1U);
  expect_agreement(a, b);
}

TEST_F(Fragments, OnlyTheFirstFragmentAsksForTheAnswerAgain) {
  load_all();
  ASSERT_TRUE(comes_up());
  std::vector<ike::Datagram> requests;
  for (const auto& [when, datagram] : a.sent) {
    if (is_fragment(datagram)) requests.push_back(datagram);
  }
  const auto arrives = [&](ike::Datagram datagram) {
    std::swap(datagram.local, datagram.remote);
    const auto before = b.sent.size();
    b.datagram(std::move(datagram));
    return b.sent.size() - before;
  };
  EXPECT_EQ(arrives(requests.at(0)), fragments_of(b));
  EXPECT_EQ(arrives(requests.at(1)), 0U);
  auto forged = requests.at(0);
  forged.data.back() ^= 1;
  EXPECT_EQ(arrives(forged), 0U);
  EXPECT_EQ(b.count(Event::Kind::ike_up), 1U);
}

// What somebody between the two, who has no key, can do to fragments.
TEST_F(Fragments, ForgedFragmentsDoNoHarm) {
  load_all();
  net.filter = [&](ike::Datagram& datagram) {
    if (!is_fragment(datagram) || datagram.local.address != a.address()) return true;
    for (const auto& [number, total] : {std::pair{1, 2}, {2, 2}, {7, 99}, {0, 1}, {3, 2}, {1, 0xffff}, {128, 128}}) {
      auto forged = datagram;
      forged.data[32] = static_cast<std::uint8_t>(number >> 8);
      forged.data[33] = static_cast<std::uint8_t>(number);
      forged.data[34] = static_cast<std::uint8_t>(total >> 8);
      forged.data[35] = static_cast<std::uint8_t>(total);
      if (forged.data == datagram.data) forged.data.back() ^= 1;
      std::swap(forged.local, forged.remote);
      b.datagram(std::move(forged));
    }
    return true;
  };
  ASSERT_TRUE(comes_up());
  expect_agreement(a, b);
}

// A million with ESPGATE_SOAK=1.
TEST_F(Fragments, FloodsOfFragmentsLeaveNothing) {
  const int each = std::getenv("ESPGATE_SOAK") != nullptr ? 500'000 : 20'000;
  load_all();
  std::optional<ike::Datagram> one;
  net.filter = [&](ike::Datagram& datagram) {
    if (!is_fragment(datagram) || datagram.local.address != a.address()) return true;
    if (!one) one = datagram;
    return false;  // b never gets a whole message
  };
  const auto id = a.initiate("site", "", b);
  net.run(seconds(1));
  ASSERT_TRUE(one.has_value());
  std::swap(one->local, one->remote);
  for (int i = 0; i < each; ++i) b.datagram(*one);  // the same; then others, of which none is the peer's
  for (int i = 0; i < each; ++i) {
    auto other = *one;
    other.data[33] = static_cast<std::uint8_t>(1 + i % 128);
    other.data[35] = 128;
    b.datagram(std::move(other));
  }
  EXPECT_LT(b.events.size(), 100U) << "lines are limited";
  net.run_until([&] { return a.result(id) != nullptr; });
  EXPECT_EQ(a.failed(id), Reason::timeout);
  expect_nothing_left();
}

TEST_F(Fragments, WithoutTheNotifyAFragmentIsNothing) {
  conn_b->fragmentation = Fragmentation::no;
  load_all();
  net.filter = [&](ike::Datagram& datagram) {
    auto header = ike::wire::peek_header(datagram.data);
    if (header && header->next == ike::wire::PayloadType::sk && datagram.local.address == a.address()) {
      datagram.data[16] = static_cast<std::uint8_t>(ike::wire::PayloadType::skf);
    }
    return true;
  };
  const auto id = a.initiate("site", "", b);
  net.run_until([&] { return a.result(id) != nullptr; });
  EXPECT_EQ(a.failed(id), Reason::timeout);
  net.filter = {};
  expect_nothing_left();
}

}  // namespace
}  // namespace espgate::sim
