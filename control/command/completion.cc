// SPDX-License-Identifier: Apache-2.0
// One function of bash, which zsh can load as well: the words that may come next are read off the words before.
#include "control/command/completion.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "control/command/table.h"

namespace espgate::control::command {
namespace {

// "-j,--json" as two words.
std::string option_words() {
  std::string out;
  for (const auto& option : global_options()) {
    std::string names(option.names);
    std::replace(names.begin(), names.end(), ',', ' ');
    out += (out.empty() ? "" : " ") + names;
  }
  return out;
}

// The options that take a value, as a pattern of `case`.
std::string valued_options() {
  std::vector<std::string> out;
  for (const auto& option : global_options()) {
    if (option.value.empty()) continue;
    const std::string names(option.names);
    const auto comma = names.find(',');
    out.push_back(names.substr(0, comma));
    if (comma != std::string::npos) out.push_back(names.substr(comma + 1));
  }
  return fmt::format("{}", fmt::join(out, "|"));
}

std::string_view words_for(ValueKind kind) {
  switch (kind) {
    case ValueKind::conn:
      return "$(_espgate_conns)";
    case ValueKind::device:
      return "$(ls /sys/class/net 2>/dev/null)";
    case ValueKind::path:
      return "FILE";
    default:
      return "";
  }
}

// What `kind` completes to: a line of the shell.
std::string offer(ValueKind kind) {
  if (kind == ValueKind::path) return "COMPREPLY=($(compgen -f -- \"$cur\"))";
  return fmt::format("COMPREPLY=($(compgen -W \"{}\" -- \"$cur\"))", words_for(kind));
}

std::string case_of(const Command& command) {
  std::string keywords, values, positional;
  for (const auto& argument : command.arguments) {
    if (argument.keyword.empty()) {
      positional += fmt::format(" {}", words_for(argument.kind));
      continue;
    }
    keywords += fmt::format(" {}", argument.keyword);
    if (argument.kind != ValueKind::none) {
      values += fmt::format("        {}) {}; return ;;\n", argument.keyword, offer(argument.kind));
    }
  }
  std::string out = fmt::format("    {}.{})\n", command.object, command.name);
  if (!values.empty()) out += fmt::format("      case \"$prev\" in\n{}      esac\n", values);
  return out + fmt::format("      COMPREPLY=($(compgen -W \"{}{} help\" -- \"$cur\")) ;;\n", positional, keywords);
}

constexpr auto kHead =
    R"(# Completion of espgate's objects, commands and arguments; made from its command table (tools/docgen), do not edit.

_espgate_conns() {
  espgate -j conn show 2>/dev/null | tr -d ' \n' | grep -o '"conn":"[^"]*"\|"child":"[^"]*"' |
    awk -F'"' '$2 == "conn" { conn = $4; print conn } $2 == "child" { print conn "/" $4 }' | sort -u
}

_espgate() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} object='' verb='' i
)";

}  // namespace

std::string bash_completion() {
  std::string out = "# shellcheck shell=bash disable=SC2207\n# SPDX-License-Identifier: Apache-2.0\n";
  out += kHead;
  out += fmt::format(
      "  case \"$prev\" in\n"
      "    --color|-c) COMPREPLY=($(compgen -W \"auto always never\" -- \"$cur\")); return ;;\n"
      "    {}) COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n  esac\n",
      valued_options());
  out += fmt::format(
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    case \"${{COMP_WORDS[i]}}\" in\n"
      "      {}) ((i++)) ;;\n"
      "      -*) ;;\n"
      "      *) if [ -z \"$object\" ]; then object=${{COMP_WORDS[i]}}; elif [ -z \"$verb\" ]; then "
      "verb=${{COMP_WORDS[i]}}; fi ;;\n"
      "    esac\n  done\n",
      valued_options());
  std::vector<std::string_view> names;
  for (const auto& object : objects()) names.push_back(object.name);
  out += fmt::format(
      "  if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W \"{}\" -- \"$cur\")); return; fi\n"
      "  if [ -z \"$object\" ]; then COMPREPLY=($(compgen -W \"{} help\" -- \"$cur\")); return; fi\n"
      "  case \"$object.$verb\" in\n",
      option_words(), fmt::join(names, " "));
  for (const auto& object : objects()) {
    std::vector<std::string_view> verbs;
    for (const auto& command : commands()) {
      if (command.object == object.name) verbs.push_back(command.name);
    }
    out += fmt::format("    {}.) COMPREPLY=($(compgen -W \"{} help\" -- \"$cur\")) ;;\n", object.name,
                       fmt::join(verbs, " "));
  }
  for (const auto& command : commands()) out += case_of(command);
  return out + "  esac\n}\ncomplete -F _espgate espgate\n";
}

std::string zsh_completion() {
  std::string text = bash_completion();
  const std::string last = "complete -F _espgate espgate\n";
  text.resize(text.size() - last.size());
  // zsh has bash's completion as a mode.
  return "#compdef espgate\n" + text + "autoload -U +X bashcompinit && bashcompinit\ncomplete -F _espgate espgate\n";
}

}  // namespace espgate::control::command
