// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/config/config_testing.h"

namespace espgate::control {
namespace {

using testing::Folder;
using testing::shape;
using testing::texts;

TEST(Include, RelativeToTheIncludingFileAtAnyLevel) {
  const Folder folder;
  folder.write("sub/inner.conf", "x = 1\ninclude deeper/*.conf\n");
  folder.write("sub/deeper/b.conf", "y = b\n");
  folder.write("sub/deeper/a.conf", "y = a\nz { } \n");
  const auto top =
      folder.write("top.conf", "s {\n x = 0\n include sub/inner.conf\n}\ninclude \"sub/inner.conf\" # end\n");
  Report report;
  const auto tree = parse_file(top, report);
  EXPECT_EQ(texts(report.errors), std::vector<std::string>{});
  EXPECT_EQ(shape(*tree), "x=1 y=b s{x=1 y=b z{}} z{}");
  EXPECT_EQ(tree->value("y")->at.text(), folder.path("sub/deeper/b.conf") + ":1:1");
}

TEST(Include, AnEmptyPatternIsFineAMissingFileIsNot) {
  const Folder folder;
  const auto top = folder.write("top.conf", "include conf.d/*.conf\ns { include missing.conf }\na = b\n");
  Report report;
  const auto tree = parse_file(top, report);
  EXPECT_EQ(texts(report.errors),
            std::vector<std::string>{top.string() + ":2:13: there is no file " + folder.path("missing.conf") +
                                     ", expected one, or a pattern such as conf.d/*.conf"});
  EXPECT_EQ(shape(*tree), "a=b s{}");
}

TEST(Include, IsAKeyWhenAValueFollows) {
  Report report;
  const auto tree = parse_text("include = x\n", "f", false, report);
  EXPECT_TRUE(report.ok());
  EXPECT_EQ(shape(*tree), "include=x");
}

TEST(Include, LoopsFoldersAndErrorsInside) {
  const Folder folder;
  const auto a = folder.write("a.conf", "include b.conf\n");
  folder.write("b.conf", "oops\n include a.conf\n include .\n");
  Report report;
  (void)parse_file(a, report);
  const auto b = folder.path("b.conf");
  EXPECT_EQ(
      texts(report.errors),
      (std::vector<std::string>{b + ":1:1: 'oops' stands alone, expected '=' for a setting or '{' for a section",
                                b + ":2:10: cannot read " + a.string() + ": it includes itself, expected no cycle",
                                b + ":3:10: cannot read " + folder.path(".") + ": it is not a regular file"}));
}

TEST(Include, NotFromAMessage) {
  Report report;
  (void)parse_text("include /etc/passwd\n", "vici", false, report);
  EXPECT_EQ(texts(report.errors),
            std::vector<std::string>{"vici:1:9: include is not possible here, expected settings alone"});
}

TEST(Include, AFileThatIsNotThere) {
  Report report;
  (void)parse_file("/nonexistent/espgate.conf", report);
  ASSERT_EQ(report.errors.size(), 1U);
  EXPECT_EQ(report.errors[0].text(),
            "/nonexistent/espgate.conf:1:1: cannot read /nonexistent/espgate.conf: No such file or directory");
}

TEST(Private, OnlyFilesWithKeysInThemAreChecked) {
  const Folder folder;
  const auto plain = folder.write("plain.conf", "connections { }\n", 0644);
  Report fine;
  (void)parse_file(plain, fine);
  EXPECT_TRUE(fine.ok());

  const auto keys = folder.write("keys.conf", "secrets { ike { secret = x\n } }\n", 0644);
  Report refused;
  (void)parse_file(keys, refused);
  ASSERT_EQ(refused.errors.size(), 1U);
  EXPECT_EQ(refused.errors[0].text(), keys.string() +
                                          ":1:1: the file holds secrets and is open to every user (mode "
                                          "0644), expected 0600 or 0640: chmod o= " +
                                          keys.string());
  for (const unsigned mode : {0600U, 0640U, 0400U}) {
    Report good;
    (void)parse_file(folder.write("keys.conf", "secrets { ike { secret = x\n } }\n", mode), good);
    EXPECT_TRUE(good.ok()) << mode;
  }
}

TEST(Private, AlsoByIncludeAndInTemplates) {
  const Folder folder;
  folder.write("inner.conf", "ike { id = %any\n }\n", 0604);
  Report inside;
  (void)parse_file(folder.write("top.conf", "secrets { include inner.conf\n }\n"), inside);
  EXPECT_EQ(inside.errors.size(), 1U);
  Report as_template;
  (void)parse_file(folder.write("t.conf", "template { secret = x\n }\n", 0602), as_template);
  EXPECT_EQ(as_template.errors.size(), 1U);
}

}  // namespace
}  // namespace espgate::control
