// SPDX-License-Identifier: Apache-2.0
// Writes JSON as it comes, for tables too large to be built as a tree first. The same text as json_text() would give.
#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace espgate::control::report {

class JsonWriter {
 public:
  // Appends to `out`, which may be emptied between any two calls.
  JsonWriter(std::string& out, bool pretty) : out_(out), pretty_(pretty) {}

  void open(char bracket) {  // '{' or '['
    begin();
    out_ += bracket;
    ++depth_;
    empty_ = true;
  }
  void close(char bracket) {
    --depth_;
    if (!empty_) line();
    out_ += bracket;
    empty_ = false;
  }
  JsonWriter& key(std::string_view name) {  // plain; to be followed by a value or open()
    begin();
    out_ += '"';
    out_ += name;
    out_ += pretty_ ? "\": " : "\":";
    named_ = true;
    return *this;
  }
  void text(std::string_view value);  // octets that are no UTF-8 are replaced
  void null() { raw("null"); }
  void boolean(bool value) { raw(value ? "true" : "false"); }
  // Beyond 2^53 a string, as json_number() has it.
  void number(std::uint64_t value);
  void time(std::int64_t value) { digits(value); }  // epoch seconds

 private:
  void raw(std::string_view value) {
    begin();
    out_ += value;
  }
  template <std::integral T>
  void digits(T value) {
    char buffer[24];
    const auto done = std::to_chars(buffer, buffer + sizeof buffer, value);
    raw({buffer, static_cast<std::size_t>(done.ptr - buffer)});
  }
  void begin();  // what stands between the value before and this one
  void line();

  std::string& out_;
  bool pretty_, empty_ = true, named_ = false;
  std::size_t depth_ = 0;
};

}  // namespace espgate::control::report
