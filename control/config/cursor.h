// SPDX-License-Identifier: Apache-2.0
// A place in a text that knows its line and column.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "control/config/tree.h"

namespace espgate::control {

class Cursor {
 public:
  Cursor(std::string_view text, const std::string& file) : text_(text), file_(&file) {
    if (text_.starts_with("\xEF\xBB\xBF")) at_ = 3;  // a byte order mark is no character of the first name
  }

  [[nodiscard]] bool done() const { return at_ >= text_.size(); }
  [[nodiscard]] char peek() const { return done() ? '\0' : text_[at_]; }
  // The rest of the text; empty at its end.
  [[nodiscard]] std::string_view rest() const { return text_.substr(at_); }
  [[nodiscard]] std::string_view since(const Cursor& start) const { return text_.substr(start.at_, at_ - start.at_); }
  [[nodiscard]] Origin here() const { return {*file_, line_, column_}; }
  [[nodiscard]] std::uint32_t line() const { return line_; }

  char take() {
    const char c = text_[at_++];
    if (c == '\n') {
      ++line_;
      column_ = 1;
    } else {
      ++column_;
    }
    return c;
  }
  // Takes characters while `wanted` says so.
  template <class Predicate>
  std::string_view run(Predicate wanted) {
    const std::size_t start = at_;
    while (!done() && wanted(text_[at_])) take();
    return text_.substr(start, at_ - start);
  }
  void to_line_end() {
    run([](char c) { return c != '\n'; });
  }
  // Blanks within a line.
  void spaces() {
    run([](char c) { return c == ' ' || c == '\t' || c == '\r'; });
  }
  // Blanks, line ends and comments.
  void blanks() {
    for (;;) {
      run([](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; });
      if (peek() != '#') return;
      to_line_end();
    }
  }

 private:
  std::string_view text_;
  const std::string* file_;
  std::size_t at_ = 0;
  std::uint32_t line_ = 1, column_ = 1;
};

}  // namespace espgate::control
