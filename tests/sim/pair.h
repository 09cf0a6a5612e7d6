// SPDX-License-Identifier: Apache-2.0
// Two gateways, "a" and "b", with one connection between them: the setting of nearly every test.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "tests/sim/sim_net.h"

namespace espgate::sim {

inline std::vector<ike::Proposal> proposals(ike::Protocol protocol, std::string_view text) {
  auto parsed = ike::parse_proposals(protocol, text);
  if (!parsed) throw std::invalid_argument(std::string(text) + ": " + parsed.error());
  return *parsed;
}

// "aes128gcm16-prfsha256-x25519,aes256-sha256-modp2048": several by comma, in order.
inline std::vector<ike::Proposal> all_proposals(ike::Protocol protocol, std::string_view text) {
  std::vector<ike::Proposal> out;
  while (!text.empty()) {
    const auto comma = text.find(',');
    for (auto& proposal : proposals(protocol, text.substr(0, comma))) out.push_back(std::move(proposal));
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
  }
  return out;
}

// What a test may want otherwise on one side.
struct Side {
  std::string ike = "aes128gcm16-prfsha256-x25519";
  std::string esp = "aes128gcm16";
  std::string own_id, peer_id;  // empty: %any
  std::string psk = "correct horse battery staple";
  std::vector<std::pair<std::string, std::pair<std::string, std::string>>> children = {
      {"net", {"10.1.0.0/16", "10.2.0.0/16"}}};  // name, (local, remote)
  base::SaMode mode = base::SaMode::tunnel;
  bool encap = false;
  ike::Unique unique = ike::Unique::no;
  base::Duration dpd_delay{0};
  ike::Lifetime child_time, ike_time;
  std::uint64_t reauth = 0;                      // seconds
  std::function<void(ike::ConnConfig&)> adjust;  // whatever else
};

inline ike::TsConfig ts(const std::string& text) {
  if (text == "dynamic") return {true, base::TrafficSelector::of(*base::Prefix::parse("0.0.0.0/0"))};
  return {false, base::TrafficSelector::of(base::Prefix::parse(text).value())};
}

inline ike::Identity identity(const std::string& text) {
  return text.empty() ? ike::Identity{} : ike::Identity::parse(text).value();
}

inline ike::Config config(const Side& side) {
  auto conn = std::make_shared<ike::ConnConfig>();
  conn->name = "site";
  conn->proposals = all_proposals(ike::Protocol::ike, side.ike);
  conn->local.id = identity(side.own_id);
  conn->remote.id = identity(side.peer_id);
  conn->encap = side.encap;
  conn->unique = side.unique;
  conn->dpd_delay = side.dpd_delay;
  conn->time = side.ike_time;
  conn->reauth = side.reauth;
  for (const auto& [name, selectors] : side.children) {
    ike::ChildConfig child;
    child.name = name;
    child.mode = side.mode;
    child.time = side.child_time;
    child.esp_proposals = all_proposals(ike::Protocol::esp, side.esp);
    child.local_ts.push_back(ts(selectors.first));
    child.remote_ts.push_back(ts(selectors.second));
    conn->children.push_back(std::move(child));
  }
  if (side.adjust) side.adjust(*conn);
  ike::Config out;
  out.conns.push_back(std::move(conn));
  if (!side.psk.empty()) out.secrets.push_back({"psk", {}, base::Secret::copy_of(base::as_bytes(side.psk))});
  return out;
}

inline Side mirrored(Side side) {
  for (auto& [name, selectors] : side.children) std::swap(selectors.first, selectors.second);
  std::swap(side.own_id, side.peer_id);
  return side;
}

class Pair : public ::testing::Test {
 protected:
  Net net;
  Host a{net, "a", "192.0.2.1", 11};
  Host b{net, "b", "198.51.100.2", 22};
  Side for_a, for_b = mirrored(Side{});

