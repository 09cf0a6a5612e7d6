// SPDX-License-Identifier: Apache-2.0
// What the operating system refused: the operation, its errno and, where it has one, the kernel's own words.
#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace espgate::base {

struct Error {
  std::string operation;  // what was tried, e.g. "add SA 0xc0ffee01 (XFRM_MSG_NEWSA)"
  int code = 0;           // errno, positive; 0 where the system gave none
  std::string detail;     // netlink extended ack or other text in the system's words; may be empty

  // errno as it stands now, for `operation`.
  static Error last(std::string_view operation);

  // "operation: Invalid argument (EINVAL): detail"
  [[nodiscard]] std::string text() const;
};

template <class T>
using Result = std::expected<T, Error>;

// "EINVAL" for 22; "errno 4711" for an unknown one.
std::string errno_name(int code);

}  // namespace espgate::base
