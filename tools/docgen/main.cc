// SPDX-License-Identifier: Apache-2.0
// docgen WHAT: writes to stdout what is made from the command table and the key table. Not installed.
#include <cstdio>
#include <cstring>
#include <string>

#include "control/command/completion.h"
#include "control/config/key_docs.h"

int main(int argc, char** argv) {
  namespace control = espgate::control;
  struct Row {
    const char* name;
    std::string (*make)();
  };
  static constexpr Row rows[] = {{"espgate.8", control::command::man_page},
                                 {"espgate.conf.5", control::key_man_page},
                                 {"bash", control::command::bash_completion},
                                 {"zsh", control::command::zsh_completion},
                                 {"configuration.md", control::key_reference}};
  for (const auto& row : rows) {
    if (argc != 2 || std::strcmp(argv[1], row.name) != 0) continue;
    const std::string text = row.make();
    return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() ? 0 : 2;
  }
  std::fprintf(stderr, "usage: docgen WHAT; one of");
  for (const auto& row : rows) std::fprintf(stderr, " %s", row.name);
  std::fputc('\n', stderr);
  return 1;
}
