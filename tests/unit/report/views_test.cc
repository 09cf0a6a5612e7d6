// SPDX-License-Identifier: Apache-2.0
#include "control/report/views.h"

#include <gmock/gmock.h>

#include "tests/unit/report/sample.h"

namespace espgate::control::report {
namespace {

TEST(ViewsText, Conn) {
  EXPECT_EQ("\n" + conn_text(sample::conns(), false, 1790000000), R"(
CHILD       STATE  ORIGIN                        ATTEMPTS  NEXT TRY
site-a/net  up     /etc/espgate/espgate.conf:12         0  -
site-b/lan  down   vici                                 3  in 60 s
    10 s ago, IKE_AUTH: the peer says our identity is wrong (auth-failed); the peer sent AUTHENTICATION_FAILED
)");
}

TEST(ViewsText, Ike) {
  EXPECT_EQ("\n" + ike_text({sample::ike()}, false, 1790007200), R"(
ID  CONN    STATE        ROLE       LOCAL           REMOTE          SUITE                                         AGE  CHILDREN
 7  site-a  ESTABLISHED  initiator  192.0.2.1:4500  192.0.2.2:4500  AES_GCM_16-128/PRF_HMAC_SHA2_256/CURVE_25519  2 h         1
    gw-a ... evil\x1b[2Jgw; NAT on the peer's end
)");
}

TEST(ViewsText, Policy) {
  EXPECT_EQ("\n" + policy_text(sample::policies(), false), R"(
CHILD       DIR  LAYER   ACTION  PRIORITY  SELECTOR                         ESP
site-a/net  out  child   allow       1000  10.1.0.0/16 -> 10.2.0.0/16       tunnel 192.0.2.1 -> 192.0.2.2
site-a/net  out  floor   block       9000  10.1.0.0/16 -> 10.2.0.0/16       -
    the kernel has no such policy any more
(all)       in   bypass  allow          1  ::/0 -> ::/0 proto 58 sport 135  -
)");
}

TEST(ViewsText, Device) {
  EXPECT_EQ("\n" + device_text(sample::devices(), false, 1790000160), R"(
DEVICE  DRIVER  LINK  ESP-HW-OFFLOAD  HELD IN  HELD OUT  IN SOFTWARE  BECAUSE
nic0    simnic  up    on                    1         1            2  offload-refused
vlan7   -       down  not there             0         0            0  -

nic0: driver simnic 1, firmware 2.0; the feature esp-hw-offload is on (a hint, no more)
all is known
carries bond0
under bond0: they differ
slots: in 1 used, at most 33; out 1 used, no limit met yet
nic0 gets aes128gcm16 wrong in crypto mode (in): 5 of 9 packets failed; in software until `espgate offload forgive dev nic0 suite aes128gcm16` (30 s ago)
SUITE        MODE    WHEN    ROWS  RESULT   REASON           LEARNED
aes128gcm16  crypto  always     2  taken    -                probe; 2 min ago
aes256gcm16  crypto  always     2  refused  No 256 (EINVAL)  cache; 60 s ago
esp_proposals = default offers here, nothing below 128 bits:
   SUITE        RUNS IN   BECAUSE
1  aes128gcm16  hardware  nic0 takes it
2  aes256gcm16  software  nic0 refuses it
)");
}

TEST(ViewsText, Stats) {
  EXPECT_EQ("\n" + stats_text(sample::stats(), false), R"(
DEVICE  ATTACHED    CLASS        VERDICT  PACKETS    BYTES
nic0    xdp native  esp          pass         800  1200000
nic0    xdp native  unknown-spi  drop           3      300
nic1    nothing     -            -              -        -
)");
}

TEST(ViewsText, Shield) {
  EXPECT_EQ("\n" + shield_text(sample::shield(), false), R"(
on: of IKE_SA_INIT without a cookie 200 a second pass, of fragments of IKE 100 a second, of other IKE of one source prefix any number; unknown SPIs are counted
DEVICE  XDP     EVENT        PACKETS
nic0    native  cookie-sent     5000
nic0    native  cookie-good       12
nic1    none    -                  -
    no XDP: the shield does not act there
)");
  EXPECT_EQ(shield_text({ShieldRules{}, {}}, false),
            "off: packets are only counted (gateway.shield.mode)\nthe XDP program is attached to no device\n");
  EXPECT_EQ(shield_text({}, false), "its rules cannot be read\nthe XDP program is attached to no device\n");
}

TEST(ViewsText, Programs) {
  EXPECT_EQ("\n" + program_text(sample::programs(), false), R"(
ID  PROGRAM    TYPE  RUNS  NS/RUN  ATTACHED TO
17  shield     xdp   1000     250  nic0 native, nic1 native
18  tc_egress  tc       0       -  -
)");
}

TEST(ViewsText, Maps) {
  EXPECT_EQ("\n" + map_text(sample::maps(), false), R"(
ID  MAP      TYPE   USED   MAX  MEMORY
 5  sa_slot  hash   4096  4096  524288
 6  meta     array     1     1      64
)");
}

TEST(ViewsText, Flows) {
  EXPECT_EQ("\n" + flow_text(sample::flows(), false), R"(
CHILD       DIR  PROTO  FROM            TO             HW PKTS  HW BYTES  SW PKTS  SW BYTES
site-a/net  out  tcp    10.1.0.2:40000  10.2.0.2:5201      700   1000000       37     48576
-           in   icmp   10.2.0.2        10.1.0.2             0         0        5       420
)");
}

TEST(ViewsText, NothingToShowIsSaid) {
  EXPECT_EQ(conn_text({}, false, 0), "no connections configured\n");
  EXPECT_EQ(ike_text({}, false, 0), "no IKE SAs\n");
  EXPECT_EQ(policy_text({}, false), "no policies of espgate's\n");
  EXPECT_EQ(flow_text({}, false), "no flows counted\n");
}

TEST(ViewsJson, Conn) {
  EXPECT_EQ(
      conn_json(sample::conns(), false),
      R"([{"conn":"site-a","child":"net","state":"up","origin":"/etc/espgate/espgate.conf:12","attempts":0,)"
      R"("last_error":null,"next_try_at":null},)"
      R"({"conn":"site-b","child":"lan","state":"down","origin":"vici","attempts":3,"last_error":{"at":1789999990,)"
      R"("step":"IKE_AUTH","code":"auth-failed","text":"the peer says our identity is wrong",)"
      R"("peer_notify":"AUTHENTICATION_FAILED"},"next_try_at":1790000060}])"
      "\n");
}

TEST(ViewsJson, Shield) {
  EXPECT_EQ(
      shield_json(sample::shield(), false),
      R"({"rules":{"active":true,"unknown_spi":"count","cookie_rate":200,"fragment_rate":100,"source_rate":0},)"
      R"("devices":[{"dev":"nic0","xdp":"native","events":{"init-passed":0,"cookie-sent":5000,"cookie-good":12}},)"
      R"({"dev":"nic1","xdp":"none","events":{"init-passed":0}}]})"
      "\n");
}

TEST(ViewsJson, Error) {
  EXPECT_EQ(error_json("no-maps", "say \"why\"", false),
            "{\"error\":{\"code\":\"no-maps\",\"text\":\"say \\\"why\\\"\"}}\n");
}

}  // namespace
}  // namespace espgate::control::report
