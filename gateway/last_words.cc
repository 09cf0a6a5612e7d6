// SPDX-License-Identifier: Apache-2.0
#include "gateway/last_words.h"

#include <unistd.h>

#include <csignal>
#include <exception>
#include <new>

#include "gateway/log.h"

namespace espgate::gateway {

namespace {

constexpr const char* kStays = "; what is in the kernel stays there: start espgated again";

// Half of what was to be done may be done: nothing of it is undone here, the next start looks at what there is.
[[noreturn]] void out_of_memory() {
  log_last_words("out of memory: this process ends at once", kStays);
  _exit(kCannotGoOn);
}

[[noreturn]] void unexpected_exception() {
  try {
    if (const auto current = std::current_exception()) std::rethrow_exception(current);
  } catch (const std::exception& error) {
    log_last_words("an error inside espgated ends this process at once: ", error.what());
    _exit(kCannotGoOn);
  } catch (...) {
  }
  log_last_words("an error inside espgated ends this process at once", kStays);
  _exit(kCannotGoOn);
}

}  // namespace

void prepare_last_words() {
  std::set_new_handler(out_of_memory);
  std::set_terminate(unexpected_exception);
  std::signal(SIGPIPE, SIG_IGN);
}

}  // namespace espgate::gateway
