// SPDX-License-Identifier: Apache-2.0
#include "control/report/text_table.h"

#include <gtest/gtest.h>

namespace espgate::control::report {
namespace {

TEST(Printable, LeavesOrdinaryTextAlone) {
  EXPECT_EQ(printable("C=CH, O=Zürich, CN=gw-α 東京"), "C=CH, O=Zürich, CN=gw-α 東京");
  EXPECT_EQ(printable(""), "");
}

TEST(Printable, EscapesWhatMovesTheCursorOrHidesWords) {
  EXPECT_EQ(printable("a\x1b[2Jb\n\t\x7f"), "a\\x1b[2Jb\\x0a\\x09\\x7f");
  EXPECT_EQ(printable(std::string_view("a\0b", 3)), "a\\x00b");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            "\\xc2\\x9b31m");                                         // C1: CSI
  EXPECT_EQ(printable("\xe2\x80\xaenimda"), "\\xe2\\x80\\xaenimda");  // right-to-left override
}

TEST(Printable, EscapesWhatIsNoUtf8) {
  EXPECT_EQ(printable("\xff\xfe"), "\\xff\\xfe");
  EXPECT_EQ(printable("\xc0\xaf"), "\\xc0\\xaf");                    // overlong
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");           // surrogate
  EXPECT_EQ(printable("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");  // past U+10FFFF
  EXPECT_EQ(printable("ab\xe6\x9d"), "ab\\xe6\\x9d");                // cut short
}

TEST(TextTable, AlignsAndFillsEmptyCells) {
  TextTable table({{"NAME"}, {"N", TextTable::Align::right}, {"WHY"}});
  table.row({"a", "7", "x"});
  table.line({"a line of its own that is longer than all columns together"});
  table.row({"long-name", "12345"});
  EXPECT_EQ(table.text(false),
            "NAME           N  WHY\n"
            "a              7  x\n"
            "    a line of its own that is longer than all columns together\n"
            "long-name  12345  -\n");
}

TEST(TextTable, WideCharactersAreCountedAsColumnsNotOctets) {
  TextTable table({{"NAME"}, {"X"}});
  table.row({"Zürich", "1"});
  EXPECT_EQ(table.text(false), "NAME    X\nZürich  1\n");
}

TEST(TextTable, ColourDoesNotDisturbAlignmentAndCellsCannotBringTheirOwn) {
  TextTable table({{"S"}, {"T"}});
  table.row({Cell("up", Paint::good), "\x1b[31mred"});
  EXPECT_EQ(table.text(true),
            "\x1b[1mS\x1b[0m   \x1b[1mT\x1b[0m\n"
            "\x1b[32mup\x1b[0m  \\x1b[31mred\n");
}

}  // namespace
}  // namespace espgate::control::report
