// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <set>

#include "control/config/keys.h"
#include "tests/unit/config/config_testing.h"

namespace espgate::control {
namespace {

TEST(Keys, FindsByPattern) {
  const auto path = [](std::string_view text) {
    const auto* key = find_key(text);
    return key ? std::string(key->path) : "none";
  };
  EXPECT_EQ(path("connections.site-a.children.net.mode"), "connections.<conn>.children.<child>.mode");
  EXPECT_EQ(path("connections.a.local-1.auth"), "connections.<conn>.local*.auth");
  EXPECT_EQ(path("connections.a.local_addrs"), "connections.<conn>.local_addrs");
  EXPECT_EQ(path("connections.a.remote.cacert-1.file"), "connections.<conn>.remote*.cacert*.file");
  EXPECT_EQ(path("connections.a.remote.cert1.file"), "connections.<conn>.remote*.cert*.file");
  EXPECT_EQ(path("secrets.ike-1.id7"), "secrets.ike*.id*");
  EXPECT_EQ(path("pools.p.dns"), "pools.<name>.<attr>");
  EXPECT_EQ(path("gateway.steer.slots"), "gateway.steer.slots");
  EXPECT_EQ(path("connections.a.nonsense"), "none");
  EXPECT_EQ(path("nonsense"), "none");
}

TEST(Keys, EveryEntryIsWholeAndThereOnce) {
  std::set<std::string_view> seen;
  for (const auto& key : all_keys()) {
    EXPECT_TRUE(seen.insert(key.path).second) << key.path;
    EXPECT_FALSE(key.description.empty()) << key.path;
    EXPECT_EQ(key.why.empty(), key.status == KeyStatus::honoured) << key.path;
    EXPECT_EQ(key.choices.empty(), key.type != KeyType::choice) << key.path;
    EXPECT_EQ(find_key(key.path), &key) << key.path;
    // What holds it is there, too.
    const auto dot = key.path.rfind('.');
    if (dot != std::string_view::npos) {
      EXPECT_TRUE(seen.contains(key.path.substr(0, dot))) << key.path;
    }
  }
}

// A default that its own key would refuse, or warn of where it changes nothing, would be nonsense.
TEST(Keys, DefaultsHaveTheRightForm) {
  for (const auto& key : all_keys()) {
    const auto value = key.default_value;
    if (value.empty()) continue;
    const auto among = [&](std::string_view words) {
      return (" " + std::string(words) + " ").find(" " + std::string(value) + " ") != std::string::npos;
    };
    EXPECT_TRUE(key.type != KeyType::boolean || read_boolean(value)) << key.path;
    EXPECT_TRUE(key.type != KeyType::integer || read_integer(value)) << key.path;
    EXPECT_TRUE(key.type != KeyType::number || read_number(value)) << key.path;
    EXPECT_TRUE(key.type != KeyType::duration || read_duration(value)) << key.path;
    EXPECT_TRUE(key.type != KeyType::size || read_size(value)) << key.path;
    EXPECT_TRUE(key.type != KeyType::choice || among(key.choices)) << key.path;
    EXPECT_TRUE(key.status != KeyStatus::refused || among(key.harmless)) << key.path;
  }
}

TEST(Values, Durations) {
  EXPECT_EQ(read_duration("90"), 90U);
  EXPECT_EQ(read_duration("90s"), 90U);
  EXPECT_EQ(read_duration("5m"), 300U);
  EXPECT_EQ(read_duration("4h"), 14400U);
  EXPECT_EQ(read_duration("1d"), 86400U);
  EXPECT_EQ(read_duration("1h 30m 10s"), 5410U);
  for (const auto* text : {"", "x", "5x", "-1", "1.5h", "h", "99999999999999999999", "9999999999d", "1h,2m"}) {
    EXPECT_EQ(read_duration(text), std::nullopt) << text;
  }
}

TEST(Values, SizesAndNumbers) {
  EXPECT_EQ(read_size("10"), 10U);
  EXPECT_EQ(read_size("10k"), 10240U);
  EXPECT_EQ(read_size("2G"), 2147483648U);
  EXPECT_EQ(read_size("99999999999999999999"), std::nullopt);
  EXPECT_EQ(read_size("18446744073709551615G"), std::nullopt);
  EXPECT_EQ(read_number("1.8"), 1.8);
  for (const auto* text : {"", "nan", "inf", "-1", "1.8x", "1e999"}) EXPECT_EQ(read_number(text), std::nullopt) << text;
  EXPECT_EQ(read_boolean("enabled"), true);
  EXPECT_EQ(read_boolean("0"), false);
  EXPECT_EQ(read_boolean("maybe"), std::nullopt);
}

TEST(Status, WarningsAndHarmlessValues) {
  const auto loaded = load_text(
      "connections { a { local { auth = psk\n } remote { auth = psk\n }\n reauth_time = 4h\n mobike = no\n aggressive "
      "= "
      "no\n"
      "children { net { updown = /x\n rekey_time = 0\n } } } }\n"
      "secrets { pkcs12-1 { file = x\n secret = y\n } }\n",
      "f");
  EXPECT_EQ(testing::texts(loaded.report.errors), std::vector<std::string>{});
  EXPECT_EQ(
      testing::texts(loaded.report.warnings),
      (std::vector<std::string>{
          "f:7:18: updown is accepted, but not honoured: no script is run",
          "f:10:11: section pkcs12-1 is accepted, but not honoured: PKCS#12 containers and tokens are not supported, "
          "this key is not used: `openssl pkcs12` takes one apart, into x509 and private"}));
  EXPECT_TRUE(loaded.config.has_value());
}

}  // namespace
}  // namespace espgate::control
