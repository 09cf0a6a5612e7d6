// SPDX-License-Identifier: Apache-2.0
// The options that stand before a command, and the command's words.
#pragma once

#include <expected>
#include <string>
#include <vector>

namespace espgate::tools {

struct Options {
  bool json = false;
  bool pretty = false;  // implies json
  bool color = false;   // decided: --color, NO_COLOR, whether stdout is a terminal
  bool help = false;
  bool version = false;
  std::string vici, bpffs, devices;
  std::vector<std::string> words;  // everything that is no global option, in order
};

// The error is one sentence. `json_wanted` is told even if the rest is wrong, so that the error can be JSON.
std::expected<Options, std::string> read_options(int argc, const char* const* argv, bool& json_wanted);

}  // namespace espgate::tools
