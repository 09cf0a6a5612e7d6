// SPDX-License-Identifier: Apache-2.0
// What the renderers print is what docs/schema/ promises; and the checker itself can say no.
#include <gmock/gmock.h>

#include "control/report/sa_render.h"
#include "control/report/views.h"
#include "maps/reader.h"
#include "tests/unit/report/sample.h"
#include "tests/unit/report/schema_check.h"

namespace espgate::control::report {
namespace {

using nlohmann::json;
using test::load_schema;
using test::schema_breaches;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> breaches(const std::string& schema, const std::string& text) {
  return schema_breaches(load_schema(schema), json::parse(text));
}

TEST(Schema, SaShow) {
  EXPECT_THAT(breaches("sa-show", sa_json(sample::table(), false)), IsEmpty());
  EXPECT_THAT(breaches("sa-show", sa_json({}, true)), IsEmpty());
}

TEST(Schema, EveryOtherTable) {
  IkeRow bare;  // all that may be unknown is
  bare.role = "responder";
  bare.spi_i = bare.spi_r = std::string(16, '0');
  EXPECT_THAT(breaches("conn-show", conn_json(sample::conns(), false)), IsEmpty());
  EXPECT_THAT(breaches("ike-show", ike_json({sample::ike(), bare}, false)), IsEmpty());
  EXPECT_THAT(breaches("policy-show", policy_json(sample::policies(), false)), IsEmpty());
  EXPECT_THAT(breaches("offload-show", device_json(sample::devices(), false)), IsEmpty());
  EXPECT_THAT(breaches("stats-show", stats_json(sample::stats(), false)), IsEmpty());
  // Every event is there, always.
  ShieldView shield{ShieldRules{}, {{"nic0", "generic", {}}}};
  for (unsigned event = 0; event < ESPGATE_SHIELD_EVENT_COUNT; ++event) {
    shield.devices[0].events.push_back({"nic0", maps::shield_event_name(event), event});
  }
  EXPECT_THAT(breaches("shield-show", shield_json(shield, false)), IsEmpty());
  EXPECT_THAT(breaches("shield-show", shield_json({}, false)), IsEmpty());
  EXPECT_THAT(breaches("prog-show", program_json(sample::programs(), false)), IsEmpty());
  EXPECT_THAT(breaches("map-show", map_json(sample::maps(), false)), IsEmpty());
  EXPECT_THAT(breaches("flow-show", flow_json(sample::flows(), false)), IsEmpty());
  EXPECT_THAT(breaches("error", error_json("daemon-not-running", "start it", true)), IsEmpty());
}

TEST(Schema, TheCheckerSeesWhatIsWrong) {
  const json schema = load_schema("sa-show");
  json rows = json::parse(sa_json({{sample::offloaded()}, {}}, false));
  ASSERT_THAT(schema_breaches(schema, rows), IsEmpty());

  json missing = rows;
  missing[0].erase("suite");
  EXPECT_THAT(schema_breaches(schema, missing), ElementsAre("at /0: 'suite' is missing"));
  json more = rows;
  more[0]["in"]["key"] = "secret";
  EXPECT_THAT(schema_breaches(schema, more), ElementsAre(HasSubstr("'key' is in no schema")));
  json spi = rows;
  spi[0]["out"]["spi"] = "C0FFEE02";
  EXPECT_THAT(schema_breaches(schema, spi), ElementsAre(HasSubstr("does not match")));
  json type = rows;
  type[0]["esn"] = "yes";
  EXPECT_THAT(schema_breaches(schema, type), ElementsAre(HasSubstr("is not of type")));
  json negative = rows;
  negative[0]["in"]["hw"]["packets"] = -1;
  EXPECT_THAT(schema_breaches(schema, negative), ElementsAre(HasSubstr("fits none of anyOf")));
  json word = rows;
  word[0]["in"]["offload"]["effective"] = "maybe";
  EXPECT_THAT(schema_breaches(schema, word), ElementsAre(HasSubstr("is not one of")));
}

TEST(Schema, AKeywordThatIsNotCheckedIsABreach) {
  EXPECT_THAT(schema_breaches(json{{"maxLength", 3}}, "abcd"),
              ElementsAre(HasSubstr("'maxLength', which is not checked")));
}

}  // namespace
}  // namespace espgate::control::report
