// SPDX-License-Identifier: Apache-2.0
#include "control/report/sa_render.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "tests/unit/report/sample.h"

namespace espgate::control::report {
namespace {

using ::testing::HasSubstr;

TEST(SaTable, EffectiveComesFromPacketsAlone) {
  Side side;
  side.actual = base::OffloadActual::crypto;
  EXPECT_EQ(side.effective(), Effective::idle);
  side.sw.packets = 1;
  EXPECT_EQ(side.effective(), Effective::sw);
  side.hw.packets = 1;
  EXPECT_EQ(side.effective(), Effective::mixed);
  side.sw.packets = 0;
  EXPECT_EQ(side.effective(), Effective::hw);
}

TEST(SaTable, LessThanWanted) {
  const auto less = [](base::OffloadWanted wanted, base::OffloadActual actual) {
    Side side;
    side.wanted = wanted;
    side.actual = actual;
    return side.less_than_wanted();
  };
  using W = base::OffloadWanted;
  using A = base::OffloadActual;
  EXPECT_FALSE(less(W::no, A::none));
  EXPECT_TRUE(less(W::automatic, A::none));
  EXPECT_FALSE(less(W::automatic, A::crypto));
  EXPECT_TRUE(less(W::crypto, A::none));
  EXPECT_TRUE(less(W::packet, A::crypto));
  EXPECT_FALSE(less(W::packet, A::packet));
}

std::size_t rows_left(const SaFilter& filter) {
  SaTable table = sample::table();
  keep(table, filter);
  return table.rows.size();
}

TEST(SaTable, Filters) {
  EXPECT_EQ(rows_left({}), 3U);
  EXPECT_EQ(rows_left({.name = "site-a"}), 1U);
  EXPECT_EQ(rows_left({.name = "site-a/net"}), 1U);
  EXPECT_EQ(rows_left({.name = "site-a/other"}), 0U);
  EXPECT_EQ(rows_left({.name = "site"}), 0U);
  EXPECT_EQ(rows_left({.spi = base::Spi{0xc0ffee02}}), 1U);
  EXPECT_EQ(rows_left({.spi = base::Spi{0xdead}}), 0U);
  EXPECT_EQ(rows_left({.device = "nic0"}), 1U);
  EXPECT_EQ(rows_left({.name = "site-b", .device = "nic0"}), 0U);
}

TEST(SaText, Golden) {
  EXPECT_EQ("\n" + sa_text(sample::table(), {}), R"(
CHILD       STATE      SUITE              MODE       DIR  SPI       WANTED  ACTUAL  DEVICE  EFFECTIVE  HW PKTS  HW BYTES  SW PKTS          SW BYTES
site-a/net  INSTALLED  aes128gcm16-esn    tunnel     in   c0ffee01  auto    crypto  nic0    hw             737   1048576        0                 0
                                                     out  c0ffee02  auto    crypto  nic0    mixed          700   1000000       37             48576
site-b/lan  ?          aes256-sha256/udp  transport  in   00001001  auto    none    -       sw               0         0       12  9007199254740993
                                                     out  00001002  auto    none    -       idle            ~0        ~0       ~0                ~0
    in, out: driver refused crypto mode: "Cannot offload authenticated xfrm states" (EINVAL)
site-c/x    ?          aes256gcm16        tunnel     in   00002001  no      none    -       idle             0         0        0                 0
                                                     out  -         -       -       -       -                -         -        -                 -
    in: the kernel has no such SA any more
~: not exact (tracing hooks not attached, or packet offload)
)");
}

TEST(SaText, KernelCountsOnRequest) {
  const std::string text = sa_text(sample::table(), {.kernel = true});
  EXPECT_THAT(text, HasSubstr("KERNEL PKTS"));
  EXPECT_THAT(text, HasSubstr("57       1048576   0/0/0"));
  EXPECT_THAT(text, HasSubstr("1/2/3"));
}

TEST(SaText, NothingToShow) { EXPECT_EQ(sa_text({}, {}), "no child SAs\n"); }

TEST(SaText, NamesCannotWriteToTheTerminal) {
  SaTable table = sample::table();
  table.rows[0].child = "net\x1b]0;owned\x07";
  table.rows[1].in->reason = "driver\r\x1b[1Asays";
  const std::string text = sa_text(table, {});
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(text.find('\x07'), std::string::npos);
  EXPECT_EQ(text.find('\r'), std::string::npos);
}

TEST(SaJson, Golden) {
  SaTable table{{sample::offloaded()}, {}};
  EXPECT_EQ(
      sa_json(table, false),
      R"([{"conn":"site-a","child":"net","unique_id":7,"state":"INSTALLED","mode":"tunnel","suite":"aes128gcm16",)"
      R"("esn":true,"encap":false,)"
      R"("in":{"spi":"c0ffee01","src":"192.0.2.2","dst":"192.0.2.1",)"
      R"("offload":{"wanted":"auto","actual":"crypto","effective":"hw","dev":"nic0","reason_code":null,"reason":null},)"
      R"("hw":{"packets":737,"bytes":1048576},"sw":{"packets":0,"bytes":0},"exact":true,)"
      R"("kernel":{"packets":737,"bytes":1048576},"errors":{"integrity":0,"replay":0,"other":0}},)"
      R"("out":{"spi":"c0ffee02","src":"192.0.2.1","dst":"192.0.2.2",)"
      R"("offload":{"wanted":"auto","actual":"crypto","effective":"mixed","dev":"nic0","reason_code":null,"reason":null},)"
      R"("hw":{"packets":700,"bytes":1000000},"sw":{"packets":37,"bytes":48576},"exact":true,)"
      R"("kernel":{"packets":57,"bytes":1048576},"errors":{"integrity":0,"replay":0,"other":0}},)"
      R"("established_at":1790000000,"rekey_at":1790003600}])"
      "\n");
}

TEST(SaJson, UnknownIsNullAndBigIntegersAreStrings) {
  const auto rows = nlohmann::json::parse(sa_json(sample::table(), true));
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_TRUE(rows[1]["unique_id"].is_null());
  EXPECT_TRUE(rows[1]["state"].is_null());
  EXPECT_TRUE(rows[1]["established_at"].is_null());
  EXPECT_TRUE(rows[1]["in"]["kernel"].is_null());
  EXPECT_TRUE(rows[1]["in"]["offload"]["dev"].is_null());
  EXPECT_EQ(rows[1]["in"]["offload"]["reason_code"], "offload-refused");
  EXPECT_EQ(rows[1]["in"]["sw"]["bytes"], "9007199254740993");
  EXPECT_TRUE(rows[2]["out"].is_null());
}

TEST(SaJson, StaysJsonWhateverANameIs) {
  SaTable table{{sample::offloaded()}, {}};
  table.rows[0].conn = "bad\xff\x1b\"\\";
  const auto rows = nlohmann::json::parse(sa_json(table, false));
  EXPECT_EQ(rows[0]["conn"], "bad\xef\xbf\xbd\x1b\"\\");
}

}  // namespace
}  // namespace espgate::control::report
