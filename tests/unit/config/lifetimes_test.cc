// SPDX-License-Identifier: Apache-2.0
// Soft and hard limits, with strongSwan's defaults and arithmetic.
#include <gtest/gtest.h>

#include "tests/unit/config/config_testing.h"

namespace espgate::control {
namespace {

// A connection with these keys of its own and of its child.
Loaded with(const std::string& of_conn, const std::string& of_child) {
  return load_text("connections { a { remote_addrs = 192.0.2.9\n local { auth = psk\n }\n remote { auth = psk\n }\n" +
                       of_conn + "\nchildren { net { " + of_child + "\n } } } }\n",
                   "f");
}
ike::ConnConfig conn(const std::string& of_conn, const std::string& of_child = {}) {
  const auto loaded = with(of_conn, of_child);
  EXPECT_TRUE(loaded.config.has_value()) << of_conn << of_child;
  return loaded.config ? *loaded.config->ike->conns.at(0) : ike::ConnConfig{};
}
ike::ChildConfig child(const std::string& keys) { return conn({}, keys).children.at(0); }

TEST(Lifetimes, DefaultsOfAChild) {
  const auto plain = child("");
  EXPECT_EQ(plain.time, (ike::Lifetime{3600, 3960, 360}));
  EXPECT_EQ(plain.bytes, ike::Lifetime{});
  EXPECT_EQ(plain.packets, ike::Lifetime{});
}

TEST(Lifetimes, OfAChild) {
  EXPECT_EQ(child("rekey_time = 10m").time, (ike::Lifetime{600, 660, 60}));
  EXPECT_EQ(child("rekey_time = 10m\n life_time = 20m").time, (ike::Lifetime{600, 1200, 600}));
  EXPECT_EQ(child("rekey_time = 10m\n rand_time = 5").time, (ike::Lifetime{600, 660, 5}));
  EXPECT_EQ(child("rekey_time = 0").time, ike::Lifetime{});
  EXPECT_EQ(child("life_time = 10m").time, (ike::Lifetime{540, 600, 60}));
  EXPECT_EQ(child("rekey_bytes = 1M").bytes, (ike::Lifetime{1048576, 1153433, 104857}));
  EXPECT_EQ(child("life_packets = 1000").packets, (ike::Lifetime{900, 1000, 100}));
  EXPECT_EQ(child("rekey_packets = 1000\n life_packets = 2000\n rand_packets = 0").packets,
            (ike::Lifetime{1000, 2000, 0}));
}

TEST(Lifetimes, AHardLimitBeforeTheSoftOneIsPointedOut) {
  const auto loaded = with({}, "rekey_time = 10m\n life_time = 5m");
  ASSERT_EQ(loaded.report.warnings.size(), 1U);
  EXPECT_NE(loaded.report.warnings[0].text().find("the child is closed instead of rekeyed"), std::string::npos);
}

TEST(Lifetimes, OfAConnection) {
  EXPECT_EQ(conn("").time, (ike::Lifetime{14400, 15840, 1440}));
  EXPECT_EQ(conn("rekey_time = 1h\n over_time = 10m").time, (ike::Lifetime{3600, 4200, 600}));
  EXPECT_EQ(conn("rekey_time = 1h\n over_time = 2h").time, (ike::Lifetime{3600, 10800, 1800}));
  EXPECT_EQ(conn("rekey_time = 1h\n rand_time = 1").time, (ike::Lifetime{3600, 3960, 1}));
  EXPECT_EQ(conn("rekey_time = 0").time.rekey, 0U);
  EXPECT_EQ(conn("rekey_time = 0").time.life, 0U);
  EXPECT_EQ(conn("").reauth, 0U);
  EXPECT_EQ(conn("reauth_time = 2h").reauth, 7200U);
  EXPECT_EQ(conn("reauth_time = 2h").time, (ike::Lifetime{0, 7920, 720})) << "not rekeyed beside it";
  EXPECT_EQ(conn("reauth_time = 2h\n rekey_time = 1h").time, (ike::Lifetime{3600, 7920, 720}));
}

}  // namespace
}  // namespace espgate::control
