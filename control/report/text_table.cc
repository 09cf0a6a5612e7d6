// SPDX-License-Identifier: Apache-2.0
#include "control/report/text_table.h"

#include <fmt/format.h>

#include <algorithm>

namespace espgate::control::report {
namespace {

struct Rune {
  std::uint32_t value = 0;
  std::size_t octets = 0;  // 0: no UTF-8 here
};

// One code point of well-formed UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing past U+10FFFF.
Rune decode(std::string_view text) {
  const auto octet = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = octet(0);
  if (lead < 0x80) return {lead, 1};
  const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < size) return {};
  std::uint32_t value = lead & (0x7fU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((octet(i) & 0xc0) != 0x80) return {};
    value = value << 6 | (octet(i) & 0x3fU);
  }
  const std::uint32_t least = size == 2 ? 0x80 : size == 3 ? 0x800 : 0x10000;
  if (value < least || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) return {};
  return {value, size};
}

bool harmful(std::uint32_t rune) {
  return rune < 0x20 || (rune >= 0x7f && rune < 0xa0) ||  // C0, DEL, C1
         rune == 0x61c || rune == 0x200e || rune == 0x200f || rune == 0x2028 || rune == 0x2029 ||
         (rune >= 0x202a && rune <= 0x202e) || (rune >= 0x2066 && rune <= 0x2069) || rune == 0xfeff;
}

// Columns on a terminal, taking every code point for one.
std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<std::uint8_t>(c) & 0xc0) != 0x80; }));
}

std::string_view escape_of(Paint paint) {
  switch (paint) {
    case Paint::plain:
      return "";
    case Paint::bold:
      return "\x1b[1m";
    case Paint::good:
      return "\x1b[32m";
    case Paint::warn:
      return "\x1b[33m";
    case Paint::bad:
      return "\x1b[31m";
    case Paint::dim:
      return "\x1b[2m";
  }
  return "";
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Rune rune = decode(text);
    const std::size_t octets = std::max<std::size_t>(rune.octets, 1);
    if (rune.octets == 0 || harmful(rune.value)) {
      for (const char c : text.substr(0, octets)) out += fmt::format("\\x{:02x}", static_cast<std::uint8_t>(c));
    } else {
      out += text.substr(0, octets);
    }
    text.remove_prefix(octets);
  }
  return out;
}

std::string painted(std::string_view text, Paint paint, bool color) {
  if (!color || paint == Paint::plain) return std::string(text);
  return fmt::format("{}{}\x1b[0m", escape_of(paint), text);
}

void TextTable::row(std::vector<Cell> cells) {
  cells.resize(columns_.size());
  for (auto& cell : cells) cell.text = cell.text.empty() ? "-" : printable(cell.text);
  rows_.push_back({std::move(cells), false});
}

void TextTable::line(Cell text) {
  text.text = printable(text.text);
  rows_.push_back({{std::move(text)}, true});
}

std::vector<std::size_t> TextTable::widths() const {
  std::vector<std::size_t> widths;
  for (const auto& column : columns_) widths.push_back(columns(column.title));
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.cells.size() && !row.whole_line; ++i) {
      widths[i] = std::max(widths[i], columns(row.cells[i].text));
    }
  }
  return widths;
}

std::string TextTable::text(bool color) const {
  const auto width = widths();
  std::string out;
  const auto emit = [&](const std::vector<Cell>& cells) {
    std::string spaces;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const std::string pad(width[i] - columns(cells[i].text), ' ');
      const std::string shown = painted(cells[i].text, cells[i].paint, color);
      out += spaces + (columns_[i].align == Align::right ? pad + shown : shown);
      spaces = "  ";
      if (columns_[i].align == Align::left) spaces += pad;  // dropped at the end of a line
    }
    out += '\n';
  };
  std::vector<Cell> titles;
  for (const auto& column : columns_) titles.emplace_back(column.title, Paint::bold);
  emit(titles);
  for (const auto& row : rows_) {
    if (row.whole_line) {
      out += "    " + painted(row.cells[0].text, row.cells[0].paint, color) + '\n';
    } else {
      emit(row.cells);
    }
  }
  return out;
}

std::string span_text(std::int64_t seconds) {
  if (seconds < 0) seconds = 0;
  if (seconds < 120) return fmt::format("{} s", seconds);
  if (seconds < 7200) return fmt::format("{} min", seconds / 60);
  if (seconds < 172800) return fmt::format("{} h", seconds / 3600);
  return fmt::format("{} d", seconds / 86400);
}

}  // namespace espgate::control::report
