// SPDX-License-Identifier: Apache-2.0
// Text as roff wants it: nothing of it is taken for a request or an escape.
#pragma once

#include <string>
#include <string_view>

namespace espgate::control::command {

inline std::string roff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else if ((c == '.' || c == '\'') && out.empty()) {
      out += std::string("\\&") + c;
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace espgate::control::command
