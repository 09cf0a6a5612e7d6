// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/config/config_testing.h"

namespace espgate::control {
namespace {

using testing::shape;
using testing::texts;

struct Resolved {
  std::string shape;
  std::vector<std::string> errors;
};

Resolved resolved(std::string_view text) {
  Report report;
  const auto tree = parse_text(text, "f", false, report);
  const auto out = resolve(*tree, {"connections"}, report);
  report.sort();
  return {shape(*out), texts(report.errors)};
}

TEST(Resolve, OwnValuesComeBeforeInheritedOnes) {
  const auto out = resolved("d { x = 1\n y = 2 }\nconnections { a : d { y = 3\n z = 4\n } }");
  EXPECT_EQ(out.shape, "connections{a{y=3 z=4 x=1}}");
  EXPECT_TRUE(out.errors.empty());
}

TEST(Resolve, TheFirstReferenceWins) {
  const auto out = resolved("d { x = 1\n }\ne { x = 2\n y = 2\n }\nconnections { a : d, e { } }");
  EXPECT_EQ(out.shape, "connections{a{x=1 y=2}}");
}

TEST(Resolve, UnsetStopsInheritance) {
  const auto out = resolved("d { x = 1\n }\nconnections { a : d { x =\n } }");
  EXPECT_EQ(out.shape, "connections{a{x=~}}");
}

TEST(Resolve, SubSectionsMergeAndMayReferThemselves) {
  const auto out = resolved(
      "defaults { children { net { mode = tunnel\n } } }\n"
      "child { local_ts = l\n }\n"
      "connections { a : defaults { children { net : child { remote_ts = r\n } other { } } } }");
  EXPECT_EQ(out.shape, "connections{a{children{net{remote_ts=r local_ts=l mode=tunnel} other{}}}}");
}

TEST(Resolve, ReferencesReachDownAndForward) {
  const auto out = resolved("connections { b : connections.a { }\n a : d { x = 1\n } }\nd { y = 2\n s { z = 3\n } }");
  EXPECT_EQ(out.shape, "connections{b{x=1 y=2 s{z=3}} a{x=1 y=2 s{z=3}}}");
  // `s` is not written in connections.a, but inherited there.
  EXPECT_EQ(resolved("connections { b : connections.a.s { }\n a : d { } }\nd { s { z = 3\n } }").shape,
            "connections{b{z=3} a{s{z=3}}}");
}

TEST(Resolve, OriginsStayWhereThingsWereWritten) {
  Report report;
  const auto tree = parse_text("d {\n  x = 1\n}\nconnections { a : d { } }", "f", false, report);
  const auto out = resolve(*tree, {"connections"}, report);
  EXPECT_EQ(out->section("connections")->section("a")->value("x")->at.text(), "f:2:3");
}

TEST(Resolve, Errors) {
  EXPECT_EQ(
      resolved("connections { a : nothing.here { } }").errors,
      std::vector<std::string>{"f:1:19: there is no section 'nothing.here' to refer to, expected the full path of "
                               "one, from the top"});
  EXPECT_EQ(resolved("a : b { }\nb : a { }\nconnections { c : a { } }").errors,
            std::vector<std::string>{"f:2:5: 'a' refers back to this section, expected no cycle"});
  const auto inside = resolved("connections { a : connections { } }");
  ASSERT_FALSE(inside.errors.empty());
  EXPECT_NE(inside.errors[0].find("f:1:"), std::string::npos);
}

TEST(Resolve, DoublingReferencesEnd) {
  std::string text = "l0 { x = 1\n }\n";
  for (int i = 1; i < 40; ++i) {
    const auto below = "l" + std::to_string(i - 1);
    text += "l" + std::to_string(i) + " { a : " + below + " { }\n b : " + below + " { } }\n";
  }
  const auto out = resolved(text + "connections { c : l39 { } }");
  ASSERT_EQ(out.errors.size(), 1U);
  EXPECT_NE(out.errors[0].find("grows too large"), std::string::npos) << out.errors[0];
}

}  // namespace
}  // namespace espgate::control
