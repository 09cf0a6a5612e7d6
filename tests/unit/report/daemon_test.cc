// SPDX-License-Identifier: Apache-2.0
// The daemon's messages, as control/vici/ writes them, taken apart again.
#include "control/report/daemon.h"

#include <gmock/gmock.h>

namespace espgate::control::report {
namespace {

using vici::Message;

TEST(DaemonMessages, Conns) {
  Message message;
  message.set("version", "1");
  Message& conns = message.open("conns");
  conns.open("site-a/net").set("conn", "site-a").set("child", "net").set("state", "up").set("origin", "f.conf:3");
  Message& down = conns.open("site.b/lan");  // a name may hold dots
  down.set("conn", "site.b")
      .set("child", "lan")
      .set("state", "down")
      .number("attempts", 3)
      .set("next-try-at", "1790000060");
  down.open("last-error")
      .set("at", "1790000000")
      .set("step", "IKE_AUTH")
      .set("code", "auth-failed")
      .set("text", "no")
      .set("peer-notify", "AUTHENTICATION_FAILED");
  const auto rows = conn_rows(message);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].origin, "f.conf:3");
  EXPECT_FALSE(rows[0].last_error);
  EXPECT_FALSE(rows[0].next_try_at);
  EXPECT_EQ(rows[1].conn, "site.b");
  EXPECT_EQ(rows[1].attempts, 3U);
  EXPECT_EQ(rows[1].next_try_at, 1790000060);
  ASSERT_TRUE(rows[1].last_error);
  EXPECT_EQ(rows[1].last_error->at, 1790000000);
  EXPECT_EQ(rows[1].last_error->step, "IKE_AUTH");
  EXPECT_EQ(rows[1].last_error->peer_notify, "AUTHENTICATION_FAILED");
}

TEST(DaemonMessages, Children) {
  Message message;
  Message& child = message.open("children").open("net-7");
  child.set("conn", "site-a")
      .set("child", "net")
      .number("unique-id", 7)
      .set("state", "INSTALLED")
      .set("mode", "transport");
  child.set("suite", "aes256-sha256")
      .set("esn", true)
      .set("encap", false)
      .set("spi-in", "00001001")
      .set("spi-out", "00001002");
  child.set("local", "192.0.2.1").set("remote", "192.0.2.2").set("wanted", "auto").set("established-at", "1790000000");
  child.open("in")
      .set("actual", "crypto")
      .set("device", "nic0")
      .number("hw-packets", 5)
      .number("hw-bytes", 500)
      .set("exact", true);
  child.open("out").set("actual", "none").set("reason-code", "offload-refused").set("reason", "driver said no");
  const auto children = daemon_children(message);
  ASSERT_EQ(children.size(), 1U);
  const ChildRow& row = children[0].row;
  EXPECT_EQ(children[0].spi_in, base::Spi{0x1001});
  EXPECT_EQ(row.unique_id, 7U);
  EXPECT_EQ(row.mode, base::SaMode::transport);
  EXPECT_TRUE(row.esn);
  EXPECT_FALSE(row.encap);
  EXPECT_EQ(row.established_at, 1790000000);
  EXPECT_FALSE(row.rekey_at);
  EXPECT_EQ(row.in->src.text(), "192.0.2.2");
  EXPECT_EQ(row.in->actual, base::OffloadActual::crypto);
  EXPECT_EQ(row.in->hw, (Count{5, 500}));
  EXPECT_TRUE(row.in->exact);
  EXPECT_EQ(row.out->src.text(), "192.0.2.1");
  EXPECT_EQ(row.out->wanted, base::OffloadWanted::automatic);
  EXPECT_EQ(row.out->reason_code, "offload-refused");
}

TEST(DaemonMessages, Ikes) {
  Message message;
  Message& ike = message.open("site-a");
  ike.number("uniqueid", 3).set("state", "ESTABLISHED").set("initiator", "yes").set("local-host", "2001:db8::1");
  ike.number("local-port", 500).set("remote-host", "192.0.2.2").number("remote-port", 4500).set("nat-remote", "yes");
  ike.set("initiator-spi", "0123456789abcdef").set("encr-alg", "AES_GCM_16").set("encr-keysize", "128");
  ike.set("prf-alg", "PRF_HMAC_SHA2_256").set("dh-group", "CURVE_25519").number("established", 60);
  ike.set("ake1", "ML_KEM_768").set("ake7", "CURVE_448");
  ike.open("child-sas").open("net-1");
  const auto rows = ike_rows(message, 1790000060);
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].conn, "site-a");
  EXPECT_EQ(rows[0].role, "initiator");
  EXPECT_EQ(rows[0].local, "[2001:db8::1]:500");
  EXPECT_EQ(rows[0].remote, "192.0.2.2:4500");
  EXPECT_EQ(rows[0].suite, "AES_GCM_16-128/PRF_HMAC_SHA2_256/CURVE_25519/KE1_ML_KEM_768/KE7_CURVE_448");
  EXPECT_EQ(rows[0].established_at, 1790000000);
  EXPECT_TRUE(rows[0].nat_remote);
  EXPECT_EQ(rows[0].children, 1U);
}

TEST(DaemonMessages, WhatMakesNoSenseIsLeftOut) {
  Message message;
  message.open("children")
      .open("x")
      .set("unique-id", "seven")
      .set("spi-in", "zzz")
      .set("established-at", "1790000000x");
  const auto children = daemon_children(message);
  ASSERT_EQ(children.size(), 1U);
  EXPECT_FALSE(children[0].row.unique_id);
  EXPECT_FALSE(children[0].spi_in);
  EXPECT_FALSE(children[0].row.established_at);
  EXPECT_TRUE(conn_rows({}).empty());
  EXPECT_TRUE(daemon_children(Message().set("children", "not a section")).empty());
}

}  // namespace
}  // namespace espgate::control::report
