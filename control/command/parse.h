// SPDX-License-Identifier: Apache-2.0
// Words of a command line to a command of the table with its values, checked; and help for each level.
// As with ip and bpftool: a unique beginning of an object, command or keyword stands for it (`espgate s sh`), an object
// alone means its first command, `help` at any place asks for help there.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "control/command/table.h"

namespace espgate::control::command {

struct Invocation {
  const Command* command = nullptr;  // null: help for all or for `object`
  const Object* object = nullptr;
  bool help = false;
  std::map<std::string, std::string, std::less<>> values;  // by keyword; a positional one by its value name ("NAME")

  [[nodiscard]] bool has(std::string_view key) const { return values.contains(key); }
  [[nodiscard]] std::optional<std::string> get(std::string_view key) const;
  // For kinds seconds and count, which parse() has checked; `fallback` if not given.
  [[nodiscard]] std::uint32_t number(std::string_view key, std::uint32_t fallback) const;
};

// One sentence for the operator: what is wrong and what is expected, with the nearest known word where one is near.
struct UsageError {
  std::string text;
};

std::expected<Invocation, UsageError> parse(std::span<const std::string> words);

// What `espgate help`, `espgate OBJECT help` and `espgate OBJECT COMMAND help` print.
std::string help_text(const Invocation& invocation);

// "espgate sa show [kernel] [name NAME] [spi S] [dev D]"
std::string usage_line(const Command& command);

}  // namespace espgate::control::command
