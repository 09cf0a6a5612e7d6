// SPDX-License-Identifier: Apache-2.0
// How espgated ends when it cannot go on: at once, with one line, and with all that is in the kernel left where it is.
#pragma once

namespace espgate::gateway {

// Exit status after no memory was left, or after an error inside that nobody expected. To be started again.
inline constexpr int kCannotGoOn = 3;

// From now on an allocation that fails, and an exception that nobody takes, end the process in that way; and a reader
// of the log that goes away does not end it at all.
void prepare_last_words();

}  // namespace espgate::gateway
