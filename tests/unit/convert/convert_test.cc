// SPDX-License-Identifier: Apache-2.0
#include "control/convert/convert.h"

#include <gmock/gmock.h>

#include "control/convert/algorithms.h"

namespace espgate::control::convert {
namespace {

using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr auto kLibreswan = R"(version 2.0
config setup
    logfile=/var/log/pluto.log
conn %default
    authby=secret
    salifetime=1h
conn base
    left=192.0.2.1
    leftid=@gw-1.example.org
    auto=ignore
conn site-a   # the first one
    also=base
    right=198.51.100.1
    rightsubnets={10.2.0.0/16 10.3.0.0/16}
    phase2alg=aes_gcm256-null,aes128-sha2
    nic-offload=packet
    auto=ondemand
    leftupdown="/usr/lib/ipsec/_updown --route yes"
conn old
    also=site-a
    ikev2=no
)";

TEST(Convert, LibreswanWithAlsoAndDefault) {
  const auto out = convert(kLibreswan);
  EXPECT_EQ(out.conns, 1U);
  EXPECT_EQ(out.left_out, 2U);
  for (const auto* line :
       {"local_addrs = 192.0.2.1\n", "remote_addrs = 198.51.100.1\n", "id = gw-1.example.org\n", "auth = psk\n",
        "remote_ts = 10.2.0.0/16,10.3.0.0/16\n", "esp_proposals = aes256gcm16, aes128-sha256\n",
        "hw_offload = packet\n", "start_action = trap\n", "life_time = 3600\n", "rekey_time = 3060\n"}) {
    EXPECT_THAT(out.text, HasSubstr(line));
  }
  EXPECT_THAT(out.text, Not(HasSubstr("updown")));
  for (const auto* text :
       {"leftupdown=/usr/lib/ipsec/_updown --route yes: not carried over", "IKEv1 is not spoken", "auto=ignore"}) {
    EXPECT_THAT(out.remarks, Contains(Field(&Remark::text, HasSubstr(text))));
  }
  EXPECT_THAT(out.remarks, Contains(Field(&Remark::line, 18U)));  // of leftupdown
}

TEST(Convert, StrongswanKeepsItsWords) {
  const auto out = convert(
      "conn a\n keyexchange=ikev2\n left=%any\n right=192.0.2.9\n leftauth=pubkey\n rightauth=psk\n "
      "ike=aes128gcm16-prfsha256-x25519!\n"
      " esp=aes128gcm16-x25519!\n lifetime=20m\n margintime=3m\n dpddelay=30s\n dpdaction=hold\n type=transport\n "
      "leftprotoport=tcp/179\n auto=start\n");
  for (const auto* line :
       {"proposals = aes128gcm16-prfsha256-x25519\n", "esp_proposals = aes128gcm16-x25519\n", "rekey_time = 1020\n",
        "dpd_action = trap\n", "mode = transport\n", "start_action = start\n"}) {
    EXPECT_THAT(out.text, HasSubstr(line));
  }
  // With left=%any the other side is ours.
  EXPECT_THAT(out.text, HasSubstr("    local_addrs = 192.0.2.9\n"));
  EXPECT_THAT(out.text, HasSubstr("remote_ts = dynamic[tcp/179]\n"));
}

TEST(Convert, AHostNameIsKeptAndSaid) {
  const auto out = convert("conn a\n left=%defaultroute\n right=vpn.example.org\n authby=secret\n");
  EXPECT_THAT(out.text, HasSubstr("remote_addrs = vpn.example.org\n"));
  EXPECT_THAT(out.remarks, Contains(Field(&Remark::text, HasSubstr("names are not looked up"))));
}

TEST(Convert, WhatIsNoIpsecConfHasNoConn) {
  for (const auto* text : {"", "\n\n", "connections {\n a {\n }\n}\n", "\xff\xfe\n= =\n"}) {
    const auto out = convert(text);
    EXPECT_EQ(out.conns + out.left_out, 0U) << text;
  }
}

TEST(Algorithms, LibreswansWords) {
  EXPECT_EQ(proposals("aes_gcm256-sha2_512;dh19", Kind::ike), "aes256gcm16-prfsha512-ecp256");
  EXPECT_EQ(proposals("aes_gcm_c_128-null", Kind::esp), "aes128gcm16");
  EXPECT_EQ(proposals("aes256-sha2_256;modp2048,aes-sha1;dh31", Kind::ike),
            "aes256-sha256-modp2048, aes256-sha1-x25519");
  EXPECT_EQ(proposals("chacha20_poly1305", Kind::esp), "chacha20poly1305");
  EXPECT_FALSE(proposals("3des-md5", Kind::esp));
  EXPECT_EQ(proposals("twofish256-sha1", Kind::esp).error(), "twofish256");
}

}  // namespace
}  // namespace espgate::control::convert
