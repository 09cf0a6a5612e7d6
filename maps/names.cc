// SPDX-License-Identifier: Apache-2.0
// The words for what the layout numbers.
#include <cstddef>

#include "maps/reader.h"

namespace espgate::maps {

namespace {

template <std::size_t N>
const char* name_of(const char* const (&names)[N], unsigned index) {
  return index < N ? names[index] : "unknown";
}

}  // namespace

const char* fallback_code(unsigned fallback) {
  static constexpr const char* names[] = {"none-wanted",  "not-held",    "other-device",
                                          "not-eligible", "feature-off", "not-decrypted"};
  return name_of(names, fallback);
}

const char* class_name(unsigned class_) {
  static constexpr const char* names[] = {"ike", "natt-keepalive", "esp",         "esp-udp",
                                          "ah",  "plain",          "unknown-spi", "malformed"};
  static_assert(sizeof names / sizeof *names == ESPGATE_CLASS_COUNT);
  return name_of(names, class_);
}

const char* shield_event_name(unsigned event) {
  static constexpr const char* names[] = {"init-passed",  "cookie-sent",     "cookie-good",      "cookie-bad",
                                          "init-dropped", "fragment-passed", "fragment-dropped", "source-dropped",
                                          "unknown-spi",  "unknown-dropped", "allowed"};
  static_assert(sizeof names / sizeof *names == ESPGATE_SHIELD_EVENT_COUNT);
  return name_of(names, event);
}

const char* verdict_name(unsigned verdict) {
  static constexpr const char* names[] = {"pass", "drop", "tx", "redirect"};
  static_assert(sizeof names / sizeof *names == ESPGATE_VERDICT_COUNT);
  return name_of(names, verdict);
}

const char* xdp_mode_name(unsigned xdp_mode) {
  static constexpr const char* names[] = {"none", "native", "generic", "dispatcher"};
  return name_of(names, xdp_mode);
}

}  // namespace espgate::maps
