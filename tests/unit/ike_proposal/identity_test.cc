// SPDX-License-Identifier: Apache-2.0
#include "ike/identity.h"

#include <gtest/gtest.h>

namespace espgate::ike {
namespace {

Identity id(std::string_view text) { return Identity::parse(text).value(); }

struct Case {
  const char* text;
  IdType type;
  const char* shown;
};

TEST(Identity, ParsesAndShows) {
  const Case cases[] = {
      {"%any", IdType::any, "%any"},
      {"192.0.2.1", IdType::ipv4, "192.0.2.1"},
      {"2001:db8::1", IdType::ipv6, "2001:db8::1"},
      {"gw.example.org", IdType::fqdn, "gw.example.org"},
      {"@gw", IdType::fqdn, "gw"},
      {"@192.0.2.1", IdType::fqdn, "192.0.2.1"},
      {"fqdn:gw", IdType::fqdn, "gw"},
      {"@#6b6579", IdType::key_id, "key"},
      {"@#00ff", IdType::key_id, "@#00ff"},
      {"keyid:some key", IdType::key_id, "some key"},
      {"me@example.org", IdType::email, "me@example.org"},
      {"@@me", IdType::email, "me"},
      {"email:me@example.org", IdType::email, "me@example.org"},
      {"ipv4:192.0.2.1", IdType::ipv4, "192.0.2.1"},
  };
  for (const auto& one : cases) {
    EXPECT_EQ(id(one.text).type, one.type) << one.text;
    EXPECT_EQ(id(one.text).text(), one.shown) << one.text;
  }
}

TEST(Identity, Refuses) {
  for (const auto* text :
       {"", "@", "@#", "@#6b6", "@#xy", "C=", "XX=y", "C=CH, nothing", "dn:", "ipv4:gw", "ipv6:192.0.2.1", "fqdn:"}) {
    EXPECT_FALSE(Identity::parse(text)) << text;
  }
}

TEST(Identity, ControlCharactersAreEscaped) {
  EXPECT_EQ((Identity{IdType::fqdn, {'a', 0x1b, '\n', '\\', 0xff}}).text(), "a\\x1b\\x0a\\x5c\\xff");
  EXPECT_EQ((Identity{IdType::ipv4, {1, 2}}).text(), "type 1 0102");
  EXPECT_EQ((Identity{static_cast<IdType>(10), {1, 2}}).text(), "type 10 0102");
}

TEST(Identity, Admits) {
  EXPECT_TRUE(id("%any").admits(id("gw")));
  EXPECT_TRUE(id("GW.example.org").admits(id("gw.Example.org")));
  EXPECT_FALSE(id("gw").admits(id("gw2")));
  EXPECT_FALSE(id("gw").admits(id("%any")));
  EXPECT_FALSE(id("192.0.2.1").admits(id("@192.0.2.1")));
  EXPECT_TRUE(id("192.0.2.1").admits(id("192.0.2.1")));
  EXPECT_TRUE(id("keyid:Key").admits(id("keyid:Key")));
  EXPECT_FALSE(id("keyid:Key").admits(id("keyid:key")));
}

TEST(Identity, Wildcards) {
  EXPECT_TRUE(id("*.example.org").admits(id("gw.example.org")));
  EXPECT_TRUE(id("*.example.org").admits(id("a.b.EXAMPLE.org")));
  EXPECT_FALSE(id("*.example.org").admits(id("example.org")));
  EXPECT_FALSE(id("*.example.org").admits(id(".example.org")));
  EXPECT_FALSE(id("*.example.org").admits(id("gwexample.org")));
  EXPECT_FALSE(id("*.example.org").admits(id("me@x.example.org")));
  EXPECT_TRUE(id("*@example.org").admits(id("me@example.org")));
  EXPECT_FALSE(id("*@example.org").admits(id("me@other.example.org")));
}

TEST(Identity, AnyLeadingStarIsAWildcard) {
  EXPECT_TRUE(id("*example.org").admits(id("gw-example.org")));
  EXPECT_TRUE(id("*example.org").pattern());
  EXPECT_FALSE(id("gw.example.org").pattern());
  EXPECT_FALSE(id("gw*").admits(id("gw1")));
  EXPECT_FALSE(id("gw.example.org").admits(id("*.example.org")));
}

TEST(Identity, SubnetsAndRangesArePatterns) {
  EXPECT_TRUE(id("192.0.2.0/24").admits(id("192.0.2.77")));
  EXPECT_FALSE(id("192.0.2.0/24").admits(id("192.0.3.1")));
  EXPECT_TRUE(id("192.0.2.1-192.0.2.9").admits(id("192.0.2.9")));
  EXPECT_FALSE(id("192.0.2.1-192.0.2.9").admits(id("192.0.2.10")));
  EXPECT_TRUE(id("2001:db8::/32").admits(id("2001:db8::1")));
  EXPECT_FALSE(id("::/0").admits(id("192.0.2.1")));
  EXPECT_FALSE(id("192.0.2.0/24").admits(id("gw")));
  EXPECT_EQ(id("192.0.2.0/24").text(), "192.0.2.0-192.0.2.255");
  const Identity shown{IdType::ipv4_subnet, {192, 0, 2, 0, 255, 255, 255, 0}};
  EXPECT_FALSE(id("192.0.2.0/24").admits(shown)) << "nobody is a subnet";
}

TEST(DistinguishedName, ParsesAndShows) {
  EXPECT_EQ(id("C=CH, O=Example, CN=gw.example.org").type, IdType::dn);
  EXPECT_EQ(base::to_hex(id("C=CH, CN=x").data),
            "3019310b3009060355040613024348310a300806035504031301"
            "78");
  EXPECT_EQ(id("C=CH, O=Example, CN=gw").text(), "C=CH, O=Example, CN=gw");
  EXPECT_EQ(id("/C=CH/O=Example/CN=gw").data, id("C=CH, O=Example, CN=gw").data);
  EXPECT_EQ(id("O=a\\, b, E=me@example.org").text(), "O=a\\, b, E=me@example.org");
  EXPECT_EQ(id("cn=x, EMAIL=y").data, id("CN=x, E=y").data);
  EXPECT_EQ(id("dn:CN=x").data, id("CN=x").data);
  EXPECT_EQ((Identity{IdType::dn, {0x30, 1, 2}}).text(), "type 9 300102") << "no name at all";
}

TEST(DistinguishedName, Admits) {
  EXPECT_TRUE(id("C=CH, O=Example, CN=*").admits(id("C=CH, O=Example, CN=gw")));
  EXPECT_TRUE(id("C=ch, O=EXAMPLE, CN=GW").admits(id("C=CH, O=Example, CN=gw")));
  EXPECT_FALSE(id("C=CH, O=Example, CN=*").admits(id("C=CH, O=Example")));
  EXPECT_FALSE(id("C=CH, CN=*").admits(id("C=CH, O=Example, CN=gw")));
  EXPECT_FALSE(id("O=Example, C=CH").admits(id("C=CH, O=Example"))) << "the order counts";
  EXPECT_FALSE(id("C=CH, CN=gw").admits(id("C=CH, CN=*")));
  EXPECT_TRUE(id("CN=*").pattern());
  EXPECT_FALSE(id("CN=x").pattern());
  EXPECT_FALSE(id("CN=*").admits(id("gw")));
  // CN=x as UTF8String, where we write PrintableString
  EXPECT_TRUE(id("CN=x").admits(Identity{IdType::dn, *base::from_hex("300c310a300806035504030c0178")}));
}

}  // namespace
}  // namespace espgate::ike
