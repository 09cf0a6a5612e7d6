// SPDX-License-Identifier: Apache-2.0
// What is made from the command table for a shell and for man: written by tools/docgen, installed with the programs.
#pragma once

#include <string>

namespace espgate::control::command {

std::string bash_completion();  // for share/bash-completion/completions/espgate
std::string zsh_completion();   // for share/zsh/vendor-completions/_espgate
std::string man_page();         // espgate(8), roff (man macros)

}  // namespace espgate::control::command
