// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/config/config_testing.h"

namespace espgate::control {
namespace {

using testing::shape;
using testing::texts;

std::string parsed(std::string_view text) {
  Report report;
  const auto tree = parse_text(text, "f", false, report);
  for (const auto& error : report.errors) ADD_FAILURE() << error.text();
  return shape(*tree);
}

TEST(Grammar, SettingsAndSections) {
  EXPECT_EQ(parsed(""), "");
  EXPECT_EQ(parsed("a = b\nsection-one {\n  x = 1\n  sub { y = 2 }\n}\n"), "a=b section-one{x=1 sub{y=2}}");
  EXPECT_EQ(parsed("a{b{c{}}}"), "a{b{c{}}}");
  EXPECT_EQ(parsed("a {} b {} c = 1"), "c=1 a{} b{}");
  EXPECT_EQ(parsed("a\n{\n b=c }"), "a{b=c}");
  EXPECT_EQ(parsed("a\n# why not\n{ }"), "a{}");
}

TEST(Grammar, CommentsAndBlanks) {
  EXPECT_EQ(parsed("# a = b\n a = b# c\n\t# d { \r\n"), "a=b");
  EXPECT_EQ(parsed("a = b\r\nc = d\r\n"), "a=b c=d");
  EXPECT_EQ(parsed("\xEF\xBB\xBF"
                   "a = b"),
            "a=b");
}

TEST(Grammar, ValuesJoinTheirParts) {
  EXPECT_EQ(parsed("a =   one    two\tthree  "), "a=one two three");
  EXPECT_EQ(parsed("a = \"one   two\"   three"), "a=one   two three");
  EXPECT_EQ(parsed("a = x=y:{z,.\n"), "a=x=y:{z,.");
  EXPECT_EQ(parsed("s { a = b } t = u"), "t=u s{a=b}");
}

TEST(Grammar, QuotesAndEscapes) {
  EXPECT_EQ(parsed(R"(a = "x # y } z")"), "a=x # y } z");
  EXPECT_EQ(parsed(R"(a = "q \" b \\ n \n t \t r \r o \o")"), "a=q \" b \\ n \n t \t r \r o o");
  EXPECT_EQ(parsed("a = \"one \\\n  two\""), "a=one   two");
  EXPECT_EQ(parsed("a = \"one\ntwo\"\nb = c"), "a=one\ntwo b=c");
  EXPECT_EQ(parsed("a = \"\""), "a=");
}

TEST(Grammar, UnsetIsNotEmpty) { EXPECT_EQ(parsed("a =\nb = # nothing\nc = \"\"\n s { d = }"), "a=~ b=~ c= s{d=~}"); }

TEST(Grammar, RepetitionMergesSectionsAndReplacesValues) {
  EXPECT_EQ(parsed("s { a = 1\n b = 2 }\ns { b = 3\n c { x = 1 } }\ns { c { y = 2 } }"), "s{a=1 b=3 c{x=1 y=2}}");
}

TEST(Grammar, ManyNamesAreFoundAgain) {
  std::string text;
  for (int i = 0; i < 300; ++i) {
    text += "k" + std::to_string(i) + " = 1\ns" + std::to_string(i) + " { a = 1\n }\n";
  }
  Report report;
  const auto tree = parse_text(text + text, "f", false, report);
  EXPECT_TRUE(report.ok());
  EXPECT_EQ(tree->values.size(), 300U);
  EXPECT_EQ(tree->sections.size(), 300U);
  ASSERT_NE(tree->value("k299"), nullptr);
  EXPECT_EQ(tree->value("k299")->at.line, 900U + 3U * 299U + 1U);
  EXPECT_EQ(tree->section("s17")->name, "s17");
  EXPECT_EQ(tree->section("s300"), nullptr);
}

TEST(Grammar, EveryNodeKnowsWhereItStands) {
  Report report;
  const auto tree = parse_text("a = b\n\n  sect {\n\tkey =   \"v w\"  # c\n list = x, yy ,z\n}\n", "f", false, report);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(tree->value("a")->at.text(), "f:1:1");
  const auto* sect = tree->section("sect");
  ASSERT_NE(sect, nullptr);
  EXPECT_EQ(sect->at.text(), "f:3:3");
  EXPECT_EQ(sect->value("key")->at.text(), "f:4:2");
  EXPECT_EQ(sect->value("key")->value_at.text(), "f:4:10");
  const auto items = sect->value("list")->list();
  ASSERT_EQ(items.size(), 3U);
  EXPECT_EQ(items[0].at.text(), "f:5:9");
  EXPECT_EQ(items[1].text, "yy");
  EXPECT_EQ(items[1].at.text(), "f:5:12");
  EXPECT_EQ(items[2].at.text(), "f:5:16");
}

TEST(Grammar, Limits) {
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "a {";
  Report report;
  (void)parse_text(deep, "f", false, report);
  ASSERT_EQ(report.errors.size(), 1U);
  EXPECT_EQ(report.errors[0].text(), "f:1:97: sections nest too deeply, expected at most 32 levels");

  Report many;
  std::string wrong;
  for (int i = 0; i < 1000; ++i) wrong += "= x\n";
  (void)parse_text(wrong, "f", false, many);
  EXPECT_EQ(many.errors.size(), 101U);
  EXPECT_EQ(many.errors.back().what, "too many errors, the rest was not read");
}

}  // namespace
}  // namespace espgate::control
