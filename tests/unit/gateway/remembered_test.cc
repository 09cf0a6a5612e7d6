// SPDX-License-Identifier: Apache-2.0
#include "gateway/remembered.h"

#include <gtest/gtest.h>

#include "control/vici/codec.h"

namespace espgate::gateway {
namespace {

using control::Store;
using control::vici::load_again;
using control::vici::Message;

Message connection(std::string_view name) {
  Message child, children, body, out;
  child.list("remote_ts", {"10.2.0.0/24"});
  children.section("net", std::move(child));
  Message local, remote;
  local.set("auth", "psk").set("id", "a.example.org");
  remote.set("auth", "psk");
  body.set("version", "2").list("remote_addrs", {"192.0.2.1"});
  body.section("local", std::move(local)).section("remote", std::move(remote)).section("children", std::move(children));
  out.section(name, std::move(body));
  return out;
}

Store empty() {
  Store out;
  out.take_file(std::move(*control::load_text("", "espgate.conf").config), std::nullopt);
  return out;
}

TEST(Remembered, WhatStandsInForAnotherHasItsKeyAndTheRestIsAppended) {
  Remembered it;
  const auto key = [&](const char* command, const char* name) {
    const auto record = it.set({command, name}, base::Secret(8));
    EXPECT_EQ(record.entries.size(), 1U);
    return record.entries.at(0).key;
  };
  const auto first = key("load-conn", "a");
  EXPECT_TRUE(Remembered::is_one(first));
  const auto second = key("load-pool", "a");
  EXPECT_GT(second, first);
  EXPECT_EQ(key("load-conn", "a"), first);
  const auto nameless = key("load-shared", "");
  EXPECT_GT(nameless, second);
  EXPECT_GT(key("load-shared", ""), nameless);
  EXPECT_EQ(it.forget("load-shared", std::nullopt).entries.size(), 2U);
  EXPECT_TRUE(it.forget("load-shared", std::nullopt).entries.empty());
  EXPECT_TRUE(it.forget("load-conn", "b").entries.empty());
}

TEST(Remembered, ConnectionsThatTheFileHasAreForgotten) {
  Remembered it;
  it.take(7, {"load-conn", "a"});
  it.take(9, {"load-conn", "b"});
  it.take(8, {"load-pool", "a"});
  const auto gone = it.only_conns({"b"});
  ASSERT_EQ(gone.entries.size(), 1U);
  EXPECT_EQ(gone.entries[0].key, 7U);
  EXPECT_TRUE(gone.entries[0].octets.empty());
  EXPECT_EQ(it.set({"load-conn", "c"}, base::Secret(1)).entries.at(0).key, 10U);  // no key of a former process
}

TEST(Remembered, KeysAreNeverThoseOfIkeSas) {
  EXPECT_FALSE(Remembered::is_one(0));
  EXPECT_TRUE(Remembered::is_one(1));
  EXPECT_FALSE(Remembered::is_one(std::uint64_t{1} << 32U));
}

TEST(LoadAgain, WhatWasTakenIsTakenByTheNextStore) {
  const auto conn = connection("site");
  Message secret;
  secret.set("id", "s").set("type", "IKE").set("data", "a secret").list("owners", {"a.example.org"});
  auto next = empty();
  const auto shared = load_again(next, control::vici::kept_octets("load-shared", secret).view());
  ASSERT_TRUE(shared) << shared.error();
  EXPECT_EQ(shared->name, "s");
  const auto done = load_again(next, control::vici::kept_octets("load-conn", conn).view());
  ASSERT_TRUE(done) << done.error();
  EXPECT_EQ(done->command, "load-conn");
  EXPECT_EQ(done->name, "site");
  EXPECT_EQ(next.conns(), std::vector<std::string>{"site"});
  EXPECT_EQ(next.shared(), std::vector<std::string>{"s"});
  EXPECT_EQ(next.compose(nullptr).ike->conns.size(), 1U);
}

TEST(LoadAgain, WhatIsNoSuchMessageIsRefused) {
  auto store = empty();
  EXPECT_FALSE(load_again(store, {}));
  const base::Bytes noise{1, 2, 3, 4};
  EXPECT_FALSE(load_again(store, noise));
  EXPECT_FALSE(load_again(store, control::vici::kept_octets("terminate", connection("site")).view()));
  EXPECT_FALSE(load_again(store, control::vici::kept_octets("load-conn", Message()).view()));
  EXPECT_TRUE(store.conns().empty());
}

}  // namespace
}  // namespace espgate::gateway
