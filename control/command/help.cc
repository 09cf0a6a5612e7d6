// SPDX-License-Identifier: Apache-2.0
// Help is the table, written out.
#include <fmt/format.h>

#include <algorithm>

#include "control/command/parse.h"

namespace espgate::control::command {
namespace {

constexpr std::size_t kIndent = 24;

std::string row(std::string_view left, std::string_view right) {
  if (left.size() + 4 > kIndent) return fmt::format("  {}\n  {:{}}{}\n", left, "", kIndent, right);
  return fmt::format("  {:<{}}{}\n", left, kIndent, right);
}

std::string words_of(const Argument& argument) {
  if (argument.keyword.empty()) return std::string(argument.value);
  if (argument.value.empty()) return std::string(argument.keyword);
  return fmt::format("{} {}", argument.keyword, argument.value);
}

std::string options_block() {
  std::string text = "options:\n";
  for (const auto& option : global_options()) {
    std::string left(option.names);
    std::replace(left.begin(), left.end(), ',', ' ');
    if (!option.value.empty()) left += fmt::format(" {}", option.value);
    std::string right(option.help);
    if (!option.fallback.empty()) right += fmt::format(" (default {})", option.fallback);
    text += row(left, right);
  }
  return text;
}

std::string top_help() {
  std::string text =
      "espgate: which IPsec SAs are offloaded, where, and why not\n"
      "usage: espgate [options] OBJECT { COMMAND | help }\n\nobjects:\n";
  for (const auto& object : objects()) text += row(object.name, object.help);
  text += "\n" + options_block();
  text += "\nexit status: 0 done, 1 usage, 2 the kernel or the daemon said no\n";
  return text;
}

std::string object_help(const Object& object) {
  std::string text = fmt::format("espgate {}: {}\n\n", object.name, object.help);
  for (const auto& command : commands()) {
    if (command.object == object.name) text += fmt::format("  {}\n      {}\n", usage_line(command), command.help);
  }
  return text;
}

std::string command_help(const Command& command) {
  std::string text = fmt::format("usage: {}\n{}\n", usage_line(command), command.help);
  if (!command.arguments.empty()) text += "\narguments:\n";
  for (const auto& argument : command.arguments) text += row(words_of(argument), argument.help);
  return text;
}

}  // namespace

std::string usage_line(const Command& command) {
  std::string text = fmt::format("espgate {} {}", command.object, command.name);
  for (const auto& argument : command.arguments) {
    text += fmt::format(fmt::runtime(argument.required ? " {}" : " [{}]"), words_of(argument));
  }
  return text;
}

std::string help_text(const Invocation& invocation) {
  if (invocation.command != nullptr) return command_help(*invocation.command);
  if (invocation.object != nullptr) return object_help(*invocation.object);
  return top_help();
}

}  // namespace espgate::control::command