  void load() {
    a.load(config(for_a));
    b.load(config(for_b));
  }
  // Brings the first child up from a, or fails the test.
  void establish() {
    load();
    const auto id = a.initiate("site", "", b);
    ASSERT_TRUE(net.run_until([&] { return a.result(id) != nullptr; }));
    ASSERT_TRUE(a.succeeded(id)) << a.result(id)->failure->text;
    net.run(seconds(1));
  }
  // The command's failure, after it was waited for.
  ike::Failure failure(Host& host, ike::RequestId id) {
    net.run_until([&] { return host.result(id) != nullptr; });
    const auto* done = host.result(id);
    EXPECT_TRUE(done != nullptr && done->failure) << "the command did not fail";
    return done != nullptr && done->failure ? *done->failure : ike::Failure{};
  }
  // Both ends hold the same children with each other's keys, and nothing is left over.
 public:
  static void expect_agreement(const Host& left, const Host& right) {
    ASSERT_EQ(left.sad.size(), right.sad.size());
    for (const auto& [id, mine] : left.sad) {
      const auto theirs =
          std::ranges::find_if(right.sad, [&](const auto& entry) { return entry.second.spi_in == mine.spi_out; });
      ASSERT_NE(theirs, right.sad.end()) << "no peer for SPI " << mine.spi_out.text();
      const auto& other = theirs->second;
      EXPECT_EQ(mine.spi_in, other.spi_out);
      EXPECT_EQ(mine.suite, other.suite);
      EXPECT_EQ(mine.mode, other.mode);
      EXPECT_EQ(mine.encap, other.encap);
      EXPECT_EQ(mine.local_ts, other.remote_ts);
      EXPECT_EQ(mine.remote_ts, other.local_ts);
      EXPECT_TRUE(base::equal_constant_time(mine.keys.cipher_in.view(), other.keys.cipher_out.view()));
      EXPECT_TRUE(base::equal_constant_time(mine.keys.cipher_out.view(), other.keys.cipher_in.view()));
      EXPECT_TRUE(base::equal_constant_time(mine.keys.auth_in.view(), other.keys.auth_out.view()));
      EXPECT_TRUE(base::equal_constant_time(mine.keys.auth_out.view(), other.keys.auth_in.view()));
      EXPECT_EQ(mine.keys.cipher_in.size(), mine.suite.cipher_key_octets());
      EXPECT_EQ(mine.keys.auth_in.size(), mine.suite.auth_key_octets());
      const auto& [in, out] = mine.suite.ah() ? std::tie(mine.keys.auth_in, mine.keys.auth_out)
                                              : std::tie(mine.keys.cipher_in, mine.keys.cipher_out);
      EXPECT_FALSE(base::equal_constant_time(in.view(), out.view()));
    }
  }

 protected:
  // One generation of each child, in both directions, the same at both ends, and nothing under way.
  void expect_settled(std::size_t children = 1) {
    net.run(seconds(30));
    expect_agreement(a, b);
    for (auto* host : {&a, &b}) {
      EXPECT_EQ(host->sad.size(), children) << host->name();
      EXPECT_EQ(host->outbound.size(), children) << host->name();
      EXPECT_EQ(host->receiving.size(), children) << host->name();
      const auto ikes = host->list();
      ASSERT_EQ(ikes.size(), 1U) << host->name();
      EXPECT_EQ(ikes[0].state, "ESTABLISHED");
      ASSERT_EQ(ikes[0].children.size(), children) << host->name();
      for (const auto& child : ikes[0].children) EXPECT_EQ(child.state, "INSTALLED") << host->name();
    }
    EXPECT_EQ(a.list()[0].spi_i, b.list()[0].spi_i);
    EXPECT_EQ(a.list()[0].spi_r, b.list()[0].spi_r);
  }
  // No SA, no timer, no child anywhere, once everything has had the time to run out.
  void expect_nothing_left() {
    net.run(seconds(400));
    for (auto* host : {&a, &b}) {
      EXPECT_TRUE(host->list().empty()) << host->name();
      EXPECT_TRUE(host->sad.empty()) << host->name();
      EXPECT_FALSE(host->engine().next_timer().has_value()) << host->name();
    }
  }
};

}  // namespace espgate::sim
