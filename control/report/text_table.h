// SPDX-License-Identifier: Apache-2.0
// Columns for a terminal: widths from the cells, two spaces between, and text that strangers chose made harmless.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace espgate::control::report {

// Names and identities come from peers and drivers: C0 and C1 controls, DEL, bidirectional overrides and octets that
// are no UTF-8 become \xNN (their octets), so that nothing moves a cursor or hides a word.
std::string printable(std::string_view text);

enum class Paint : std::uint8_t { plain, bold, good, warn, bad, dim };

// `text` in that colour if `color`, else as it is.
std::string painted(std::string_view text, Paint paint, bool color);

struct Cell {
  std::string text;  // made printable when rendered
  Paint paint = Paint::plain;
  Cell() = default;
  Cell(std::string words, Paint how = Paint::plain) : text(std::move(words)), paint(how) {}  // NOLINT: a cell is text
  Cell(const char* words) : text(words) {}                                                   // NOLINT: and so is this
};

// "12 s", "3 min", "5 h", "2 d": enough for a table; JSON has the epoch seconds.
std::string span_text(std::int64_t seconds);

class TextTable {
 public:
  enum class Align : std::uint8_t { left, right };
  struct Column {
    std::string title;
    Align align = Align::left;
  };

  explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void row(std::vector<Cell> cells);  // as many as there are columns; an empty one shows as "-"
  void line(Cell text);               // a line of its own below the last row, indented
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  [[nodiscard]] std::string text(bool color) const;

 private:
  struct Row {
    std::vector<Cell> cells;
    bool whole_line = false;
  };
  [[nodiscard]] std::vector<std::size_t> widths() const;
  std::vector<Column> columns_;
  std::vector<Row> rows_;
};

}  // namespace espgate::control::report
