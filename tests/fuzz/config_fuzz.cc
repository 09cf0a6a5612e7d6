// SPDX-License-Identifier: Apache-2.0
// Any text as a configuration: grammar, references, key table and model. No crash, and every error knows its place.
#include <cstdint>
#include <cstdlib>

#include "base/bytes.h"
#include "control/config/model.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace espgate;
  const auto loaded = control::load_text(base::as_text({data, size}), "f");
  if (loaded.config.has_value() != loaded.report.ok()) std::abort();
  for (const auto& error : loaded.report.errors) {
    if (error.origin.line == 0 || error.origin.column == 0 || error.what.empty()) std::abort();
  }
  return 0;
}
