// SPDX-License-Identifier: Apache-2.0
// A process that dies and the one after it, which goes on with its records: nothing is negotiated anew, traffic always
// has a pair of SAs to go by, and no IV is used twice.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <random>

#include "tests/sim/pair.h"

namespace espgate::sim {
namespace {

using Kind = ike::Event::Kind;

class Resume : public Pair {
 protected:
  // What one host sends now goes by its newest outbound SA: the other one has to have the inbound half.
  static bool carries(const Host& from, const Host& to) {
    if (from.outbound.empty()) return false;
    const auto& spec = from.sad.at(*from.outbound.rbegin());
    return std::ranges::any_of(to.receiving, [&](auto id) { return to.sad.at(id).spi_in == spec.spi_out; });
  }
  void run_carrying(base::Duration duration) {
    for (const auto end = net.now + duration; net.now < end;) {
      net.run(milliseconds(20));
      ASSERT_TRUE(carries(a, b)) << "a to b at " << net.now.time_since_epoch().count();
      ASSERT_TRUE(carries(b, a)) << "b to a at " << net.now.time_since_epoch().count();
    }
  }
  void expect_no_renegotiation() {
    for (auto* host : {&a, &b}) {
      EXPECT_EQ(host->count(Kind::ike_up), 1U) << host->name();
      EXPECT_EQ(host->count(Kind::ike_down), 0U) << host->name();
      EXPECT_EQ(host->count(Kind::ike_failed), 0U) << host->name();
      EXPECT_EQ(host->count(Kind::child_up), 1U) << host->name();
      EXPECT_EQ(host->count(Kind::child_down), 0U) << host->name();
      EXPECT_EQ(host->ivs_reused, 0U) << host->name();
    }
  }
};

TEST_F(Resume, AQuietSaGoesOnAsIfNothingHadBeen) {
  for_a.dpd_delay = for_b.dpd_delay = seconds(10);
  establish();
  const auto before = a.list().front();
  const auto sent = a.sent.size() + b.sent.size();
  for (int i = 0; i < 10; ++i) {
    a.kill(milliseconds(100));
    b.kill(milliseconds(150));
    net.run(milliseconds(500));
  }
  EXPECT_EQ(a.sent.size() + b.sent.size(), sent) << "the peer notices nothing";
  const auto after = a.list().front();
  EXPECT_EQ(after.id, before.id);
  EXPECT_EQ(after.spi_i, before.spi_i);
  EXPECT_EQ(after.established_at, before.established_at);
  EXPECT_EQ(after.suite, before.suite);
  ASSERT_EQ(after.children.size(), 1U);
  EXPECT_EQ(after.children[0].id, before.children[0].id);
  EXPECT_EQ(after.children[0].spi_in, before.children[0].spi_in);
  run_carrying(seconds(60));
  expect_settled();
  expect_no_renegotiation();
  EXPECT_EQ(a.count(Kind::ike_resumed), 10U);
  EXPECT_LE(a.longest_record, 1024U);
  std::printf("longest record: %zu octets\n", a.longest_record);
  a.rekey(ike::Rekey{{}, "site", {}, {}, {}});
  a.rekey(ike::Rekey{{}, "site", "net", {}, {}});
  expect_settled();
  EXPECT_NE(a.list().front().id, before.id) << "numbers are not given out twice";
}

TEST_F(Resume, CbcAndPfsOfEachKind) {
  for (const auto* group : {"x25519", "x448", "ecp256", "ecp384", "modp2048"}) {
    Net own(7);
    Host c{own, "c", "192.0.2.1", 11};
    Host d{own, "d", "198.51.100.2", 22};
    Side side;
    side.ike = std::string("aes256-sha256-prfsha256-") + group;
    side.esp = std::string("aes256-sha256-") + group;
    c.load(config(side));
    d.load(config(mirrored(side)));
    const auto id = c.initiate("site", "", d);
    ASSERT_TRUE(own.run_until([&] { return c.result(id) != nullptr; })) << group;
    ASSERT_TRUE(c.succeeded(id)) << group;
    own.run(seconds(1));
    // The answer finds another process than the one that asked.
    for (const auto* child : {"net", ""}) {
      c.rekey(ike::Rekey{{}, "site", child, {}, {}});
      c.kill(milliseconds(200));
      own.run(seconds(20));
    }
    EXPECT_EQ(c.count(Kind::ike_rekeyed), 1U) << group;
    EXPECT_EQ(c.count(Kind::child_rekeyed), 1U) << group;
    EXPECT_EQ(c.count(Kind::ike_down) + d.count(Kind::ike_down), 0U) << group;
    expect_agreement(c, d);
  }
}

TEST_F(Resume, WhatTheConfigurationLostIsClosed) {
  for_a.children.push_back({"other", {"10.3.0.0/16", "10.4.0.0/16"}});
  for_b.children = mirrored(for_a).children;
  establish();
  const auto other = a.initiate("site", "other", b);
  net.run(seconds(2));
  ASSERT_TRUE(a.succeeded(other));
  for_a.children.pop_back();
  a.load_later(config(for_a));
  a.kill(milliseconds(100));
  expect_settled(1);
  a.load_later(ike::Config{});
  a.kill(milliseconds(100));
  expect_nothing_left();
}

TEST_F(Resume, ASpoiltRecordSpoilsAll) {
  establish();
  ike::Config with = config(for_a);
  std::vector<ike::Record::Entry> records;
  for (const auto& [key, octets] : a.records) records.push_back({key, octets.clone()});
  ASSERT_EQ(ike::children_of(records, with).value().size(), 1U);
  records.back().octets.bytes()[1] = 99;  // to be read from version 99 on
  EXPECT_TRUE(ike::children_of(records, with)) << "by our own version it is read all the same";
  records.back().octets.bytes()[0] = 99;
  EXPECT_FALSE(ike::children_of(records, with));
}

void write_corpus(const std::string& folder, const Host& host) {
  for (const auto& [key, octets] : host.records) {
    std::ofstream out(folder + "/" + std::to_string(key), std::ios::binary);
    out << (key == 0 ? '\1' : '\0') << base::as_text(octets.view());
  }
}

// Kills at any moment, also between two actions that one input caused, under loss and with rekeys all the time.
class ResumeSeeds : public Resume, public ::testing::WithParamInterface<int> {};

TEST_P(ResumeSeeds, KillsAtRandomMoments) {
  std::mt19937 random(static_cast<unsigned>(GetParam()));
  const auto up_to = [&](unsigned most) { return static_cast<int>(random() % most); };
  const bool pfs = GetParam() % 3 == 0;
  if (pfs) for_a.esp = for_b.esp = "aes128gcm16-x25519";
  for_a.child_time = {20, 600, 8};
  for_b.child_time = {25, 600, 12};
  for_a.ike_time = {60, 1200, 20};
  for_b.ike_time = {70, 1200, 30};
  for_a.dpd_delay = for_b.dpd_delay = seconds(7);
  establish();
  net.weather = {GetParam() % 2 == 0 ? 10 : 0, 5, 0, milliseconds(10), milliseconds(15)};
  for (int i = 0; i < 40; ++i) {
    auto& host = up_to(2) == 0 ? a : b;
    host.kill(milliseconds(20 + up_to(400)), up_to(3) == 0 ? 0 : 1 + up_to(8));
    run_carrying(milliseconds(500 + up_to(12000)));
    if (HasFatalFailure()) return;
  }
  net.weather = {};
  run_carrying(seconds(100));
  expect_no_renegotiation();
  EXPECT_GT(a.count(Kind::child_rekeyed), 5U);
  EXPECT_GT(a.count(Kind::ike_rekeyed), 1U);
  EXPECT_GT(a.lives + b.lives, 20U);
  if (const char* to = std::getenv("ESPGATE_RECORDS_TO")) write_corpus(to, a);  // for tests/fuzz/ike_record_fuzz.cc
  for (auto* host : {&a, &b}) {
    ASSERT_EQ(host->list().size(), 1U) << host->name();
    EXPECT_LE(host->sad.size(), 3U) << host->name();
    EXPECT_LE(host->records.size(), 4U) << host->name() << ": records of what is over";
  }
}

int seeds() { return std::getenv("ESPGATE_SOAK") != nullptr ? 3000 : 60; }

INSTANTIATE_TEST_SUITE_P(Any, ResumeSeeds, ::testing::Range(0, seeds()));

}  // namespace
}  // namespace espgate::sim
