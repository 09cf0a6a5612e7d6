// SPDX-License-Identifier: Apache-2.0
#include "ike/peer_select.h"

#include <gtest/gtest.h>

namespace espgate::ike {
namespace {

const auto kLocal = *base::Address::parse("198.51.100.2");
const auto kRemote = *base::Address::parse("192.0.2.1");

Identity id(const char* text) { return Identity::parse(text).value(); }

std::shared_ptr<ConnConfig> conn(const char* name) {
  auto out = std::make_shared<ConnConfig>();
  out->name = name;
  return out;
}

SharedSecret secret(const char* name, std::vector<const char*> owners) {
  SharedSecret out;
  out.name = name;
  for (const auto* owner : owners) out.owners.push_back(id(owner));
  return out;
}

TEST(PeerSelect, TheLongerPrefixWins) {
  Config config;
  auto any = conn("any"), net = conn("net"), host = conn("host"), other = conn("other");
  net->remote_addrs = {*base::Prefix::parse("192.0.2.0/24")};
  host->remote_addrs = {*base::Prefix::parse("192.0.2.1")};
  other->remote_addrs = {*base::Prefix::parse("203.0.113.0/24")};
  config.conns = {any, other, net, host};
  const auto found = fitting(config, kLocal, kRemote);
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0]->name, "host");
  EXPECT_EQ(found[1]->name, "net");
  EXPECT_EQ(found[2]->name, "any");
}

TEST(PeerSelect, IdentitiesCountBeforeAddresses) {
  Config config;
  auto exact = conn("exact"), wild = conn("wild"), close = conn("close");
  exact->remote.id = id("a.example.org");
  wild->remote.id = id("*.example.org");
  close->remote_addrs = {*base::Prefix::parse("192.0.2.1")};
  config.conns = {close, wild, exact};
  const auto found = fitting(config, kLocal, kRemote, id("a.example.org"), std::nullopt);
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0]->name, "exact");
  EXPECT_EQ(found[1]->name, "wild");
  EXPECT_EQ(found[2]->name, "close");
  EXPECT_EQ(fitting(config, kLocal, kRemote, id("b.example.net"), std::nullopt).size(), 1U);
}

TEST(PeerSelect, TheIdentityAskedForMustBeOurs) {
  Config config;
  auto named = conn("named");
  named->local.id = id("b.example.org");
  config.conns = {named};
  EXPECT_EQ(fitting(config, kLocal, kRemote, id("a"), id("b.example.org")).size(), 1U);
  EXPECT_EQ(fitting(config, kLocal, kRemote, id("a"), id("c.example.org")).size(), 0U);
  EXPECT_EQ(fitting(config, kLocal, kRemote, id("a"), std::nullopt).size(), 1U);
}

TEST(PeerSelect, OwnIdentity) {
  auto plain = conn("plain");
  EXPECT_EQ(own_identity(*plain, kLocal).text(), "198.51.100.2");
  EXPECT_EQ(own_identity(*plain, kLocal, id("b.example.org")).text(), "b.example.org");
  plain->local.id = id("gw.example.org");
  EXPECT_EQ(own_identity(*plain, kLocal, id("b.example.org")).text(), "gw.example.org");
}

TEST(PeerSelect, TheMostSpecificSecretWins) {
  Config config;
  config.secrets.push_back(secret("anyone", {}));
  config.secrets.push_back(secret("domain", {"*.example.org"}));
  config.secrets.push_back(secret("both", {"b", "a.example.org"}));
  config.secrets.push_back(secret("peer", {"a.example.org"}));
  EXPECT_EQ(choose_secret(config, id("b"), id("a.example.org"))->name, "both");
  EXPECT_EQ(choose_secret(config, id("c"), id("a.example.org"))->name, "both") << "the first of equals";
  EXPECT_EQ(choose_secret(config, id("b"), id("z.example.org"))->name, "domain");
  EXPECT_EQ(choose_secret(config, id("b"), id("z.example.net"))->name, "anyone");
}

TEST(PeerSelect, ASecretSharedWithSomebodyElseIsNoSecret) {
  Config config;
  config.secrets.push_back(secret("other", {"b", "c"}));
  EXPECT_EQ(choose_secret(config, id("b"), id("a")), nullptr);
  EXPECT_NE(choose_secret(config, id("b"), id("c")), nullptr);
}

}  // namespace
}  // namespace espgate::ike
