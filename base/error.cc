// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"

#include <cerrno>
#include <cstring>

namespace espgate::base {

Error Error::last(std::string_view operation) { return Error{std::string(operation), errno, {}}; }

std::string Error::text() const {
  std::string out = operation;
  if (code != 0) {
    out += ": ";
    const char* words = strerrordesc_np(code);
    out += words != nullptr ? words : "unknown error";
    out += " (" + errno_name(code) + ")";
  }
  if (!detail.empty()) out += ": " + detail;
  return out;
}

std::string errno_name(int code) {
  const char* name = strerrorname_np(code);
  return name != nullptr ? name : "errno " + std::to_string(code);
}

}  // namespace espgate::base
